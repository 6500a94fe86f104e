package op

import (
	"math"
	"testing"

	"pare/graph"
	"pare/graph/op/cases"
	"pare/tensor"
)

// alone says, by name, what the documentation of operators says that the runtime computes
// on other devices than a CPU.
var alone = map[string]func(in [][]float64) []float64{
	"FusedMatMulActivation#0": func(in [][]float64) []float64 {
		return each(productOf(in[0], in[1], 2, 3, 4), func(_ int, x float64) float64 { return max(2*x, .5*x) })
	},
	"BiasSplitGelu#0": func(in [][]float64) []float64 {
		out := make([]float64, 24)
		for i := range out {
			l, r := in[0][i/4*8+i%4]+in[1][i%4], in[0][i/4*8+4+i%4]+in[1][4+i%4]
			out[i] = l * r / 2 * (1 + math.Erf(r/math.Sqrt2))
		}
		return out
	},
	"BiasAdd#0": func(in [][]float64) []float64 {
		return each(in[0], func(i int, x float64) float64 { return x + in[1][i%4] + in[2][i] })
	},
	"BiasDropout#0": func(in [][]float64) []float64 {
		return each(in[0], func(i int, x float64) float64 { return x + in[1][i%3] + in[2][i] })
	},
	"GemmFastGelu#0": func(in [][]float64) []float64 {
		return each(productOf(in[0], in[1], 2, 3, 4), func(i int, x float64) float64 {
			x += in[2][i%4]
			return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+.044715*x*x*x)))
		})
	},
	"SwiGLU#0": func(in [][]float64) []float64 {
		return each(in[0], func(i int, g float64) float64 {
			g = min(g, 1)
			return g / (1 + math.Exp(-1.7*g)) * (max(-1, min(in[1][i], 1)) + 1)
		})
	},
	"SwiGLU#1": func(in [][]float64) []float64 {
		out := make([]float64, 6)
		for i := range out {
			g := in[0][i/3*6+i%3]
			out[i] = g / (1 + math.Exp(-g)) * in[0][i/3*6+3+i%3]
		}
		return out
	},
	"TorchEmbedding#0": func(in [][]float64) []float64 {
		var out []float64
		for _, r := range in[1] {
			out = append(out, in[0][int(r)*3:int(r)*3+3]...)
		}
		return out
	},
	"QLinearReduceMean#0": func(in [][]float64) []float64 {
		out := make([]float64, 6)
		for i := range out {
			for _, x := range in[0][i*4 : i*4+4] {
				out[i] += (x - in[2][0]) * in[1][0] / 4
			}
			out[i] = max(0, min(255, math.RoundToEven(out[i]/in[3][0])+in[4][0]))
		}
		return out
	},
	"QLinearConv#0": func(in [][]float64) []float64 { // [1 2 4 4] by [3 2 3 3], padded by 1
		out := make([]float64, 48)
		for i := range out {
			o, y := i/16, in[8][i/16]
			for k := range 18 {
				c, r, s := k/9, i/4%4+k/3%3-1, i%4+k%3-1
				if r >= 0 && r < 4 && s >= 0 && s < 4 {
					y += (in[0][c*16+r*4+s] - in[2][0]) * in[3][o*18+k]
				}
			}
			out[i] = max(0, min(255, math.RoundToEven(y*in[1][0]*in[4][o]/in[6][0])+in[7][0]))
		}
		return out
	},
	"NhwcConv#0": func(in [][]float64) []float64 { // [1 4 5 2] by [3 2 3 3], padded by 1
		out := make([]float64, 60)
		for i := range out {
			o := i % 3
			out[i] = in[2][o]
			for k := range 18 {
				c, r, s := k/9, i/15+k/3%3-1, i/3%5+k%3-1
				if r >= 0 && r < 4 && s >= 0 && s < 5 {
					out[i] += in[0][(r*5+s)*2+c] * in[1][o*18+k]
				}
			}
		}
		return out
	},
	"NhwcFusedConv#0": func(in [][]float64) []float64 {
		return each(in[3], func(i int, z float64) float64 {
			o, p := i%3, i/3
			return max(0, z+in[2][o]+in[0][p*2]*in[1][o*2]+in[0][p*2+1]*in[1][o*2+1])
		})
	},
	"GroupNorm#0": func(in [][]float64) []float64 {
		return each(normalisedGroups(in[0], in[1], in[2]), func(_ int, x float64) float64 { return x / (1 + math.Exp(-x)) })
	},
	"SkipGroupNorm#0": func(in [][]float64) []float64 {
		sum := each(in[0], func(i int, x float64) float64 { return x + in[3][i/24*4+i%4] + in[4][i%4] })
		return normalisedGroups(sum, in[1], in[2])
	},
	"MultiHeadAttention#9": func(in [][]float64) []float64 { // [2 3 heads 3 size]
		at := func(part int) func(b, t, h, e int) float64 {
			return func(b, t, h, e int) float64 { return in[0][(((b*3+t)*2+h)*3+part)*4+e] }
		}
		return attendedBy(3, at(0), at(1), at(2))
	},
	"MultiHeadAttention#10": func(in [][]float64) []float64 { // [2 5 heads 2 size]
		at := func(part int) func(b, t, h, e int) float64 {
			return func(b, t, h, e int) float64 { return in[1][(((b*5+t)*2+h)*2+part)*4+e] }
		}
		return attendedBy(5, func(b, t, h, e int) float64 { return in[0][(b*3+t)*8+h*4+e] }, at(0), at(1))
	},
}

func each(x []float64, f func(i int, x float64) float64) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		out[i] = f(i, x[i])
	}
	return out
}

// productOf is that of matrices [m k] and [k n].
func productOf(a, b []float64, m, k, n int) []float64 {
	out := make([]float64, m*n)
	for i := range out {
		for e := range k {
			out[i] += a[i/n*k+e] * b[e*n+i%n]
		}
	}
	return out
}

// normalisedGroups is a group normalisation of [2 3 2 4] in two groups of channels.
func normalisedGroups(x, scale, bias []float64) []float64 {
	return each(x, func(i int, v float64) float64 {
		b, c := i/24, i%4
		mean, sq := 0.0, 0.0
		for p := range 6 {
			for e := c / 2 * 2; e < c/2*2+2; e++ {
				z := x[b*24+p*4+e]
				mean, sq = mean+z/12, sq+z*z/12
			}
		}
		return (v-mean)/math.Sqrt(sq-mean*mean+1e-5)*scale[c] + bias[c]
	})
}

// attendedBy is an attention of two samples, three queries, two heads of 4.
func attendedBy(keys int, q, k, v func(b, t, h, e int) float64) []float64 {
	out := make([]float64, 48)
	for i := range out {
		b, t, h, e := i/24, i/8%3, i/4%2, i%4
		sum := 0.0
		for u := range keys {
			s := 0.0
			for d := range 4 {
				s += q(b, t, h, d) * k(b, u, h, d) / 2
			}
			sum += math.Exp(s)
			out[i] += math.Exp(s) * v(b, u, h, e)
		}
		out[i] /= sum
	}
	return out
}

// checkAlone compares what a network gives with what the documentation says.
func checkAlone(t *testing.T, c cases.Runtime, g *graph.Graph, in map[string]*tensor.Tensor, got *tensor.Tensor) {
	t.Helper()
	f := alone[c.Name()]
	if f == nil {
		t.Fatalf("what %s gives is not known", c.Name())
	}
	plain := make([][]float64, len(c.In))
	own, _ := c.Graph(23)
	for i, v := range own.Nodes[0].Inputs {
		if v == nil {
			continue
		}
		x := v.Const
		if x == nil {
			x = in[v.Name]
		}
		var err error
		if plain[i], err = floats(x); err != nil {
			t.Fatal(err)
		}
	}
	sameNumbers(t, g.Outputs[0].Name, got, f(plain))
}
