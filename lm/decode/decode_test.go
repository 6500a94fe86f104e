package decode_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/engine"
	"pare/internal/familytest"
	"pare/lm/decode"
	"pare/lm/family"
	"pare/tensor"
)

const small = `"vocab_size":40,"hidden_size":24,"num_hidden_layers":2,"num_attention_heads":6,"max_position_embeddings":32,"intermediate_size":32,`

// configs are small models that differ in all that decoding computes.
var configs = map[string]string{
	"llama": `{"model_type":"llama",` + small + `"num_key_value_heads":2,"head_dim":8,"tie_word_embeddings":true,
		"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":16}}`,
	"llama with biases": `{"model_type":"llama",` + small + `"num_key_value_heads":1,"attention_bias":true,"mlp_bias":true}`,
	"llama with uneven layers": `{"model_type":"llama",` + small + `"head_dim":4,"pare":{"layers":[
		{"heads":4,"kv_heads":2,"intermediate":0},{"heads":3,"kv_heads":1,"intermediate":20}]}}`,
	"mistral":           `{"model_type":"mistral",` + small + `"num_key_value_heads":3,"sliding_window":4}`,
	"qwen2":             `{"model_type":"qwen2",` + small + `"num_key_value_heads":2,"use_sliding_window":true,"sliding_window":3,"max_window_layers":1}`,
	"qwen3":             `{"model_type":"qwen3",` + small + `"num_key_value_heads":2,"head_dim":6}`,
	"gemma":             `{"model_type":"gemma",` + small + `"num_key_value_heads":2,"head_dim":6}`,
	"gemma2":            `{"model_type":"gemma2",` + small + `"num_key_value_heads":2,"head_dim":6,"sliding_window":3,"query_pre_attn_scalar":16,"attn_logit_softcapping":2,"final_logit_softcapping":3}`,
	"gemma3":            `{"model_type":"gemma3_text",` + small + `"num_key_value_heads":2,"head_dim":6,"sliding_window":3,"sliding_window_pattern":2}`,
	"phi":               `{"model_type":"phi",` + small + `"partial_rotary_factor":0.5}`,
	"phi3":              `{"model_type":"phi3",` + small + `"num_key_value_heads":2,"sliding_window":5}`,
	"gpt2":              `{"model_type":"gpt2","vocab_size":40,"n_embd":24,"n_head":6,"n_layer":2,"n_positions":32}`,
	"gpt_neox":          `{"model_type":"gpt_neox",` + small + `"rotary_pct":0.5}`,
	"gpt_neox in a row": `{"model_type":"gpt_neox",` + small + `"rotary_pct":0.5,"use_parallel_residual":false,"tie_word_embeddings":true}`,
	"opt":               `{"model_type":"opt","vocab_size":40,"hidden_size":24,"num_hidden_layers":2,"num_attention_heads":6,"max_position_embeddings":32,"ffn_dim":32}`,
}

// draw makes a model whose norms and biases differ from channel to channel.
func draw(t testing.TB, text string) *family.Model {
	t.Helper()
	c, w := familytest.Uneven(t, text, .15)
	m, err := family.Load(c, w)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// text is some tokens.
func text(seed uint64, n int) []int {
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]int, n)
	for i := range out {
		out[i] = r.IntN(40)
	}
	return out
}

// whole gives the logits of all positions by the graph.
func whole(t testing.TB, m *family.Model, tokens []int) [][]float32 {
	t.Helper()
	g, err := m.Graph()
	if err != nil {
		t.Fatal(err)
	}
	p, err := engine.Compile(g, map[string]int{family.BatchAxis: 1, family.TimeAxis: len(tokens)}, engine.Options{Freeze: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range tokens {
		tensor.Of[int64](p.Input("input_ids"))[i] = int64(k)
	}
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	var out [][]float32
	y := p.Output("logits").F32()
	for i := range tokens {
		out = append(out, slices.Clone(y[i*m.Vocab:(i+1)*m.Vocab]))
	}
	return out
}

func session(t testing.TB, m *family.Model, o decode.Options) *decode.Session {
	t.Helper()
	d, err := decode.New(m)
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.NewSession(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func near(t testing.TB, what string, got, want []float32) {
	t.Helper()
	within(t, what, got, want, 1e-5)
}

func within(t testing.TB, what string, got, want []float32, far float64) {
	t.Helper()
	for i, v := range want {
		if d := math.Abs(float64(v - got[i])); !(d < far) {
			t.Fatalf("%s: logit %d is %v, want %v", what, i, got[i], v)
		}
	}
}

// However a text comes, token by token, in pieces, all at once, beside others: its logits
// are those of the graph.
func TestSteps(t *testing.T) {
	for name, config := range configs {
		t.Run(name, func(t *testing.T) {
			m := draw(t, config)
			a, b := text(1, 23), text(2, 17)
			wantA, wantB := whole(t, m, a), whole(t, m, b)
			for _, rows := range []int{1, 5, 64} {
				s := session(t, m, decode.Options{Sequences: 3, Rows: rows, Capacity: 23})
				wants := [][][]float32{wantA, wantB}
				read := [2]int{}
				// both begin with pieces of other lengths, then step by step
				for _, n := range [][2]int{{4, 11}, {9, 2}, {1, 1}, {1, 1}, {1, 1}, {7, 1}} {
					var in []decode.Input
					for k, x := range [][]int{a, b} {
						in = append(in, decode.Input{Seq: 2 * k, Tokens: x[read[k] : read[k]+n[k]], All: true})
					}
					seen := 0
					err := s.Run(in, func(i, at int, logits []float32) error {
						near(t, "step", logits, wants[i][read[i]+at])
						seen++
						return nil
					})
					if err != nil || seen != n[0]+n[1] {
						t.Fatalf("%d rows of logits, %v", seen, err)
					}
					read[0], read[1] = read[0]+n[0], read[1]+n[1]
				}
				if s.Len(0) != 23 || s.Left(0) != 0 || s.Len(2) != 17 || s.Len(1) != 0 {
					t.Errorf("lengths %d %d %d", s.Len(0), s.Len(1), s.Len(2))
				}
			}
		})
	}
}

// A copy of a sequence goes on as the sequence would, and so does one that was cut.
func TestForkAndTruncate(t *testing.T) {
	m := draw(t, configs["qwen2"])
	prefix, a, b := text(1, 9), text(2, 5), text(3, 5)
	s := session(t, m, decode.Options{Sequences: 2, Capacity: 16})
	last := func(in ...decode.Input) (out [][]float32) {
		t.Helper()
		if err := s.Run(in, func(_, _ int, y []float32) error { out = append(out, slices.Clone(y)); return nil }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	last(decode.Input{Seq: 1, Tokens: prefix})
	if err := s.Fork(0, 1); err != nil {
		t.Fatal(err)
	}
	y := last(decode.Input{Seq: 0, Tokens: a}, decode.Input{Seq: 1, Tokens: b})
	wantA, wantB := whole(t, m, slices.Concat(prefix, a)), whole(t, m, slices.Concat(prefix, b))
	near(t, "copy", y[0], wantA[13])
	near(t, "original", y[1], wantB[13])
	if err := s.Truncate(0, 9); err != nil {
		t.Fatal(err)
	}
	near(t, "cut", last(decode.Input{Seq: 0, Tokens: b})[0], wantB[13])
}

// A step allocates nothing, and gives the same bits for any number of threads.
func TestAllocations(t *testing.T) {
	m := draw(t, configs["llama"])
	var bits [2][]float32
	for i, threads := range []int{1, 2} {
		s := session(t, m, decode.Options{Sequences: 20, Threads: threads})
		in := make([]decode.Input, 20)
		for k := range in {
			in[k] = decode.Input{Seq: k, Tokens: []int{k + 3}}
		}
		visit := func(_, _ int, y []float32) error { bits[i] = append(bits[i], y[:2]...); return nil }
		if err := s.Run(in, visit); err != nil {
			t.Fatal(err)
		}
		two := in[:2]
		none := func(_, _ int, _ []float32) error { return nil }
		for _, in := range [][]decode.Input{in, two} {
			if n := testing.AllocsPerRun(5, func() {
				if err := s.Run(in, none); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%d threads: %v allocations a step of %d", threads, n, len(in))
			}
		}
	}
	if !slices.Equal(bits[0], bits[1]) {
		t.Error("the numbers of threads give other bits")
	}
}

func TestBadInput(t *testing.T) {
	m := draw(t, configs["gpt2"])
	d, err := decode.New(m)
	if err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]decode.Options{
		"positions":  {Capacity: 33},
		"capacity":   {Capacity: -1},
		"sequences":  {Sequences: 1 << 25},
		"more than":  {Sequences: 1 << 10, Most: 1 << 20},
		"threads -1": {Threads: -1},
	} {
		if _, err := d.NewSession(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
	s := session(t, m, decode.Options{Sequences: 2, Capacity: 4})
	for want, in := range map[string][]decode.Input{
		"no sequence 2": {{Seq: 2, Tokens: []int{1}}},
		"twice":         {{Tokens: []int{1}}, {Tokens: []int{1}}},
		"no tokens":     {{}},
		"room":          {{Tokens: []int{1, 2, 3, 4, 5}}},
		"token 40":      {{Tokens: []int{1}}, {Seq: 1, Tokens: []int{40}}},
		"token -1":      {{Tokens: []int{-1}}},
	} {
		if err := s.Run(in, nil); err == nil || !strings.Contains(err.Error(), want) || s.Len(0) != 0 {
			t.Errorf("%v: %v, want %q; %d tokens are in", in, err, want, s.Len(0))
		}
	}
	if s.Fork(0, 2) == nil || s.Truncate(0, 1) == nil {
		t.Error("a sequence that is not there was copied, or one made longer")
	}
	if _, err := decode.New(familytest.Model(t, `{"model_type":"bert",`+small+`"type_vocab_size":2}`, 1)); err == nil {
		t.Error("an encoder decodes")
	}
}
