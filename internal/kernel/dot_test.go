package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// eachDot runs a test with every way to multiply bytes that the CPU has.
func eachDot(t *testing.T, f func(t *testing.T)) {
	level, way := isa, dot
	defer func() {
		if err := SetISA(level); err != nil {
			t.Fatal(err)
		}
		dot = way
	}()
	for _, l := range []ISA{Generic, AVX2, AVX512} {
		if SetISA(l) != nil {
			continue
		}
		for d := DotGeneric; d <= DotAMX; d++ {
			if SetDot(d) == nil {
				t.Run(fmt.Sprintf("%v/%v", l, d), f)
			}
		}
	}
}

// randomBytes has all of the extremes.
func randomBytes(r *rand.Rand, n int) []byte {
	x := make([]byte, n)
	for i := range x {
		if x[i] = byte(r.Uint32()); r.IntN(4) == 0 {
			x[i] = []byte{0, 255, 127, 128}[r.IntN(4)]
		}
	}
	return x
}

func randomInt8(r *rand.Rand, n int, small bool) []int8 {
	x := make([]int8, n)
	for i := range x {
		if x[i] = int8(r.Uint32()); r.IntN(3) == 0 {
			x[i] = []int8{-128, 127, 0}[r.IntN(3)]
		}
		if small {
			x[i] /= 2
		}
	}
	return x
}

// randomRequant has scales so that the results spread over the bytes and beyond.
func randomRequant(r *rand.Rand, n, k int) Requant {
	p := PadColumns(n)
	q := Requant{Bias: make([]int32, p), Scale: make([]float32, p), Add: make([]float32, p), Zero: int32(r.IntN(256))}
	q.Lo, q.Hi = Quantisation{1, uint8(q.Zero)}.Bounds()
	if r.IntN(2) == 0 {
		q.Lo, q.Hi = max(q.Lo, -7), min(q.Hi, 90)
	}
	for j := range n {
		q.Bias[j] = int32(r.IntN(4001) - 2000)
		q.Scale[j] = float32(.2+r.Float64()) * 150 / float32(math.Sqrt(float64(k))*128*74)
	}
	if r.IntN(2) == 0 {
		q.Settle()
	}
	return q
}

// sumsOf is the product by its definition.
func sumsOf(a []byte, lda, m int, w []int8, k, n int) []int32 {
	s := make([]int32, m*n)
	for i := range m {
		for j := range n {
			for x := range k {
				s[i*n+j] += int32(a[i*lda+x]) * int32(w[x*n+j])
			}
		}
	}
	return s
}

func TestByteProducts(t *testing.T) {
	eachDot(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		pool := NewPool(2)
		defer pool.Close()
		for trial := range 40 {
			m, k, n := 1+r.IntN(150), 1+r.IntN(200), 1+r.IntN(70)
			if trial%7 == 1 {
				m, k, n = 1+r.IntN(9), 500+r.IntN(100), 1+r.IntN(600)
			}
			if trial == 0 {
				m, k, n = 300, 64, 130
			}
			lda := k + r.IntN(3)
			a := randomBytes(r, m*lda+ByteSlack)
			w := randomInt8(r, k*n, trial%3 == 0)
			if trial%4 == 1 {
				for i := range w {
					if r.IntN(10) > 0 {
						w[i] = 0
					}
				}
			}
			want := sumsOf(a, lda, m, w, k, n)
			g := &ByteGemm{M: m, Lda: lda, Ldo: n, A: a, W: PackBytes(k, n, w, n, 1), Q: randomRequant(r, n, k)}
			for j := range n {
				s := int32(0)
				for x := range k {
					s += int32(w[x*n+j])
				}
				if g.W.Sums[j] != s {
					t.Fatalf("sum of column %d: %d, want %d", j, g.W.Sums[j], s)
				}
			}
			if trial%3 == 1 {
				g.WZero = int32(r.IntN(256) - 128)
			}
			if trial%3 == 2 {
				g.WZeros = make([]int32, n)
				for j := range n {
					g.WZeros[j] = int32(r.IntN(256) - 128)
				}
			}
			for i := range m {
				rows := int32(0)
				for _, v := range a[i*lda : i*lda+k] {
					rows += int32(v)
				}
				for j := range n {
					z := g.WZero
					if g.WZeros != nil {
						z = g.WZeros[j]
					}
					want[i*n+j] += g.Q.Bias[j] - z*rows
				}
			}
			if trial%2 == 1 {
				sums := g.W.Sums
				if g.W = PackSparseBytes(k, n, w, n, 1); !slices.Equal(sums, g.W.Sums) {
					t.Fatal("sums of sparse columns")
				}
			}
			g.Ints = make([]int32, m*n)
			g.Run(pool)
			if !slices.Equal(g.Ints, want) {
				t.Fatalf("%dx%dx%d: wrong sums", m, k, n)
			}
			g.Floats = make([]float32, m*n)
			g.Run(pool)
			g.Bytes, g.Ldo = make([]byte, m*(n+3)), n+3
			g.Run(pool)
			for i := range m {
				for j := range n {
					x := float32(want[i*n+j]) * g.Q.Scale[j]
					if g.Floats[i*n+j] != x {
						t.Fatalf("number %v, want %v", g.Floats[i*n+j], x)
					}
					b := byte(math.RoundToEven(float64(min(max(x, g.Q.Lo), g.Q.Hi))) + float64(g.Q.Zero))
					if g.Bytes[i*(n+3)+j] != b {
						t.Fatalf("byte %d, want %d of %v", g.Bytes[i*(n+3)+j], b, x)
					}
				}
				for _, v := range g.Bytes[i*(n+3)+n : (i+1)*(n+3)] {
					if v != 0 {
						t.Fatal("wrote behind the columns")
					}
				}
			}
		}
	})
}

func TestWeave(t *testing.T) {
	eachDot(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for range 30 {
			k, n := 1+r.IntN(70), 1+r.IntN(70)
			ld := n + r.IntN(5)
			x := randomBytes(r, k*ld+ByteSlack)
			w := make([]int8, k*n)
			for i := range w {
				w[i] = int8(x[i/n*ld+i%n] ^ 0x80)
			}
			want, got := PackBytes(k, n, w, n, 1), NewByteWeights(k, n)
			got.Weave(x, ld)
			if !slices.Equal(want.Sums, got.Sums) {
				t.Fatal("wrong sums")
			}
			for j := range n {
				for i := range k {
					if at := i/4*64 + i%4; want.column(j)[at] != got.column(j)[at] {
						t.Fatalf("%d %d: wrong byte", i, j)
					}
				}
			}
			got.Weave(x, ld)
			if !slices.Equal(want.Sums, got.Sums) {
				t.Fatal("wrong sums the second time")
			}
		}
	})
}

// convOf is a convolution by its definition, w [CO, KH, KW, CI/Groups].
func convOf(c *Conv, x []byte, zero byte, w []int8) []int32 {
	var out []int32
	ci, co := c.CI/c.Groups, c.CO/c.Groups
	for n := range c.N {
		for oy := range c.OutH() {
			for ox := range c.OutW() {
				for o := range c.CO {
					s := int32(0)
					for ky := range c.KH {
						for kx := range c.KW {
							y, at := oy*c.StrideH-c.PadT+ky*c.DilH, ox*c.StrideW-c.PadL+kx*c.DilW
							for i := range ci {
								v := zero
								if y >= 0 && y < c.H && at >= 0 && at < c.W {
									v = x[((n*c.H+y)*c.W+at)*c.CI+o/co*ci+i]
								}
								s += int32(v) * int32(w[((o*c.KH+ky)*c.KW+kx)*ci+i])
							}
						}
					}
					out = append(out, s)
				}
			}
		}
	}
	return out
}

func randomConv(r *rand.Rand, groups, ci, co int) Conv {
	c := Conv{N: 1 + r.IntN(2), H: 3 + r.IntN(9), W: 3 + r.IntN(9), CI: ci * groups, CO: co * groups, KH: 1 + r.IntN(3), KW: 1 + r.IntN(3), StrideH: 1 + r.IntN(2), StrideW: 1 + r.IntN(2),
		DilH: 1, DilW: 1, PadT: r.IntN(2), PadL: r.IntN(2), PadB: r.IntN(2), PadR: r.IntN(2), Groups: groups}
	if r.IntN(4) == 0 && c.H > 5 && c.W > 5 {
		c.DilH, c.DilW = 2, 2
	}
	if r.IntN(4) == 0 {
		c.KH, c.KW, c.StrideH, c.StrideW, c.PadT, c.PadL, c.PadB, c.PadR = 1, 1, 1, 1, 0, 0, 0, 0
	}
	return c
}

func TestByteConvolutions(t *testing.T) {
	eachDot(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 2))
		pool := NewPool(2)
		defer pool.Close()
		for trial := range 40 {
			groups := 1
			if trial%4 == 3 {
				groups = 1 + r.IntN(3)
			}
			g := randomConv(r, groups, 1+r.IntN(40), 1+r.IntN(40))
			c := &ByteConv{Conv: g, Zero: byte(r.Uint32())}
			ci, co, taps := g.CI/groups, g.CO/groups, g.KH*g.KW
			x := randomBytes(r, g.N*g.H*g.W*g.CI+ByteSlack)
			w := randomInt8(r, g.CO*ci*taps, false)
			for k := range groups {
				c.Weights = append(c.Weights, PackBytes(taps*ci, co, w[k*co*taps*ci:], 1, taps*ci))
				c.Q = append(c.Q, randomRequant(r, co, taps*ci))
			}
			c.X = x
			sums := convOf(&g, x, c.Zero, w)
			c.Y = make([]byte, len(sums))
			c.Run(pool)
			for i, s := range sums {
				q, j := &c.Q[i%g.CO/co], i%co
				if want := q.round(q.value(s, j)); c.Y[i] != want {
					t.Fatalf("%+v: %d at %d, want %d", g, c.Y[i], i, want)
				}
			}
		}
	})
}

func TestByteDepthwise(t *testing.T) {
	eachDot(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 2))
		pool := NewPool(2)
		defer pool.Close()
		for range 40 {
			g := randomConv(r, 1+r.IntN(140), 1, 1)
			taps := g.KH * g.KW
			x := randomBytes(r, g.N*g.H*g.W*g.CI+ByteSlack)
			w := randomInt8(r, g.CO*taps, false)
			q := randomRequant(r, g.CO, taps)
			c := &ByteDepthwise{Conv: g, X: x, Zero: byte(r.Uint32()), DepthwiseBytes: PackDepthwise(g.CO, taps, w, q)}
			sums := convOf(&g, x, c.Zero, w)
			c.Y = make([]byte, len(sums))
			c.Run(pool)
			for i, s := range sums {
				if want := q.round(q.value(s, i%g.CO)); c.Y[i] != want {
					t.Fatalf("%+v: %d at %d, want %d", g, c.Y[i], i, want)
				}
			}
		}
	})
}

func TestPassesOverBytes(t *testing.T) {
	eachDot(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 2))
		for range 60 {
			n := 1 + r.IntN(200)
			x, y := randomBytes(r, n), randomBytes(r, n)
			qx := Quantisation{.01 + r.Float32(), byte(r.Uint32())}
			qy := Quantisation{.01 + r.Float32(), byte(r.Uint32())}
			qz := Quantisation{.01 + r.Float32(), byte(r.Uint32())}
			f, z, guard := make([]float32, n), make([]byte, n+64), byte(77)
			fillBytes(z, guard)
			DequantiseBytes(x, qx, f)
			for i := range f {
				if want := (float32(x[i]) - float32(qx.Zero)) * qx.Scale; f[i] != want {
					t.Fatalf("%v, want %v", f[i], want)
				}
			}
			check := func(what string, want func(i int) float64) {
				t.Helper()
				for i, v := range z[:n] {
					w := max(0, min(255, math.RoundToEven(want(i)/float64(qz.Scale))+float64(qz.Zero)))
					if math.Abs(w-float64(v)) > 1 {
						t.Fatalf("%s: %d, want %v", what, v, w)
					}
				}
				for _, v := range z[n:] {
					if v != guard {
						t.Fatalf("%s wrote behind the end", what)
					}
				}
			}
			QuantiseBytes(f, qz, z[:n])
			for i, v := range f {
				w := max(0, min(255, math.RoundToEven(float64(v/qz.Scale))+float64(qz.Zero)))
				if float64(z[i]) != w {
					t.Fatalf("quantised %d, want %v", z[i], w)
				}
			}
			at := func(x []byte, q Quantisation, i int) float64 {
				return (float64(x[i]) - float64(q.Zero)) * float64(q.Scale)
			}
			lo, hi := qz.Bounds()
			AddBytes(x, qx, y, qy, z[:n], qz, lo, hi)
			check("add", func(i int) float64 { return at(x, qx, i) + at(y, qy, i) })
			MulBytes(x, qx, y, qy, z[:n], qz, lo, hi)
			check("multiply", func(i int) float64 { return at(x, qx, i) * at(y, qy, i) })
			var table [256]byte
			copy(table[:], randomBytes(r, 256))
			MapBytes(x, &table, z[:n])
			for i, v := range x {
				if z[i] != table[v] {
					t.Fatal("wrong entry of the table")
				}
			}
			maxBytes(x, y, z[:n])
			s := int32(0)
			for i, v := range x {
				s += int32(v)
				if z[i] != max(v, y[i]) {
					t.Fatal("wrong maximum")
				}
			}
			if sumBytes(x) != s {
				t.Fatal("wrong sum")
			}
		}
	})
}

func BenchmarkByteProduct(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range [][3]int{{128, 768, 768}, {128, 768, 3072}, {128, 3072, 768}, {3136, 64, 256}} {
		m, k, n := s[0], s[1], s[2]
		for d := DotAVX2; d <= DotAMX; d++ {
			if SetDot(d) != nil {
				continue
			}
			b.Run(fmt.Sprintf("%dx%dx%d/%v", m, k, n, d), func(b *testing.B) {
				pool := NewPool(1)
				defer pool.Close()
				g := &ByteGemm{M: m, Lda: k, Ldo: n, A: randomBytes(r, m*k+ByteSlack), W: PackBytes(k, n, randomInt8(r, k*n, true), n, 1), Q: randomRequant(r, n, k), Bytes: make([]byte, m*n)}
				for b.Loop() {
					g.Run(pool)
				}
				b.ReportMetric(float64(b.N)*float64(m*k*n)/b.Elapsed().Seconds()/1e9, "GMAC/s")
			})
		}
		dot = bestDot()
	}
}

func BenchmarkSparseBytes(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	pool := NewPool(1)
	defer pool.Close()
	defer func() { dot = bestDot() }()
	for _, s := range [][3]int{{128, 768, 768}, {128, 768, 3072}, {128, 3072, 768}, {784, 512, 128}} {
		m, k, n := s[0], s[1], s[2]
		for _, zeros := range []float64{0, .8, .9, .95, .98} {
			w := randomInt8(r, k*n, true)
			for i := range w {
				if r.Float64() < zeros {
					w[i] = 0
				}
			}
			for _, d := range []DotISA{DotVNNI, DotAMX} {
				if SetDot(d) != nil || zeros > 0 && d == DotAMX {
					continue
				}
				name := "sparse"
				q := PackSparseBytes(k, n, w, n, 1)
				if zeros == 0 {
					name, q = d.String(), PackBytes(k, n, w, n, 1)
				}
				g := &ByteGemm{M: m, Lda: k, Ldo: n, A: randomBytes(r, m*k+ByteSlack), W: q, Q: randomRequant(r, n, k), Bytes: make([]byte, m*n)}
				g.Q.Settle()
				b.Run(fmt.Sprintf("%dx%dx%d/%v/%s", m, k, n, zeros, name), func(b *testing.B) {
					for b.Loop() {
						g.Run(pool)
					}
					b.ReportMetric(float64(b.N)*float64(m*k*n)/b.Elapsed().Seconds()/1e9, "GMAC/s")
				})
			}
		}
	}
}
