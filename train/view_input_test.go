package train

import (
	"fmt"
	"strings"
	"testing"

	"pare/dataset"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// conv is a network of a convolution, pooled, on images of a number of channels.
func conv(t *testing.T, kind tensor.DType, last bool, channels int, batch, h, w graph.Dim) *graph.Graph {
	t.Helper()
	shape := graph.Shape{batch, graph.N(channels), h, w}
	if last {
		shape = graph.Shape{batch, h, w, graph.N(channels)}
	}
	n := newNet(17, kind, shape...)
	x := n.x
	if kind != tensor.Float32 {
		x = n.Op("Mul", n.Attr("Cast", attrs("to", int(tensor.Float32)), x), n.Const(tensor.Scalar(float32(1./255))))
	}
	if last {
		x = n.Attr("Transpose", attrs("perm", []int{0, 3, 1, 2}), x)
	}
	y := n.Op("GlobalAveragePool", n.Op("Relu", n.Op("Conv", x, n.weight(5, channels, 3, 3))))
	return n.done(t, n.flat(y, 5, 4))
}

var four, six = graph.N(4), graph.N(6)

// Images with their channels last, and free sizes, give what the plain network gives,
// and learn the same weights.
func TestChannelsLast(t *testing.T) {
	for _, c := range []int{1, 3} {
		s := images(4, c, 4, 6)
		plain := conv(t, tensor.Float32, false, c, free, four, six)
		want := evaluate(t, plain, s)
		bits := fitted(t, plain, s, Loss{})
		for name, g := range map[string]func() *graph.Graph{
			"last":       func() *graph.Graph { return conv(t, tensor.Float32, true, c, free, four, six) },
			"last, free": func() *graph.Graph { return conv(t, tensor.Float32, true, c, free, graph.Sym("H"), graph.Sym("W")) },
			"free":       func() *graph.Graph { return conv(t, tensor.Float32, false, c, free, graph.Sym("H"), graph.Sym("W")) },
			"no rank": func() *graph.Graph {
				g := conv(t, tensor.Float32, false, c, free, four, six)
				g.Inputs[0].Shape = nil
				return g
			},
		} {
			m := evaluate(t, g(), s)
			if m.Loss != want.Loss || m.Value() != want.Value() || strings.HasPrefix(name, "last") != strings.Contains(said(m), "are turned") {
				t.Errorf("%s: %+v, want %+v", name, m, want)
			}
			h := g()
			if fitted(t, h, s, Loss{Teacher: conv(t, tensor.Float32, false, c, free, four, six), Alpha: 0, T: 1}) != bits {
				t.Errorf("%s: other weights were learnt", name)
			}
		}
	}
	g := conv(t, tensor.Float32, false, 3, free, graph.Sym("H"), graph.Sym("W"))
	g.Usage.Sizes = map[string]int{"H": 5}
	if why := refusal(g, images(4, 3, 4, 6)); !strings.Contains(why, "size H=5 is asked for") {
		t.Error(why)
	}
	if why := refusal(conv(t, tensor.Float32, false, 3, free, four, four), images(4, 3, 4, 6)); !strings.Contains(why, "takes samples of shape [3 4 4], the test set has [3 4 6]") {
		t.Error(why)
	}
}

// One channel is repeated where three are wanted, and three are weighed to one.
func TestChannels(t *testing.T) {
	gray, rgb := images(4, 1, 4, 6), images(4, 3, 4, 6)
	repeated := &dataset.Field{Name: "x", Shape: []int{3, 4, 6}}
	for i := range gray.Len() {
		for range 3 {
			repeated.Bytes = append(repeated.Bytes, gray.X().Bytes[i*24:(i+1)*24]...)
		}
	}
	alike := dataset.New("test", repeated, gray.Fields[1])
	for _, last := range []bool{false, true} {
		three, single := conv(t, tensor.Float32, last, 3, free, four, six), conv(t, tensor.Float32, last, 1, free, four, six)
		m, want := evaluate(t, three, gray), evaluate(t, three, alike)
		if m.Loss != want.Loss || !strings.Contains(said(m), "repeated") {
			t.Errorf("%+v, want %+v", m, want)
		}
		if m, want = evaluate(t, single, alike), evaluate(t, single, gray); m.Loss-want.Loss > 1e-5 || want.Loss-m.Loss > 1e-5 || !strings.Contains(said(m), "weighted") {
			t.Errorf("%+v, want %+v", m, want)
		}
		fitted(t, single, rgb, Loss{})
	}
}

// Whole-number inputs get the values as they are stored, whatever normalisation goes
// with the data.
func TestWholeNumbers(t *testing.T) {
	s := images(4, 3, 4, 6)
	for _, kind := range []tensor.DType{tensor.Uint8, tensor.Int32, tensor.Int64, tensor.Float64} {
		g := conv(t, kind, true, 3, free, four, six)
		e := NewEval(s, dataset.Unit, 8, one)
		want, err := e.Run(t.Context(), conv(t, tensor.Float32, true, 3, free, four, six))
		if err != nil {
			t.Fatal(err)
		}
		if kind == tensor.Float64 {
			e.Loader.Norm = dataset.Raw
		} else {
			e.Loader.Norm = quarter
		}
		m, err := e.Run(t.Context(), g)
		if err != nil || m.Loss-want.Loss > 1e-5 || want.Loss-m.Loss > 1e-5 || kind != tensor.Float64 && !strings.Contains(said(m), "as they are stored") {
			t.Errorf("%v: %+v, want %+v; %v", kind, m, want, err)
		}
		fitted(t, g, s, Loss{})
	}
	g := conv(t, tensor.Int8, false, 3, free, four, six)
	if m := evaluate(t, g, s); !strings.Contains(said(m), "less 128") {
		t.Errorf("said %v", m.Notes)
	}
}

// A fixed batch evaluates as a free one does, samples that fill the last one up are
// not counted, and other batches learn what a free one learns.
func TestFixedBatch(t *testing.T) {
	s := images(4, 3, 4, 6)
	plain := conv(t, tensor.Float32, false, 3, free, four, six)
	want := evaluate(t, plain, s)
	for _, fixed := range []int{1, 2, 8, 64} {
		g := conv(t, tensor.Float32, false, 3, graph.N(fixed), four, six)
		if m := evaluate(t, g, s); m.N != 21 || m.Value() != want.Value() || m.Loss-want.Loss > 1e-6 || want.Loss-m.Loss > 1e-6 {
			t.Errorf("batch %d: %+v, want %+v", fixed, m, want)
		}
	}
	bits := fitted(t, plain, s, Loss{})
	shaped := func() *graph.Graph { // exported with the batch in a constant
		g := conv(t, tensor.Float32, false, 3, graph.N(1), four, six)
		for _, n := range g.Nodes {
			if n.Is("Reshape") {
				n.Inputs[1] = op.NewBuilder(g, "s").Ints(1, 5)
			}
		}
		return g
	}
	for name, g := range map[string]*graph.Graph{"1": conv(t, tensor.Float32, false, 3, graph.N(1), four, six), "in a constant": shaped()} {
		if fitted(t, g, s, Loss{}) != bits {
			t.Errorf("batch %s: other weights were learnt", name)
		}
		if g.Inputs[0].Shape[0] != graph.N(1) {
			t.Errorf("batch %s: it is written with %v", name, g.Inputs[0].Shape)
		}
	}
}

// Where samples of a batch meet, it cannot be another: a mean over it, a softmax along
// it, a reshape that mixes.
func TestFixedBatchMixed(t *testing.T) {
	for name, f := range map[string]func(n *net, y *graph.Value) *graph.Value{
		"mean": func(n *net, y *graph.Value) *graph.Value {
			return n.Op("Add", y, n.Attr("ReduceMean", attrs("axes", []int{0}), y))
		},
		"softmax": func(n *net, y *graph.Value) *graph.Value { return n.Attr("Softmax", attrs("axis", 0), y) },
		"squeeze": func(n *net, y *graph.Value) *graph.Value { return n.Unsqueeze(n.Squeeze(y, 0), 0) },
	} {
		n := newNet(17, tensor.Float32, graph.N(1), graph.N(1), graph.N(4), graph.N(4))
		g := n.done(t, f(n, n.flat(n.x, 16, 4)))
		_, err := NewView(g, images(4, 1, 4, 4), 7, nil)
		if err == nil || !strings.Contains(err.Error(), "fixed to 1, and cannot be 7") || !strings.Contains(err.Error(), "give Recipe.Batch 1") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What takes several inputs, or none, is refused with what to do.
func TestOtherInputs(t *testing.T) {
	g := conv(t, tensor.Float32, false, 3, free, four, six)
	g.Inputs = append(g.Inputs, &graph.Value{Name: "mask", DType: tensor.Float32, Shape: graph.Shape{free, four}})
	if why := refusal(g, images(4, 3, 4, 6)); !strings.Contains(why, `no field of the test set fits the network's input "mask" [N 4]`) || !strings.Contains(why, "bind=mask=NUMBER") {
		t.Error(why)
	}
	g.Inputs = nil
	if _, err := NewView(g, images(4, 3, 4, 6), 3, nil); !strings.Contains(fmt.Sprint(err), "no input") {
		t.Error(err)
	}
}
