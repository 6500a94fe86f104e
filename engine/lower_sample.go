package engine

import (
	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/tensor"
)

// gridSample reads images [N, H, W, C] at the places that a grid [N, OH, OW, 2] names. Other
// ranks have one more axis, or one less.
type gridSample struct {
	*op.GridSampler
	x, grid, y   []float32
	in           []int // spatial
	c, inN, outN int
	n            int
}

// placesAtOnce is how many places of the output are one piece of work.
const placesAtOnce = 64

func (t *gridSample) run(p *kernel.Pool) {
	p.Run((t.n*t.outN+placesAtOnce-1)/placesAtOnce, t)
}

// Do makes some places of the output.
func (t *gridSample) Do(w *kernel.Worker, i int) {
	var room [3][4]op.GridTap
	var taps [3][]op.GridTap
	rank := len(t.in)
	for o := i * placesAtOnce; o < min(t.n*t.outN, (i+1)*placesAtOnce); o++ {
		for k := range rank {
			taps[k] = t.Taps(float64(t.grid[o*rank+rank-1-k]), t.in[k], room[k][:0])
		}
		for k := rank; k < 3; k++ {
			taps[k] = append(room[k][:0], op.GridTap{W: 1})
		}
		x, y := t.x[o/t.outN*t.inN*t.c:], t.y[o*t.c:(o+1)*t.c]
		s := sum{y: y}
		for _, a := range taps[0] {
			for _, b := range taps[1] {
				for _, c := range taps[2] {
					at := a.At
					if rank > 1 {
						at = at*t.in[1] + b.At
					}
					if rank > 2 {
						at = at*t.in[2] + c.At
					}
					if a.At >= 0 && b.At >= 0 && c.At >= 0 {
						s.add(float32(a.W*b.W*c.W), x[at*t.c:(at+1)*t.c])
					}
				}
			}
		}
		s.end()
	}
}

// sum adds up rows with weights, two at a time.
type sum struct {
	y    []float32
	n    int
	w    float32
	wait []float32
}

func (s *sum) add(w float32, x []float32) {
	switch {
	case w == 0:
	case s.wait == nil:
		s.w, s.wait = w, x
	case s.n == 0:
		kernel.Axpby(s.w, s.wait, w, x, s.y)
		s.n, s.wait = 2, nil
	default:
		kernel.Axpby(s.w, s.wait, 1, s.y, s.y)
		kernel.Axpby(w, x, 1, s.y, s.y)
		s.n, s.wait = s.n+2, nil
	}
}

// end adds what is left.
func (s *sum) end() {
	switch {
	case s.wait != nil && s.n == 0:
		kernel.Scale(s.w, s.wait, s.y)
	case s.wait != nil:
		kernel.Axpby(s.w, s.wait, 1, s.y, s.y)
	case s.n == 0:
		clear(s.y)
	}
}

func lowerGridSample(l *lowering, n *graph.Node) (done bool, why string) {
	x, grid, y := n.In(0), n.In(1), n.Out(0)
	s := dims(x)
	if len(s) < 3 || len(s) > 5 || x.DType != tensor.Float32 || grid.DType != tensor.Float32 || sizeOf(y) == 0 || sizeOf(x) == 0 {
		return no("%v %v is not of one to three spatial axes of float32, or empty", x.DType, x.Shape)
	}
	g, err := op.GridSamplerOf(n)
	if err != nil {
		return no("%v", err)
	}
	t := &gridSample{GridSampler: g, in: s[2:], n: s[0], c: s[1], inN: pixels(s), outN: pixels(dims(y))}
	xb, gb, yb := l.get(x, nhwc, n), l.get(grid, plain, n), l.make(y, nhwc)
	l.emit(n, "samples of a grid", []*buffer{xb, gb}, []*buffer{yb}, func() { t.x, t.grid, t.y = xb.data, gb.data, yb.data }, t.run)
	return true, ""
}

// deformed brings together what the taps of a deformable convolution read: for every
// place of the output, [groups, taps, channels a group].
type deformed struct {
	kernel.Conv
	x, offset, mask, y []float32 // mask may be empty
	shared             int       // groups of offsets
}

func (t *deformed) run(p *kernel.Pool) { p.Run(t.N*t.OutH(), t) }

// Do makes one row of places.
func (t *deformed) Do(w *kernel.Worker, i int) {
	n, oy, ow, places := i/t.OutH(), i%t.OutH(), t.OutW(), t.OutH()*t.OutW()
	taps, per, each := t.KH*t.KW, t.CI/t.shared, t.CI/t.Groups
	var ry, rx [4]op.GridTap
	img := t.x[n*t.H*t.W*t.CI:]
	for ox := range ow {
		y := t.y[(i*ow+ox)*taps*t.CI:]
		o := oy*ow + ox
		for k := range taps {
			for g := range t.shared {
				at := (n*t.shared+g)*taps + k
				py := float64(oy*t.StrideH-t.PadT+k/t.KW*t.DilH) + float64(t.offset[2*at*places+o])
				px := float64(ox*t.StrideW-t.PadL+k%t.KW*t.DilW) + float64(t.offset[(2*at+1)*places+o])
				m := 1.
				if len(t.mask) > 0 {
					m = float64(t.mask[at*places+o])
				}
				ty, tx := op.DeformTaps(py, t.H, ry[:0]), op.DeformTaps(px, t.W, rx[:0])
				for c := g * per; c < (g+1)*per; { // channels that both a group of offsets and one of weights have
					end := min((g+1)*per, (c/each+1)*each)
					s := sum{y: y[(c/each*taps+k)*each+c%each:][:end-c]}
					for _, a := range ty {
						for _, b := range tx {
							if a.At >= 0 && b.At >= 0 {
								p := (a.At*t.W + b.At) * t.CI
								s.add(float32(a.W*b.W*m), img[p+c:p+end])
							}
						}
					}
					s.end()
					c = end
				}
			}
		}
	}
}

// lowerDeformConv plans a deformable convolution as one of single pixels over all that
// its taps read.
func lowerDeformConv(l *lowering, n *graph.Node) (done bool, why string) {
	x, w, y := n.In(0), n.In(1), n.Out(0)
	g, d, ok := geometry(n, dims(x), dims(w))
	if !ok || d != nil || len(dims(x)) != 4 || sizeOf(x) == 0 || sizeOf(y) == 0 {
		return noConvolution(x, w)
	}
	t := &deformed{Conv: g, shared: n.Int("offset_group", 1)}
	taps := g.KH * g.KW
	xb, ob := l.get(x, nhwc, n), l.get(n.In(2), plain, n)
	reads := []*buffer{xb, ob}
	var mb *buffer
	if m := n.In(4); m != nil {
		mb = l.get(m, plain, n)
		reads = append(reads, mb)
	}
	rows := l.new(g.N * g.OutH() * g.OutW() * taps * g.CI)
	l.emit(n, "deformed taps", reads, []*buffer{rows}, func() { t.x, t.offset, t.mask, t.y = xb.data, ob.data, mb.floats(), rows.data }, t.run)
	if done, why = l.sparseDeformed(n, t, rows); done {
		return true, ""
	}
	c := kernel.Conv{N: g.N, H: g.OutH(), W: g.OutW(), CI: taps * g.CI, CO: g.CO, KH: 1, KW: 1, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, Groups: g.Groups}
	task := &kernel.ConvTask{Conv: c}
	reads = []*buffer{rows}
	var wb *buffer
	if l.once(w) && c.Groups == 1 {
		task.Packed = formOf(l.forms, w, "panels of taps", func() *kernel.PackedConv {
			hwio := make([]float32, sizeOf(w))
			kernel.HWIO(w.Const.F32(), hwio, g.CO, g.CI, taps)
			return kernel.PackConv(&c, hwio)
		})
	} else {
		wb = l.hwio(w, n)
		reads = append(reads, wb)
	}
	e := l.epilogue(n, n.In(3), y, nhwc, &task.Ep)
	yb := l.make(e.last, nhwc)
	l.emit(n, "product (deformed taps)"+e.name(), e.reads(reads...), []*buffer{yb}, func() {
		task.X, task.Wt, task.Y = rows.data, wb.floats(), yb.data
		e.bind()
	}, task.Run).why = why
	return true, ""
}

// sparseDeformed plans the product with a sparse weight.
func (l *lowering) sparseDeformed(n *graph.Node, t *deformed, rows *buffer) (done bool, why string) {
	w := n.In(1)
	zeros, ok := l.zerosOf(w)
	if !ok || t.Groups != 1 {
		return false, ""
	}
	taps := t.KH * t.KW
	form := "sparse product of taps"
	earlier, _ := known[[]*kernel.SparseGemmTask](l.forms, w, form)
	turned := make([]float32, sizeOf(w)) // [CO, taps, CI]
	for o := range t.CO {
		kernel.Transpose(w.Const.F32()[o*t.CI*taps:(o+1)*t.CI*taps], turned[o*t.CI*taps:(o+1)*t.CI*taps], t.CI, taps)
	}
	s := kernel.NewSparseGemm(t.N*t.OutH()*t.OutW(), t.CO, taps*t.CI, turned, earlier...)
	if ok, why = sparser(kernel.DenseCost(t.N*t.OutH()*t.OutW(), t.CO, taps*t.CI), s.Cost(), zeros); !ok {
		return false, why
	}
	l.forms.keep(w, form, append(earlier, s))
	e := l.epilogue(n, n.In(3), n.Out(0), nhwc, &s.Ep)
	yb := l.make(e.last, nhwc)
	l.emit(n, sparseName("product", s.Blocks())+e.name(), e.reads(rows), []*buffer{yb}, func() {
		s.X, s.Y = rows.data, yb.data
		e.bind()
	}, s.Run).why = why
	return true, ""
}
