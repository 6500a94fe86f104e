package generate_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/llama2c"
	"pare/lm/decode"
	"pare/lm/family"
	"pare/lm/generate"
)

// A trained model tells its story, which it finds likely, and the same tokens in any other
// order unlikely.
func TestStories(t *testing.T) {
	data := os.Getenv("PARE_DATA")
	if data == "" {
		t.Skip("PARE_DATA is not set: it names the folder with stories260k")
	}
	f, err := llama2c.Open(filepath.Join(data, "stories260k", "stories260K.bin"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	words, err := llama2c.OpenTokenizer(filepath.Join(data, "stories260k", "tok512.bin"))
	if err != nil {
		t.Fatal(err)
	}
	k := f.Config
	c, err := family.Read(fmt.Appendf(nil, `{"model_type":"llama","vocab_size":%d,"hidden_size":%d,"num_hidden_layers":%d,"num_attention_heads":%d,
		"num_key_value_heads":%d,"intermediate_size":%d,"max_position_embeddings":%d,"rms_norm_eps":%g,"rope_theta":%d,"tie_word_embeddings":%t}`,
		k.Vocab, k.Dim, k.Layers, k.Heads, k.KVHeads, k.Hidden, k.Context, llama2c.Epsilon, llama2c.Theta, k.Tied))
	if err != nil {
		t.Fatal(err)
	}
	m, err := family.Load(c, f)
	if err != nil {
		t.Fatal(err)
	}
	s := sessionOf(t, m, decode.Options{Sequences: 2})
	story := run(t, s, [][]int{{1}}, generate.Options{Tokens: 200, Stop: []int{1}})[0]
	var text strings.Builder
	for _, k := range story.Tokens {
		text.WriteString(words.Pieces[k].Text)
	}
	const want = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park."
	if got := strings.TrimSpace(text.String()); !strings.HasPrefix(got, want) {
		t.Errorf("it tells %q", got)
	}
	shuffled := slices.Clone(story.Tokens)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	scored, err := generate.Score(context.Background(), s, []int{1}, [][]int{story.Tokens, shuffled})
	if err != nil {
		t.Fatal(err)
	}
	own, other := perplexity(scored[0]), perplexity(scored[1])
	if !(own < 3) || !(other > 50) || !scored[0].Greedy {
		t.Errorf("perplexity %.2f, of shuffled tokens %.2f; greedy %v", own, other, scored[0].Greedy)
	}
}

func perplexity(s generate.Scored) float64 { return math.Exp(-s.Sum / float64(len(s.LogProbs))) }
