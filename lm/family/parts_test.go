package family_test

import (
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/lm/family"
	"pare/tensor"
)

// lazy says what tensors in memory are, and counts how often each is read.
type lazy struct {
	family.Tensors
	read map[string]int
}

func (l lazy) Info(name string) (tensor.DType, []int, bool) {
	t := l.Tensors[name]
	if t == nil {
		return 0, nil, false
	}
	return t.DType, t.Shape, true
}

func (l lazy) Read(name string) (*tensor.Tensor, error) {
	l.read[name]++
	return l.Tensors.Read(name)
}

// The parts of a model give, one after the other, what the whole gives, to the bit; a weight is
// read with its part, and none when the model is split.
func TestParts(t *testing.T) {
	for name, text := range configs {
		c, w := draw(t, text)
		src := lazy{w, map[string]int{}}
		p, err := family.Split(c, src)
		if c.Encoder {
			if err == nil || !strings.Contains(err.Error(), "encoder") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(src.read) > 0 || len(p.All) != len(w) {
			t.Errorf("%s: %v was read; %d of %d weights are known", name, src.read, len(p.All), len(w))
		}
		g, err := family.Build(c, w)
		if err != nil {
			t.Fatal(err)
		}
		want := answers(t, g)["logits"]
		e, err := p.Embedding()
		if err != nil {
			t.Fatal(err)
		}
		ids := tensor.New(tensor.Int64, 2, 7)
		for i := range 14 { // those of answers
			tensor.Of[int64](ids)[i] = int64((i*i*7 + 3*i + 5) % 40)
		}
		h, err := e.Of(ids)
		if err != nil {
			t.Fatal(err)
		}
		clear(src.read)
		for i := range p.Layers {
			g, err := p.Block(i)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			h = through(t, g, h)
			for w := range src.read {
				if k, ok := p.BlockOf(w); !ok || k > i {
					t.Errorf("%s: %s was read with block %d", name, w, i)
				}
			}
			for _, v := range g.Consts() { // what is cut is written as it was stored
				if !strings.HasSuffix(v.Name, ".weight") {
					continue
				}
				x, err := family.Laid(g, v)
				if err != nil {
					t.Fatal(err)
				}
				if y := w[v.Name]; x.Len() != y.Len() || x.F32()[1] != y.F32()[1] {
					t.Errorf("%s: %s is laid out as %v, and was %v", name, v.Name, x, y)
				}
			}
		}
		if g, err = p.End(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		h = through(t, g, h)
		for i, v := range want.F32() {
			if h.F32()[i] != v {
				t.Fatalf("%s: logit %d is %v, and %v of the whole", name, i, h.F32()[i], v)
			}
		}
	}
}

// through runs a part.
func through(t *testing.T, g *graph.Graph, h *tensor.Tensor) *tensor.Tensor {
	t.Helper()
	p, err := engine.Compile(g, map[string]int{family.BatchAxis: h.Shape[0], family.TimeAxis: h.Shape[1]}, engine.Options{Freeze: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Input("hidden").Copy(h); err != nil {
		t.Fatal(err)
	}
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	return p.Output(g.Outputs[0].Name).Clone()
}

// What a model lacks, has too much or has otherwise is refused before anything is read; so are
// tokens and texts that it does not know.
func TestBadParts(t *testing.T) {
	for want, spoil := range map[string]func(w family.Tensors){
		"is missing":          func(w family.Tensors) { delete(w, "model.layers.1.mlp.up_proj.weight") },
		"have no place":       func(w family.Tensors) { w["model.layers.1.mlp.more.weight"] = tensor.New(tensor.Float32, 2) },
		"is expected":         func(w family.Tensors) { w["model.norm.weight"] = tensor.New(tensor.Float32, 2) },
		"not floating-point":  func(w family.Tensors) { w["model.norm.weight"] = tensor.New(tensor.Int64, 24) },
		"should be a copy of": func(w family.Tensors) { w["lm_head.weight"] = tensor.New(tensor.Float32, 40, 24) },
	} {
		c, w := draw(t, configs["llama"])
		spoil(w)
		if _, err := family.Split(c, lazy{w, map[string]int{}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
	c, w := draw(t, configs["llama"])
	w["lm_head.weight"] = w["model.embed_tokens.weight"].Clone()
	if _, err := family.Split(c, lazy{w, map[string]int{}}); err != nil {
		t.Errorf("a copy of the table: %v", err)
	}
	c, w = draw(t, configs["opt"])
	p, err := family.Split(c, lazy{w, map[string]int{}})
	if err != nil {
		t.Fatal(err)
	}
	e, err := p.Embedding()
	if err != nil {
		t.Fatal(err)
	}
	for want, ids := range map[string]*tensor.Tensor{
		"token 40":      tensor.From([]int64{40}, 1, 1),
		"token -1":      tensor.From([]int64{-1}, 1, 1),
		"33 tokens":     tensor.New(tensor.Int64, 1, 33),
		"int64 [batch ": tensor.New(tensor.Int64, 3),
	} {
		if _, err := e.Of(ids); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
	w["model.decoder.embed_tokens.weight"].F32()[7] /= float32(0 * len(w))
	if _, err := e.Of(tensor.From([]int64{0}, 1, 1)); err == nil || !strings.Contains(err.Error(), "NaN") {
		t.Errorf("a broken table: %v", err)
	}
}
