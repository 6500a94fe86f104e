package generate_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/lm/decode"
	"pare/lm/family"
	"pare/lm/generate"
	"pare/tensor"
)

// stories reads a model of llama2.c (version 0): its sizes, then all weights in float32.
// The rows of queries and keys turn in pairs of neighbours there.
func stories(t *testing.T, b []byte) *family.Model {
	t.Helper()
	r := bytes.NewReader(b)
	var h struct{ Dim, Hidden, Layers, Heads, KV, Vocab, Length int32 }
	if err := binary.Read(r, binary.LittleEndian, &h); err != nil {
		t.Fatal(err)
	}
	dim, hidden, layers, vocab := int(h.Dim), int(h.Hidden), int(h.Layers), int(h.Vocab)
	c, err := family.Read(fmt.Appendf(nil, `{"model_type":"llama","vocab_size":%d,"hidden_size":%d,"num_hidden_layers":%d,"num_attention_heads":%d,
		"num_key_value_heads":%d,"intermediate_size":%d,"max_position_embeddings":%d,"rms_norm_eps":1e-5,"tie_word_embeddings":true}`,
		vocab, dim, layers, h.Heads, h.KV, hidden, h.Length))
	if err != nil {
		t.Fatal(err)
	}
	w := family.Tensors{}
	read := func(shape ...int) *tensor.Tensor {
		x := tensor.New(tensor.Float32, shape...)
		if err := binary.Read(r, binary.LittleEndian, x.F32()); err != nil {
			t.Fatal(err)
		}
		return x
	}
	each := func(name string, change func(*tensor.Tensor) *tensor.Tensor, shape ...int) {
		for i := range layers {
			w[fmt.Sprintf("model.layers.%d.%s.weight", i, name)] = change(read(shape...))
		}
	}
	same := func(x *tensor.Tensor) *tensor.Tensor { return x }
	halves := func(x *tensor.Tensor) *tensor.Tensor { // neighbours go half a head apart
		y := tensor.New(tensor.Float32, x.Shape...)
		d := c.HeadDim
		for row := range x.Shape[0] {
			j := row % d
			to := row - j + j/2 + j%2*d/2
			copy(y.F32()[to*dim:(to+1)*dim], x.F32()[row*dim:(row+1)*dim])
		}
		return y
	}
	kv := c.KVHeads * c.HeadDim
	w["model.embed_tokens.weight"] = read(vocab, dim)
	each("input_layernorm", same, dim)
	each("self_attn.q_proj", halves, dim, dim)
	each("self_attn.k_proj", halves, kv, dim)
	each("self_attn.v_proj", same, kv, dim)
	each("self_attn.o_proj", same, dim, dim)
	each("post_attention_layernorm", same, dim)
	each("mlp.gate_proj", same, hidden, dim)
	each("mlp.down_proj", same, dim, hidden)
	each("mlp.up_proj", same, hidden, dim)
	w["model.norm.weight"] = read(dim)
	m, err := family.Load(c, w)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// pieces are the texts of a vocabulary of llama2.c.
func pieces(t *testing.T, b []byte, n int) []string {
	t.Helper()
	r := bytes.NewReader(b)
	var most int32
	out := make([]string, n)
	err := binary.Read(r, binary.LittleEndian, &most)
	for i := 0; i < n && err == nil; i++ {
		var h struct {
			Score float32
			Size  int32
		}
		if err = binary.Read(r, binary.LittleEndian, &h); err == nil {
			piece := make([]byte, h.Size)
			_, err = r.Read(piece)
			out[i] = string(piece)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A trained model tells its story, which it finds likely, and the same tokens in any other
// order unlikely.
func TestStories(t *testing.T) {
	data := os.Getenv("PARE_DATA")
	if data == "" {
		t.Skip("PARE_DATA is not set: it names the folder with stories260k")
	}
	b, err := os.ReadFile(filepath.Join(data, "stories260k", "stories260K.bin"))
	if err != nil {
		t.Skip(err)
	}
	tok, err := os.ReadFile(filepath.Join(data, "stories260k", "tok512.bin"))
	if err != nil {
		t.Fatal(err)
	}
	m := stories(t, b)
	s := sessionOf(t, m, decode.Options{Sequences: 2})
	story := run(t, s, [][]int{{1}}, generate.Options{Tokens: 200, Stop: []int{1}})[0]
	vocabulary := pieces(t, tok, m.Vocab)
	text := ""
	for _, k := range story.Tokens {
		text += vocabulary[k]
	}
	t.Log(text)
	if !strings.HasPrefix(strings.TrimSpace(text), "Once upon a time, there was a little girl named Lily. She loved to play outside in the park.") {
		t.Errorf("it tells %q", text)
	}
	shuffled := append([]int{}, story.Tokens...)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	scored, err := generate.Score(context.Background(), s, []int{1}, [][]int{story.Tokens, shuffled})
	if err != nil {
		t.Fatal(err)
	}
	own, other := perplexity(scored[0]), perplexity(scored[1])
	t.Logf("perplexity %.2f, shuffled %.0f", own, other)
	if !(own < 3) || !(other > 50) || !scored[0].Greedy {
		t.Errorf("perplexity %.2f, of shuffled tokens %.2f; greedy %v", own, other, scored[0].Greedy)
	}
}

func perplexity(s generate.Scored) float64 { return math.Exp(-s.Sum / float64(len(s.LogProbs))) }
