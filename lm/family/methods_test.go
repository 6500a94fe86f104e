package family_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/internal/familytest"
	"pare/internal/modeltest"
	"pare/lm/family"
	"pare/model"
	"pare/model/calibrated"
	"pare/model/oneshot"
	"pare/model/structured"
	"pare/prune/allocate"
)

// Methods calibrate, train and cut a language model on a text, and what they leave is
// written back. The text teaches it something.
func TestMethods(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text.txt")
	var text strings.Builder
	for i := range 150 {
		fmt.Fprintf(&text, "%d sheep and %d goats. ", i%7, i%5)
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	wanda, sparse, heads := calibrated.NewWanda(), calibrated.NewSparseGPT(), structured.NewHeads()
	wanda.Samples.Samples, sparse.Samples.Samples, heads.Samples, heads.Share = 8, 8, 8, .5
	ria, dsnot := calibrated.NewRIA(), calibrated.NewDSnoT()
	ria.Samples.Samples, ria.Pattern, ria.Permute, dsnot.Samples.Samples = 8, allocate.Pattern{N: 2, M: 4}, "assignment", 8
	for name, m := range map[string]model.Method{"ria": ria, "dsnot": dsnot, "wanda": wanda, "sparsegpt": sparse, "magnitude": &oneshot.GlobalMP{Sparsity: .3}, "heads": heads} {
		for _, config := range []string{
			`{"model_type":"llama","vocab_size":256,"hidden_size":24,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":32,"tie_word_embeddings":true}`,
			`{"model_type":"gpt2","vocab_size":256,"n_embd":24,"n_head":4,"n_layer":2,"n_positions":32}`,
		} {
			f := familytest.Model(t, config, 1)
			g, err := f.Graph()
			if err != nil {
				t.Fatal(err)
			}
			data, err := dataset.Open("text:" + path + "?seq=16")
			if err != nil {
				t.Fatal(err)
			}
			j := &model.Job{Graph: g, Data: data, Seed: 3, Engine: engine.Options{Threads: 1},
				Recipe: model.Recipe{Epochs: 2, Batch: 8, LR: .01, Schedule: "constant", Optimizer: "adam"}}
			if _, err := model.Prepare(g); err != nil {
				t.Fatal(err)
			}
			if _, err := model.Fits(g, data, j.Judge()); err != nil {
				t.Fatal(err)
			}
			r := modeltest.Run(t, m, j)
			if _, _, err := family.Weights(r.Graph); err != nil {
				t.Errorf("%s, %s: %v", name, config, err)
			}
			if f, ok := r.Facts.(*calibrated.RIAFacts); ok && len(f.Orders) != 2 { // the last of each block
				t.Errorf("%s, %s: %d layers were put into another order", name, config, len(f.Orders))
			}
			if last := r.Epochs[1]; last.Loss > 1.5 {
				t.Errorf("%s, %s: the loss is %v after two epochs", name, config, last.Loss)
			}
		}
	}
}
