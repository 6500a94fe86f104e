package family_test

import (
	"bytes"
	"slices"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/internal/familytest"
	"pare/lm/family"
	"pare/onnx"
	"pare/prune/block"
	"pare/prune/structure"
	"pare/tensor"
)

const small = `"vocab_size":40,"hidden_size":24,"num_hidden_layers":2,"num_attention_heads":6,"max_position_embeddings":32,"intermediate_size":32,`

// configs are small models of every type.
var configs = map[string]string{
	"llama": `{"model_type":"llama",` + small + `"num_key_value_heads":2,"head_dim":8,"tie_word_embeddings":true,"torch_dtype":"float32",
		"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":16}}`,
	"llama one head of keys": `{"model_type":"llama",` + small + `"num_key_value_heads":1,"attention_bias":true,"mlp_bias":true}`,
	"mistral":                `{"model_type":"mistral",` + small + `"num_key_value_heads":3,"sliding_window":4}`,
	"qwen2":                  `{"model_type":"qwen2",` + small + `"num_key_value_heads":2,"use_sliding_window":true,"sliding_window":3,"max_window_layers":1}`,
	"qwen3":                  `{"model_type":"qwen3",` + small + `"num_key_value_heads":2,"head_dim":6}`,
	"gemma":                  `{"model_type":"gemma",` + small + `"num_key_value_heads":2,"head_dim":6}`,
	"gemma2":                 `{"model_type":"gemma2",` + small + `"num_key_value_heads":2,"head_dim":6,"sliding_window":3,"query_pre_attn_scalar":16}`,
	"gemma3":                 `{"model_type":"gemma3_text",` + small + `"num_key_value_heads":2,"head_dim":6,"sliding_window":3,"sliding_window_pattern":2}`,
	"phi":                    `{"model_type":"phi",` + small + `"partial_rotary_factor":0.5}`,
	"phi3":                   `{"model_type":"phi3",` + small + `"num_key_value_heads":2,"sliding_window":5}`,
	"gpt2":                   `{"model_type":"gpt2","vocab_size":40,"n_embd":24,"n_head":6,"n_layer":2,"n_positions":32}`,
	"gpt_neox":               `{"model_type":"gpt_neox",` + small + `"rotary_pct":0.5}`,
	"gpt_neox in a row":      `{"model_type":"gpt_neox",` + small + `"rotary_pct":0.5,"use_parallel_residual":false,"tie_word_embeddings":true}`,
	"opt":                    `{"model_type":"opt","vocab_size":40,"hidden_size":24,"num_hidden_layers":2,"num_attention_heads":6,"max_position_embeddings":32,"ffn_dim":32}`,
	"bert":                   `{"model_type":"bert",` + small + `"type_vocab_size":2}`,
	"bert masked":            `{"model_type":"bert","architectures":["BertForMaskedLM"],` + small + `"type_vocab_size":2}`,
	"bert classifier":        `{"model_type":"bert","architectures":["BertForSequenceClassification"],` + small + `"type_vocab_size":2}`,
}

// draw makes a model whose norms and biases differ from channel to channel.
func draw(t testing.TB, text string) (*family.Config, family.Tensors) {
	t.Helper()
	return familytest.Uneven(t, text, .2)
}

// answers runs a graph on the same tokens.
func answers(t testing.TB, g *graph.Graph) map[string]*tensor.Tensor {
	t.Helper()
	const batch, length = 2, 7
	p, err := engine.Compile(g, map[string]int{family.BatchAxis: batch, family.TimeAxis: length}, engine.Options{Freeze: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range g.Inputs {
		x := tensor.Of[int64](p.Input(in.Name))
		for i := range x {
			switch in.Name {
			case "input_ids":
				x[i] = int64((i*i*7 + 3*i + 5) % 40)
			case "attention_mask":
				if x[i] = 1; i > 10 {
					x[i] = 0
				}
			default:
				x[i] = int64(i % 2)
			}
		}
	}
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	out := map[string]*tensor.Tensor{}
	for _, o := range g.Outputs {
		out[o.Name] = p.Output(o.Name).Clone()
	}
	return out
}

// near compares what two graphs give.
func near(t testing.TB, what string, a, b map[string]*tensor.Tensor, most float32) {
	t.Helper()
	if len(a) != len(b) || len(a) == 0 {
		t.Errorf("%s: outputs %v and %v", what, a, b)
	}
	for name, x := range a {
		y := b[name]
		if y == nil || !slices.Equal(x.Shape, y.Shape) {
			t.Fatalf("%s: %s is %v, want %v", what, name, y, x)
		}
		for i, v := range x.F32() {
			if d := v - y.F32()[i]; !(d < most && d > -most) {
				t.Fatalf("%s: %s[%d] is %v, want %v", what, name, i, y.F32()[i], v)
			}
		}
	}
}

// What is built and not changed is written back as it was read, in its type, also from an
// ONNX file.
func TestIdentity(t *testing.T) {
	for name, text := range configs {
		t.Run(name, func(t *testing.T) {
			c, w := draw(t, text)
			for _, d := range []tensor.DType{tensor.Float32, tensor.BFloat16, tensor.Float16} {
				was := family.Tensors{}
				for name, x := range w {
					was[name] = stored(t, x, d)
				}
				g, err := family.Build(c, was)
				if err != nil {
					t.Fatal(err)
				}
				b, err := onnx.Encode(g, onnx.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if g, err = onnx.Decode(b, ""); err != nil {
					t.Fatal(err)
				}
				c2, now, err := family.Weights(g)
				if err != nil {
					t.Fatal(err)
				}
				for name, x := range was {
					if y := now[name]; y == nil || y.DType != x.DType || !slices.Equal(x.Shape, y.Shape) || !bytes.Equal(x.Raw(), y.Raw()) {
						t.Errorf("%s: %v became %v", name, x, y)
					}
				}
				if len(now) != len(was) {
					t.Errorf("%d weights became %d", len(was), len(now))
				}
				a, _ := c.JSON()
				if b, _ := c2.JSON(); !bytes.Equal(a, b) {
					t.Errorf("the config %s became %s", a, b)
				}
				answers(t, g)
			}
		})
	}
}

// stored rounds to another type.
func stored(t *testing.T, x *tensor.Tensor, d tensor.DType) *tensor.Tensor {
	if d == tensor.Float32 {
		return x
	}
	y := tensor.New(d, x.Shape...)
	for i, v := range x.F32() {
		b := tensor.F32ToBF16(v)
		if d == tensor.Float16 {
			b = 0x3000 + uint16(i%0x400) // any number
		}
		y.Data.([]uint16)[i] = b
	}
	return y
}

// Heads and feed-forward widths are found as what they are; what is cut computes what it
// did with zeros, is written back, and is built again from its weights alone.
func TestCut(t *testing.T) {
	for name, text := range configs {
		t.Run(name, func(t *testing.T) {
			c, w := draw(t, text)
			g, err := family.Build(c, w)
			if err != nil {
				t.Fatal(err)
			}
			groups, _ := structure.Groups(g)
			var within []*structure.Group // of the layers
			heads := 0
			for i, k := range structure.Kinds(g, groups) {
				switch k {
				case structure.Heads, structure.GroupedHead:
					heads++
				case structure.FeedForward:
					if groups[i].Name == "bert.pooler.dense.weight" {
						continue
					}
				default:
					continue
				}
				within = append(within, groups[i])
			}
			if heads != 2 || len(within) != 4 {
				t.Fatalf("%d groups of heads, %d in all: want 2 of 4", heads, len(within))
			}
			for _, alike := range []bool{true, false} {
				s := structure.All(within)
				for i, grp := range within {
					if n := len(grp.Channels); alike || i < 2 {
						for k := range n / 2 {
							s[i].Set((2*k+i)%n, false)
						}
					}
				}
				cut, err := structure.Cut(g, within, s)
				if err != nil {
					t.Fatal(err)
				}
				want := answers(t, structure.Zero(g, within, s))
				near(t, "cut", want, answers(t, cut), 2e-5)
				near(t, "built again", want, answers(t, again(t, cut)), 2e-5)
			}
		})
	}
}

// A narrower stream is written back where a config can say so, and else refused.
func TestNarrowStream(t *testing.T) {
	for name, text := range configs {
		t.Run(name, func(t *testing.T) {
			c, w := draw(t, text)
			g, err := family.Build(c, w)
			if err != nil {
				t.Fatal(err)
			}
			groups, _ := structure.Groups(g)
			s := structure.All(groups)
			found := false
			for i, k := range structure.Kinds(g, groups) {
				if k == structure.Embedding {
					found = true
					for c := range 8 {
						s[i].Set(3*c, false)
					}
				}
			}
			if !found {
				t.Skip("it has no group of this kind")
			}
			cut, err := structure.Cut(g, groups, s)
			if err != nil {
				t.Fatal(err)
			}
			said := slices.Contains([]string{"llama", "mistral", "qwen2", "phi3"}, c.Type)
			if _, _, err := family.Weights(cut); (err == nil) != said {
				t.Fatalf("%v; %s can say it: %v", err, c.Type, said)
			}
			if said {
				near(t, "narrow", answers(t, cut), answers(t, again(t, cut)), 2e-5)
			}
		})
	}
}

// again writes a graph back and builds it from its config and weights.
func again(t *testing.T, g *graph.Graph) *graph.Graph {
	t.Helper()
	c, w, err := family.Weights(g)
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if c, err = family.Read(b); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	if g, err = family.Build(c, family.Tensors(w)); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return g
}

// A network without some of its blocks, or of their branches, is written back with layers
// numbered anew.
func TestBlocks(t *testing.T) {
	for name, text := range configs {
		for _, o := range []block.Options{{}, {Sublayers: true}} {
			t.Run(name, func(t *testing.T) {
				c, w := draw(t, text)
				g, err := family.Build(c, w)
				if err != nil {
					t.Fatal(err)
				}
				blocks, whole := block.Find(g, o)
				for _, b := range blocks {
					cut, err := block.Remove(g, []*block.Block{b})
					if err != nil {
						t.Fatal(err)
					}
					near(t, b.Name, answers(t, cut), answers(t, again(t, cut)), 1e-5)
				}
				want := 2 * c.Layers
				if !o.Sublayers || name == "phi" { // whose branches share a norm
					want = c.Layers
				}
				if len(blocks) != want {
					t.Errorf("%d blocks, want %d; %v", len(blocks), want, whole)
				}
			})
		}
	}
}
