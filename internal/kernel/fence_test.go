//go:build unix

package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"unsafe"
)

// fences are pieces of memory behind each of which none may be read or written: a kernel that
// goes too far is stopped there.
type fences struct {
	t    *testing.T
	r    *rand.Rand
	all  [][]byte
	next int
}

const fenced = 1 << 20

func newFences(t *testing.T) *fences {
	f := &fences{t: t, r: rand.New(rand.NewPCG(21, 22))}
	t.Cleanup(func() {
		for _, b := range f.all {
			if err := syscall.Munmap(b); err != nil {
				t.Error(err)
			}
		}
	})
	return f
}

// again makes all pieces free.
func (f *fences) again() { f.next = 0 }

// bytes is a piece of n bytes that ends at its fence.
func (f *fences) bytes(n int) []byte {
	if n > fenced {
		f.t.Fatalf("a piece of %d bytes", n)
	}
	page := syscall.Getpagesize()
	if f.next == len(f.all) {
		b, err := syscall.Mmap(-1, 0, fenced+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			f.t.Fatal(err)
		}
		if err := syscall.Mprotect(b[fenced:], syscall.PROT_NONE); err != nil {
			f.t.Fatal(err)
		}
		f.all = append(f.all, b)
	}
	b := f.all[f.next][fenced-n : fenced : fenced]
	f.next++
	return b
}

// floats are n random numbers.
func (f *fences) floats(n int) []float32 {
	if n == 0 {
		return nil
	}
	x := unsafe.Slice((*float32)(unsafe.Pointer(&f.bytes(4 * n)[0])), n)
	for i := range x {
		x[i] = float32(f.r.NormFloat64())
	}
	return x
}

// byTwins runs a computation with the instructions in use and with the plain twins, whose
// results must be near.
func (f *fences) byTwins(what string, tol float64, run func() []float32) {
	f.t.Helper()
	got, level := slices.Clone(run()), Level()
	if err := SetISA(Generic); err != nil {
		f.t.Fatal(err)
	}
	want := run()
	if err := SetISA(level); err != nil {
		f.t.Fatal(err)
	}
	close32(f.t, what, got, wide(want), tol)
}

// Loops over slices of any length stay within them, wherever they begin, and give what their
// plain twins give.
func TestFencedVectors(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		f := newFences(t)
		for n := 1; n < 44; n++ {
			f.again()
			x, y, w, z := f.floats(n), f.floats(n), f.floats(n), f.floats(n)
			run := func(name string, do func(dst []float32)) {
				t.Helper()
				f.byTwins(fmt.Sprint(name, " of ", n), 2e-6, func() []float32 { do(z); return z })
			}
			run("add", func(d []float32) { Add(x, y, d) })
			run("sub", func(d []float32) { Sub(x, y, d) })
			run("mul", func(d []float32) { Mul(x, y, d) })
			run("axpby", func(d []float32) { Axpby(.5, x, -2, y, d) })
			run("relu", func(d []float32) { Relu(x, d) })
			run("relu gradient", func(d []float32) { ReluGrad(x, y, d) })
			for i, u := range []*unary{&uExp, &uSigmoid, &uTanh, &uErf, &uGelu, &uGeluTanh, &uReciprocal, &uAbs, &uScale, &uAffine, &uClip, &uHardSwish} {
				run(fmt.Sprint("function ", i), func(d []float32) { u.run(x, d, .25, .75) })
			}
			for i, u := range []*binary{&bDiv, &bMax, &bGeluGrad, &bClipGrad} {
				run(fmt.Sprint("function of two ", i), func(d []float32) { u.run(x, y, d, -.25, .75) })
			}
			Abs(x, w)
			run("log", func(d []float32) { Log(w, d) })
			run("root", func(d []float32) { Sqrt(w, d) })
			run("sums", func(d []float32) {
				clear(d)
				for i, v := range []float64{Sum(x), Dot(x, y), sqdevVec(x, .5), float64(Max(x))} {
					d[i%n] += float32(v)
				}
			})
			run("softmax", func(d []float32) { Softmax(x, d, n) })
			run("layer", func(d []float32) { layerVec(x, y, w, d, .25, 1.5) })
			run("layer gradient", func(d []float32) { layerGradVec(x, y, w, d, .25, 1.5, .5, -.5) })
			ds, db := f.floats(n), f.floats(n)
			f.byTwins(fmt.Sprint("layer sums of ", n), 2e-5, func() []float32 {
				clear(ds)
				clear(db)
				s, q := layerSumsVec(x, y, w, ds, db, .25, 1.5)
				Add(ds, db, z)
				z[0] += s + q
				return z
			})
			w1, m, v, mask := slices.Clone(w), f.floats(n), f.floats(n), f.floats(n)
			for i := range mask {
				mask[i] = float32(i % 2)
			}
			for _, mk := range [][]float32{nil, mask} {
				run("gradient descent", func(d []float32) {
					copy(d, w1)
					copy(m, y)
					(&SGDStep{LR: .1, Momentum: .9, WeightDecay: .01}).Step(d, x, m, mk)
					Add(d, m, d)
				})
				run("adam", func(d []float32) {
					copy(d, w1)
					copy(m, y)
					copy(v, w1)
					(&AdamStep{LR: .01, Beta1: .9, Beta2: .999, Eps: 1e-8, T: 2}).Step(d, x, m, v, mk)
					Add(d, m, d)
					Add(d, v, d)
				})
			}
		}
	})
}

// Products stay within their matrices, whatever their sizes and the distances of rows.
func TestFencedProducts(t *testing.T) {
	p := NewPool(1)
	defer p.Close()
	eachISA(t, func(t *testing.T) {
		f := newFences(t)
		for i := range 60 {
			f.again()
			m, n, k := 1+f.r.IntN(20), 1+f.r.IntN(40), 1+f.r.IntN(30)
			if i%6 == 0 {
				m, n = 1+f.r.IntN(40), 1
			}
			g := &GemmTask{M: m, N: n, K: k, TransA: i%4 == 1, TransB: i%3 == 1, Lda: k + i%3, Ldb: n + i%2, Ldc: n + i%2}
			rowsA, colsA, rowsB, colsB := m, k, k, n
			if g.TransA {
				g.Lda, rowsA, colsA = m+i%3, k, m
			}
			if g.TransB {
				g.Ldb, rowsB, colsB = k+i%2, n, k
			}
			g.A, g.B = f.floats((rowsA-1)*g.Lda+colsA), f.floats((rowsB-1)*g.Ldb+colsB)
			g.C = f.floats((m-1)*g.Ldc + n)
			start := slices.Clone(g.C)
			g.Ep = Epilogue{Relu: i%5 == 0, Acc: i%5 == 1, Clip: i%5 == 2, Lo: -1, Hi: 1}
			if i%2 == 0 {
				g.Ep.Bias, g.Ep.Res = f.floats(n), f.floats(len(g.C))
			} else {
				g.Ep.RowBias = f.floats(m)
			}
			f.byTwins(fmt.Sprintf("%dx%dx%d %v %v", m, n, k, g.TransA, g.TransB), 1e-4, func() []float32 {
				copy(g.C, start)
				g.Run(p)
				return g.C
			})
			if i%3 == 0 { // packed as the level has it
				f.byTwins("packed", 1e-4, func() []float32 {
					h := *g
					h.TransB, h.Packed = false, PackB(g.TransB, n, k, g.B, g.Ldb)
					copy(g.C, start)
					h.Run(p)
					return g.C
				})
			}
		}
		for i := range 40 {
			f.again()
			c := Conv{N: 1 + i%2, H: 4 + f.r.IntN(5), W: 4 + f.r.IntN(9), CI: 1 + f.r.IntN(9), CO: 1 + f.r.IntN(20), KH: 1 + i%3, KW: 1 + f.r.IntN(3),
				StrideH: 1 + i%2, StrideW: 1 + f.r.IntN(2), DilH: 1, DilW: 1, PadT: f.r.IntN(2), PadL: f.r.IntN(2), PadB: f.r.IntN(2), PadR: f.r.IntN(2), Groups: 1}
			if i%3 == 0 { // depthwise
				c.CI = 1 + f.r.IntN(36)
				c.CO, c.Groups = c.CI, c.CI
			}
			task := &ConvTask{Conv: c, X: f.floats(c.N * c.H * c.W * c.CI), Wt: f.floats(c.KH * c.KW * c.CI / c.Groups * c.CO), Y: f.floats(c.N * c.OutH() * c.OutW() * c.CO)}
			task.Ep = Epilogue{Bias: f.floats(c.CO), Res: f.floats(len(task.Y)), Relu: i%2 == 0}
			f.byTwins(fmt.Sprintf("%+v", c), 1e-4, func() []float32 {
				one := *task
				one.Run(p)
				return task.Y
			})
			back := &ConvInputGradTask{Conv: c, DY: task.Y, Wt: task.Wt, DX: f.floats(len(task.X))}
			f.byTwins(fmt.Sprintf("input gradient %+v", c), 1e-4, func() []float32 { one := *back; one.Run(p); return back.DX })
			grad := &ConvWeightGradTask{Conv: c, X: task.X, DY: task.Y, DW: f.floats(len(task.Wt))}
			f.byTwins(fmt.Sprintf("weight gradient %+v", c), 3e-4, func() []float32 { one := *grad; one.Run(p); return grad.DW })
		}
	})
}

// Normalisation stays within its rows, of any length.
func TestFencedNorms(t *testing.T) {
	p := NewPool(1)
	defer p.Close()
	eachISA(t, func(t *testing.T) {
		f := newFences(t)
		for _, c := range []int{1, 3, 8, 13, 16, 21, 40} {
			for _, clip := range []bool{false, true} {
				f.again()
				const n = 19
				k := &NormTask{Rows: n, C: c, X: f.floats(n * c), Scale: f.floats(c), Bias: f.floats(c), Eps: 1e-5, Clip: clip, Lo: -1, Hi: 1, Y: f.floats(n * c),
					Mean: f.floats(c), Istd: f.floats(c), DY: f.floats(n * c), DX: f.floats(n * c), DScale: f.floats(c), DBias: f.floats(c)}
				if clip {
					k.Res = f.floats(n * c)
				}
				f.byTwins(fmt.Sprint("batch norm of ", c), 1e-4, func() []float32 { one := *k; one.Forward(p); return k.Y })
				f.byTwins(fmt.Sprint("its gradient of ", c), 1e-4, func() []float32 {
					one := *k
					one.Backward(p)
					return append(slices.Clone(k.DX), append(k.DScale, k.DBias...)...)
				})
			}
		}
		for m := 1; m < 20; m++ {
			f.again()
			n := 1 + (7*m)%23
			x, y := f.floats(m*n), f.floats(m*n)
			f.byTwins("transpose", 0, func() []float32 { Transpose(x, y, m, n); return y })
		}
	})
}

// What reads matrices in fewer bytes stays within the vectors, and gives what its twins give.
func TestFencedPacked(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		f := newFences(t)
		for _, cols := range []int{1, 32, 40, 97} {
			w := sparseMatrix(f.r, 19, cols, .5)
			for n := 1; n < 8; n++ {
				f.again()
				width := PackedWidth(cols)
				x, y := f.floats(n*width), f.floats(n*19)
				for _, form := range []PackedForm{Half, Int8, SparseHalf, SparseInt8, SparseFloat} {
					p, err := Pack(w, 19, cols, form)
					if err != nil {
						t.Fatal(err)
					}
					f.byTwins(fmt.Sprint(form, cols, n), 1e-4, func() []float32 { p.Dots(&Worker{}, x, n, width, 0, 19, y, 19); return y })
				}
				for _, sparse := range []bool{false, true} {
					m, err := PackWhole(w, 19, cols, sparse)
					if err != nil {
						t.Fatal(err)
					}
					f.byTwins(fmt.Sprint("whole", sparse, cols, n), 1e-4, func() []float32 {
						var q WholeRows
						q.Room(n, cols)
						q.Set(x[:(n-1)*width+cols], n, width, cols)
						m.Dots(&Worker{}, &q, 0, 19, y, 19)
						return y
					})
				}
			}
		}
		for _, half := range []bool{false, true} {
			for _, dim := range []int{1, 7, 16, 37, 64} {
				c, _, _ := filled(t, f.r, 2, dim, 40, half)
				for n := 1; n < 7; n++ {
					f.again()
					q, y := f.floats(n*dim), f.floats(n*32)
					x, z := f.floats(n*21), f.floats(n*ValueWidth(dim))
					f.byTwins("scores", 1e-4, func() []float32 { c.Scores(&Worker{}, 1, 5, 26, q, dim, n, y, 32); return y })
					f.byTwins("sums", 1e-4, func() []float32 {
						c.Sums(&Worker{}, 1, 5, 26, x, 21, n, z, ValueWidth(dim))
						return z
					})
				}
			}
		}
	})
}

// Sparse products and convolutions read what they may read behind their input, and no more.
func TestFencedSparse(t *testing.T) {
	p := NewPool(1)
	defer p.Close()
	eachISA(t, func(t *testing.T) {
		f := newFences(t)
		for i := range 40 {
			f.again()
			m, n, k := 1+f.r.IntN(40), 4*(1+f.r.IntN(8)), 1+f.r.IntN(50)
			if i%4 == 0 {
				m = 1
			}
			wt := random(f.r, n*k)
			pattern(f.r, wt, n, k)
			x, y := f.floats(m*k + Slack)[:m*k], f.floats(m*n)
			ep := Epilogue{Bias: f.floats(n), Relu: i%2 == 0}
			if i%3 == 0 {
				ep.Res = f.floats(m * n)
			}
			f.byTwins(fmt.Sprintf("%dx%dx%d", m, n, k), 1e-4, func() []float32 {
				task := NewSparseGemm(m, n, k, wt)
				task.X, task.Y, task.Ep = x, y, ep
				task.Run(p)
				return y
			})
			c := Conv{N: 1, H: 3 + f.r.IntN(8), W: 3 + f.r.IntN(19), CI: 1 + f.r.IntN(9), CO: 4 * (1 + f.r.IntN(3)), KH: 1 + f.r.IntN(3), KW: 1 + f.r.IntN(3),
				StrideH: 1, StrideW: 1 + i%2, DilH: 1, DilW: 1, PadT: 1, PadL: 1, PadB: 1, PadR: 1, Groups: 1}
			if i%3 == 1 {
				c.KH, c.KW, c.StrideW, c.PadT, c.PadL, c.PadB, c.PadR = 1, 1, 1, 0, 0, 0, 0
			}
			w := random(f.r, c.CO*c.CI*c.KH*c.KW)
			pattern(f.r, w, c.CO, len(w)/c.CO)
			nx, ny := c.CI*c.H*c.W, c.CO*c.OutH()*c.OutW()
			x, y = f.floats(nx + Slack)[:nx], f.floats(ny)
			ep = Epilogue{Bias: f.floats(c.CO), Res: f.floats(ny), Relu: i%2 == 0}
			f.byTwins(fmt.Sprintf("%+v", c), 1e-4, func() []float32 {
				task := NewSparseConv(c, w)
				task.X, task.Y, task.Ep = x, y, ep
				task.Run(p)
				return y
			})
		}
		for n := 1; n < 300; n += 17 {
			f.again()
			x, y := random(f.r, n), f.floats(n)
			mask := make([]uint64, (n+63)/64)
			for i := range mask {
				if mask[i] = f.r.Uint64(); i%3 == 1 {
					mask[i] = math.MaxUint64
				}
			}
			f.byTwins("keep", 0, func() []float32 { copy(y, x); Keep(mask, y); return y })
		}
	})
}
