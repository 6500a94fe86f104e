package llama2c

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A trained model, run in plain loops by the names, the shapes and the order of rows of
// Hugging Face, tells its story: each tensor is where it belongs.
func TestStory(t *testing.T) {
	data := os.Getenv("PARE_DATA")
	if data == "" {
		t.Skip("PARE_DATA is not set: it names a folder with real data")
	}
	f, err := Open(filepath.Join(data, "stories260k", "stories260K.bin"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if want := (Config{Dim: 64, Hidden: 172, Layers: 5, Heads: 8, KVHeads: 4, Vocab: 512, Context: 512, Tied: true}); f.Config != want || f.Version != 0 {
		t.Fatalf("version %d, %+v", f.Version, f.Config)
	}
	words, err := OpenTokenizer(filepath.Join(data, "stories260k", "tok512.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if len(words.Pieces) != 512 || words.Pieces[0].Text != "<unk>" || words.Pieces[3].Text != "<0x00>" {
		t.Fatalf("%d pieces, %v", len(words.Pieces), words.Pieces[:4])
	}
	m := &llama{File: f, w: map[string][]float32{}}
	for _, name := range f.Names() {
		x, err := f.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		m.w[name] = x.F32()
	}
	var story strings.Builder
	token := 1
	for position := range 60 {
		logits := m.step(token, position)
		token = 0
		for i, v := range logits {
			if v > logits[token] {
				token = i
			}
		}
		story.WriteString(words.Pieces[token].Text)
	}
	const want = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park."
	if got := strings.TrimSpace(story.String()); !strings.HasPrefix(got, want) {
		t.Errorf("%q", got)
	}
}

// llama is a model with its cache of keys and values by layer and position.
type llama struct {
	*File
	w            map[string][]float32
	keys, values [][][]float64
}

// step gives the logits after a token.
func (m *llama) step(token, position int) []float64 {
	c := m.Config
	head, group := c.Dim/c.Heads, c.Heads/c.KVHeads
	x := make([]float64, c.Dim)
	for i, v := range m.w["model.embed_tokens.weight"][token*c.Dim:][:c.Dim] {
		x[i] = float64(v)
	}
	for l := range c.Layers {
		p := fmt.Sprintf("model.layers.%d.", l)
		h := m.norm(p+"input_layernorm.weight", x)
		q, k := m.times(p+"self_attn.q_proj.weight", h), m.times(p+"self_attn.k_proj.weight", h)
		turn(q, head, position)
		turn(k, head, position)
		if position == 0 {
			m.keys, m.values = append(m.keys, nil), append(m.values, nil)
		}
		m.keys[l] = append(m.keys[l], k)
		m.values[l] = append(m.values[l], m.times(p+"self_attn.v_proj.weight", h))
		mixed := make([]float64, c.Dim)
		for i := range c.Heads {
			at := i / group * head
			weights, sum := make([]float64, position+1), 0.0
			for s := range weights {
				for j := range head {
					weights[s] += q[i*head+j] * m.keys[l][s][at+j]
				}
				weights[s] = math.Exp(weights[s] / math.Sqrt(float64(head)))
				sum += weights[s]
			}
			for s, w := range weights {
				for j := range head {
					mixed[i*head+j] += w / sum * m.values[l][s][at+j]
				}
			}
		}
		for i, v := range m.times(p+"self_attn.o_proj.weight", mixed) {
			x[i] += v
		}
		h = m.norm(p+"post_attention_layernorm.weight", x)
		gate, up := m.times(p+"mlp.gate_proj.weight", h), m.times(p+"mlp.up_proj.weight", h)
		for i, v := range gate {
			up[i] *= v / (1 + math.Exp(-v))
		}
		for i, v := range m.times(p+"mlp.down_proj.weight", up) {
			x[i] += v
		}
	}
	return m.times("model.embed_tokens.weight", m.norm("model.norm.weight", x))
}

// turn rotates element i and i + n/2 of each head of n.
func turn(x []float64, head, position int) {
	for h := 0; h < len(x); h += head {
		for i := range head / 2 {
			sin, cos := math.Sincos(float64(position) * math.Pow(Theta, -2*float64(i)/float64(head)))
			a, b := x[h+i], x[h+i+head/2]
			x[h+i], x[h+i+head/2] = a*cos-b*sin, a*sin+b*cos
		}
	}
}

func (m *llama) norm(name string, x []float64) []float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = v / math.Sqrt(sum/float64(len(x))+Epsilon) * float64(m.w[name][i])
	}
	return out
}

// times is the product of a weight of rows and x.
func (m *llama) times(name string, x []float64) []float64 {
	w := m.w[name]
	out := make([]float64, len(w)/len(x))
	for i := range out {
		for j, v := range x {
			out[i] += float64(w[i*len(x)+j]) * v
		}
	}
	return out
}
