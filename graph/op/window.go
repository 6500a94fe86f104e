package op

import (
	"fmt"

	"pare/graph"
)

// Window is how a convolution or pooling slides over the spatial axes of its
// input: kernel, stride, dilation and padding by axis.
type Window struct {
	Kernel, Stride, Dilation []int
	Begin, End               []int // padding
	Groups                   int
	Ceil                     bool // pooling: round the number of places up
}

// WindowOf reads a node's window for kernel and input sizes over the spatial
// axes; auto_pad is resolved. in may be nil where sizes are not known and
// auto_pad does not need them.
func WindowOf(n *graph.Node, kernel, in []int) (*Window, error) {
	rank := len(kernel)
	list := func(name string, def int) ([]int, error) {
		v := n.Ints(name)
		if v == nil {
			v = make([]int, rank)
			for i := range v {
				v[i] = def
			}
		}
		if len(v) != rank {
			return nil, fmt.Errorf("%s has %d numbers for %d spatial axes", name, len(v), rank)
		}
		for _, x := range v {
			if x < 1 {
				return nil, fmt.Errorf("%s %v is not positive", name, v)
			}
		}
		return v, nil
	}
	for _, k := range kernel {
		if k < 1 {
			return nil, fmt.Errorf("a window of %v has no places", kernel)
		}
	}
	w := &Window{Kernel: kernel, Groups: n.Int("group", 1), Ceil: n.Int("ceil_mode", 0) != 0}
	var err error
	if w.Stride, err = list("strides", 1); err != nil {
		return nil, err
	}
	if w.Dilation, err = list("dilations", 1); err != nil {
		return nil, err
	}
	w.Begin, w.End = make([]int, rank), make([]int, rank)
	switch auto := n.Str("auto_pad", "NOTSET"); auto {
	case "NOTSET", "":
		if p := n.Ints("pads"); p != nil {
			if len(p) != 2*rank {
				return nil, fmt.Errorf("%d pads for %d spatial axes", len(p), rank)
			}
			copy(w.Begin, p[:rank])
			copy(w.End, p[rank:])
		}
	case "VALID":
	case "SAME_UPPER", "SAME_LOWER":
		if in == nil {
			return nil, fmt.Errorf("auto_pad %s needs known spatial sizes", auto)
		}
		for i := range in {
			out := (in[i] + w.Stride[i] - 1) / w.Stride[i]
			total := max(0, (out-1)*w.Stride[i]+w.Dilation[i]*(kernel[i]-1)+1-in[i])
			w.Begin[i], w.End[i] = total/2, total-total/2
			if auto == "SAME_LOWER" {
				w.Begin[i], w.End[i] = w.End[i], w.Begin[i]
			}
		}
	default:
		return nil, fmt.Errorf("unknown auto_pad %q", auto)
	}
	return w, nil
}

// Out is the number of places of the window along axis i of an input of size in.
func (w *Window) Out(i, in int) (int, error) {
	span := w.Dilation[i]*(w.Kernel[i]-1) + 1
	free := in + w.Begin[i] + w.End[i] - span
	if free < 0 {
		return 0, fmt.Errorf("a window of %d does not fit an axis of %d padded by %d and %d", span, in, w.Begin[i], w.End[i])
	}
	out := free/w.Stride[i] + 1
	if w.Ceil && free%w.Stride[i] != 0 && out*w.Stride[i] < in+w.Begin[i] {
		out++ // the last place starts inside the input or its left padding
	}
	return out, nil
}

// outShape gives the spatial shape after the window; sizes that are not known
// become symbols.
func windowShape(n *graph.Node, kernel []int, spatial graph.Shape) (graph.Shape, error) {
	sizes, known := spatial.Ints()
	if !known {
		sizes = nil
	}
	w, err := WindowOf(n, kernel, sizes)
	if err != nil {
		if known {
			return nil, err
		}
		w = &Window{Kernel: kernel}
	}
	out := make(graph.Shape, len(spatial))
	for i, d := range spatial {
		if !d.Known() {
			out[i] = graph.Derived(fmt.Sprintf("%s%v%v%v", n.Op, kernel[i], n.Ints("strides"), n.Ints("pads")), d)
			continue
		}
		o, err := w.Out(i, d.Mul)
		if err != nil {
			return nil, err
		}
		out[i] = graph.N(o)
	}
	return out, nil
}

// visit calls f for every place and every tap of the window that is inside
// the input: out and in are flat spatial positions, tap the flat kernel one.
func (w *Window) visit(in, out []int, f func(o, i, tap int)) {
	rank := len(in)
	oi, ki := make([]int, rank), make([]int, rank)
	outN, kN := prod(out), prod(w.Kernel)
	for o := range outN {
		unflatten(o, out, oi)
	taps:
		for k := range kN {
			unflatten(k, w.Kernel, ki)
			pos := 0
			for d := range rank {
				p := oi[d]*w.Stride[d] - w.Begin[d] + ki[d]*w.Dilation[d]
				if p < 0 || p >= in[d] {
					continue taps
				}
				pos = pos*in[d] + p
			}
			f(o, pos, k)
		}
	}
}

func prod(s []int) int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

func unflatten(i int, shape, idx []int) {
	for d := len(shape) - 1; d >= 0; d-- {
		idx[d] = i % shape[d]
		i /= shape[d]
	}
}
