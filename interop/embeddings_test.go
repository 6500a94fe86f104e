package interop

import (
	"context"
	"math"
	"os/exec"
	"path/filepath"
	"testing"

	"pare/lm"
	"pare/lm/local"
)

// The vectors of encoders and decoders are those of transformers, pooled as
// sentence-transformers does by the files of the folder.
func TestEmbeddings(t *testing.T) {
	py := python(t, "torch", "transformers", "tokenizers", "safetensors")
	dir := t.TempDir()
	if out, err := exec.Command(py, "embeddings.py", dir).CombinedOutput(); err != nil {
		t.Fatalf("embeddings.py: %v\n%s", err, out)
	}
	var names, texts []string
	decoded(t, filepath.Join(dir, "models.json"), &names)
	decoded(t, filepath.Join(dir, "texts.json"), &texts)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			m, err := local.Open(filepath.Join(dir, name), local.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			e, err := m.Embed(context.Background(), lm.EmbedRequest{Texts: texts})
			if err != nil {
				t.Fatal(err)
			}
			var want [][]float64
			decoded(t, filepath.Join(dir, name, "vectors.json"), &want)
			for i, w := range want {
				for k, v := range w {
					if d := math.Abs(v - float64(e.Vectors[i][k])); !(d < 1e-5) {
						t.Fatalf("number %d of text %d is %v, want %v", k, i, e.Vectors[i][k], v)
					}
				}
			}
		})
	}
}
