package calibrated

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/modeltest"
	"pare/internal/oracle"
	"pare/model"
	"pare/prune/allocate"
	"pare/tensor"
)

// part is the rows of outputs of a group of a layer, and what goes into them.
type part struct {
	w [][]float64 // [outs][cols], changed in place
	x [][]float64 // [rows][cols]
}

// upTo is how many of the first n weights of a layer go.
func upTo(n int, sparsity float64) int { return int(math.Floor(float64(n)*sparsity + .5)) }

// wanda keeps of every row the weights of the largest |w| times the norm of their input;
// by groups of four at most two. The counts of the rows add up to those of the layer.
func wanda(t *testing.T, ps []part, sparsity float64, pattern bool) (kept []bool) {
	t.Helper()
	before := 0
	for _, p := range ps {
		for _, w := range p.w {
			score := make([]float64, len(w))
			for k := range w {
				sum := 0.0
				for _, x := range p.x {
					sum += x[k] * x[k]
				}
				score[k] = math.Abs(w[k]) * math.Sqrt(sum)
			}
			var keep []bool
			if pattern {
				for at := 0; at < len(w); at += 4 {
					group := score[at:min(at+4, len(w))]
					keep = append(keep, oracle.Best(t, group, (len(group)+1)/2, oracle.KeepFirst)...)
				}
			} else {
				cut := upTo(before+len(w), sparsity) - upTo(before, sparsity)
				keep = oracle.Best(t, score, len(w)-cut, oracle.CutFirst)
				before += len(w)
			}
			for k := range w {
				if !keep[k] {
					w[k] = 0
				}
			}
			kept = append(kept, keep...)
		}
	}
	return kept
}

// sparseGPT goes through the columns: of what is cut in column i, row by row, the best
// of the columns behind it make up for the error, e = w_i / G_00 and w_k -= e G_0k, with G
// the inverse of the second moments of columns i to the last. What goes of a block of
// columns is chosen when the block begins, by w²/G_00.
func sparseGPT(t *testing.T, ps []part, s *SparseGPT) (kept []bool) {
	t.Helper()
	before := 0
	for _, p := range ps {
		rows, cols := len(p.w), len(p.w[0])
		h := make([][]float64, cols)
		for a := range h {
			h[a] = make([]float64, cols)
			for b := range h {
				for _, x := range p.x {
					h[a][b] += x[a] * x[b]
				}
			}
		}
		mean := 0.0
		for a := range h {
			if h[a][a] == 0 { // an input that is always zero
				h[a][a] = 1
				for _, w := range p.w {
					w[a] = 0
				}
			}
			mean += h[a][a] / float64(cols)
		}
		inverse := make([][][]float64, cols)
		for i := range h {
			h[i][i] += s.Damp * mean
		}
		for i := range h {
			var rest [][]float64
			for _, row := range h[i:] {
				rest = append(rest, slices.Clone(row[i:]))
			}
			inverse[i] = inverted(rest)
		}
		size := s.BlockSize
		if s.Pattern.M > 0 {
			size = s.Pattern.M
		}
		keep := make([][]bool, rows)
		for r := range keep {
			keep[r] = make([]bool, cols)
		}
		for i := range cols {
			if i%size == 0 {
				hi := min(i+size, cols)
				var score []float64
				for _, w := range p.w {
					for k := i; k < hi; k++ {
						score = append(score, w[k]*w[k]/inverse[k][0][0])
					}
				}
				var stay []bool
				if s.Pattern.M > 0 {
					for g := 0; g < len(score); g += hi - i {
						stay = append(stay, oracle.Best(t, score[g:g+hi-i], (hi-i+1)/2, oracle.KeepFirst)...)
					}
				} else {
					at := before + rows*i
					cut := upTo(at+len(score), s.Sparsity) - upTo(at, s.Sparsity)
					stay = oracle.Best(t, score, len(score)-cut, oracle.CutFirst)
				}
				for r := range rows {
					copy(keep[r][i:hi], stay[r*(hi-i):])
				}
			}
			for r, w := range p.w {
				if keep[r][i] {
					continue
				}
				e := w[i] / inverse[i][0][0]
				for k := i; k < cols; k++ {
					w[k] -= e * inverse[i][0][k-i]
				}
				w[i] = 0
			}
		}
		before += rows * cols
		kept = append(kept, slices.Concat(keep...)...)
	}
	return kept
}

// inverted is the inverse of a matrix that is positive, by Gauss and Jordan.
func inverted(a [][]float64) [][]float64 {
	n := len(a)
	out := make([][]float64, n)
	for i := range out {
		out[i] = make([]float64, n)
		out[i][i] = 1
	}
	for i := range n {
		d := a[i][i]
		for k := range n {
			a[i][k] /= d
			out[i][k] /= d
		}
		for r := range n {
			if f := a[r][i]; r != i {
				for k := range n {
					a[r][k] -= f * a[i][k]
					out[r][k] -= f * out[i][k]
				}
			}
		}
	}
	return out
}

// Wanda and SparseGPT cut layer after layer, what goes into one coming from the layers
// before as they are cut, and SparseGPT's are solved: the masks and weights of a chain are
// those of the plain computation on the same samples, and so is every step of the
// fine-tuning.
func TestCalibratedOracle(t *testing.T) {
	two, err := allocate.ParsePattern("2:4")
	if err != nil {
		t.Fatal(err)
	}
	gpt := func(f func(s *SparseGPT)) *SparseGPT {
		s := NewSparseGPT()
		s.Sparsity, s.Samples.Samples = .6, 100
		f(s)
		return s
	}
	wnd := func(f func(s *Wanda)) *Wanda {
		s := NewWanda()
		s.Sparsity, s.Samples.Samples = .6, 100
		f(s)
		return s
	}
	ria := func(f func(s *RIA)) *RIA {
		s := NewRIA()
		s.Sparsity, s.Samples.Samples = .6, 100
		f(s)
		return s
	}
	dsnot := func(f func(s *DSnoT)) *DSnoT {
		s := NewDSnoT()
		s.Sparsity, s.Samples.Samples, s.Threshold = .6, 100, .02
		f(s)
		return s
	}
	for name, m := range map[string]model.Method{
		"ria": ria(func(*RIA) {}), "ria, rows": ria(func(s *RIA) { s.Rank, s.Sparsity = "row", .37 }), "ria 2:4": ria(func(s *RIA) { s.Pattern = two }), "ria, power": ria(func(s *RIA) { s.Power = 2 }),
		"dsnot": dsnot(func(*DSnoT) {}), "dsnot 2:4": dsnot(func(s *DSnoT) { s.Pattern = two }), "dsnot, same sign": dsnot(func(s *DSnoT) { s.SameSign, s.Initial = true, "magnitude" }),
		"dsnot, one cycle": dsnot(func(s *DSnoT) { s.Cycles, s.Power = 1, 0 }), "dsnot, odd": dsnot(func(s *DSnoT) { s.Sparsity, s.Initial, s.Power = .37, "sparsegpt", .5 }),
		"wanda": wnd(func(*Wanda) {}), "wanda 2:4": wnd(func(s *Wanda) { s.Pattern = two }), "wanda, odd": wnd(func(s *Wanda) { s.Sparsity = .37 }),
		"sparsegpt": gpt(func(*SparseGPT) {}), "sparsegpt, blocks": gpt(func(s *SparseGPT) { s.BlockSize = 4 }), "sparsegpt 2:4": gpt(func(s *SparseGPT) { s.Pattern = two }),
		"sparsegpt, damped": gpt(func(s *SparseGPT) { s.Damp, s.Sparsity = .5, .37 }),
	} {
		for _, epochs := range []int{0, 1} {
			t.Run(name, func(t *testing.T) {
				j := oracle.Job(t, "mlp:10-12-6-4", 200, 20, epochs, 9)
				j.Graph.Value("fc1.bias").Const.F32()[3] = -1e3 // an output that is always zero
				r := oracle.NewTraining(t, j)
				x := oracle.NewStream(t, j.Data.Train, j.Data.Norm, 100, true, j.Seed).Batch(0, 0).X
				for l, layer := range r.Net.Layers {
					in, _ := r.Net.Forward(x)
					p := part{x: in[l]}
					for o := range layer.Out {
						p.w = append(p.w, layer.W.X[o*layer.In:(o+1)*layer.In])
					}
					switch s := m.(type) {
					case *Wanda:
						layer.W.Mask = wanda(t, []part{p}, s.Sparsity, s.Pattern == two)
					case *SparseGPT:
						layer.W.Mask = sparseGPT(t, []part{p}, s)
					case *RIA:
						layer.W.Mask = relative(t, []part{p}, s, s.Pattern == two)
					case *DSnoT:
						layer.W.Mask = exchanged(t, []part{p}, s, s.Pattern == two, 100)
					}
				}
				r.Run().Follow(t, m, j)
			})
		}
	}
}

// A convolution is the matrix of its filters over the windows that it slides over, group
// by group: here with strides, padding and dilation.
func TestCalibratedConvolutionOracle(t *testing.T) {
	const groups, in, out, high, wide, samples = 2, 3, 4, 7, 6, 5 // channels of a group; kernel 3x2
	r := rand.New(rand.NewPCG(5, 5))
	draw := func(shape ...int) *tensor.Tensor {
		x := tensor.New(tensor.Float32, shape...)
		for i := range x.F32() {
			x.F32()[i] = float32(r.NormFloat64())
		}
		return x
	}
	images, start := draw(samples, groups*in, high, wide), draw(groups*out, in, 3, 2)
	var parts []part
	for g := range groups {
		var p part
		for o := range out {
			p.w = append(p.w, oracle.Wide(start.F32()[(g*out+o)*in*6:(g*out+o+1)*in*6]))
		}
		for s := range samples { // strides 2 and 1, pads 1 0 2 1, dilation 1 and 2
			for y := range (high+1+2-3)/2 + 1 {
				for x := range wide + 0 + 1 - 3 + 1 {
					var row []float64
					for c := range in {
						for ky := range 3 {
							for kx := range 2 {
								v, at, to := 0.0, 2*y-1+ky, x+2*kx
								if at >= 0 && at < high && to >= 0 && to < wide {
									v = float64(images.F32()[((s*groups*in+g*in+c)*high+at)*wide+to])
								}
								row = append(row, v)
							}
						}
					}
					p.x = append(p.x, row)
				}
			}
		}
		parts = append(parts, p)
	}
	gpt := NewSparseGPT()
	wnd := NewWanda()
	gpt.BlockSize, gpt.Sparsity, wnd.Sparsity = 5, .37, .37 // whose counts are no whole numbers
	ria, rows, dsnot := NewRIA(), NewRIA(), NewDSnoT()
	ria.Sparsity, rows.Sparsity, dsnot.Sparsity, rows.Rank = .37, .37, .37, "row"
	for _, m := range []model.Method{wnd, gpt, ria, rows, dsnot} {
		var want []part
		for _, p := range parts {
			c := part{x: p.x}
			for _, w := range p.w {
				c.w = append(c.w, slices.Clone(w))
			}
			want = append(want, c)
		}
		var kept []bool
		switch s := m.(type) {
		case *SparseGPT:
			kept = sparseGPT(t, want, s)
		case *Wanda:
			kept = wanda(t, want, .37, false)
		case *RIA:
			kept = relative(t, want, s, false)
		case *DSnoT:
			kept = exchanged(t, want, s, false, samples)
		}
		g := graph.New("g", 17)
		x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(samples, groups*in, high, wide)}
		g.Inputs = []*graph.Value{x}
		b := op.NewBuilder(g, "g")
		w := g.Const("w", start.Clone(), graph.Param)
		g.Outputs = []*graph.Value{b.Attr("Conv", []graph.Attr{graph.MakeAttr("strides", []int{2, 1}), graph.MakeAttr("pads", []int{1, 0, 2, 1}),
			graph.MakeAttr("dilations", []int{1, 2}), graph.MakeAttr("group", groups)}, x, w)}
		if err := b.Err(); err != nil {
			t.Fatal(err)
		}
		j := &model.Job{Graph: g, Samples: func(yield func(map[string]*tensor.Tensor) error) error {
			return yield(map[string]*tensor.Tensor{"x": images})
		}}
		modeltest.Run(t, m, j)
		i := 0
		for _, p := range want {
			for _, row := range p.w {
				for _, v := range row {
					if got := float64(w.Const.F32()[i]); math.Abs(got-v) > 1e-5 || kept[i] != (got != 0) {
						t.Fatalf("%s: entry %d is %v, want %v (stays: %v)", m.Card().Name, i, got, v, kept[i])
					}
					i++
				}
			}
		}
	}
}
