package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// spectral defines a window function as a sum of cosines, a0 - a1 cos + a2 cos
// of the double angle (Harris 1978).
func spectral(name string, a0, a1, a2 float64) Def {
	return Def{Name: name, Grad: noGrad,
		Infer: func(c *Infer) error {
			d, err := numberType(c.Node, "output_datatype")
			s := unknownDim(c, 0, 0)
			if k, ok := c.Contents(0); ok && len(k) == 1 {
				s = k[0]
			}
			c.Out(0, d, graph.Shape{s})
			return err
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			d, err := numberType(n, "output_datatype")
			if err != nil {
				return nil, err
			}
			size, err := intsOf(in[0])
			if err != nil || len(size) != 1 {
				return nil, fmt.Errorf("the size is not one integer (%v)", err)
			}
			out, err := alloc(d, size[0])
			if err != nil {
				return nil, err
			}
			period := float64(size[0])
			if n.Int("periodic", 1) == 0 {
				period--
			}
			x := make([]float64, size[0])
			for i := range x {
				t := 2 * math.Pi * float64(i) / period
				x[i] = a0 - a1*math.Cos(t) + a2*math.Cos(2*t)
			}
			return single(out, fill(out, x))
		}}
}

// numberType is a numeric type that an attribute names, float32 by default.
func numberType(n *graph.Node, attr string) (tensor.DType, error) {
	d := tensor.DType(n.Int(attr, int(tensor.Float32)))
	if !d.IsFloat() && !d.IsInt() {
		return 0, fmt.Errorf("%s %d is not a type of numbers", attr, n.Int(attr, 0))
	}
	return d, nil
}

func mel(f float64) float64 { return 2595 * math.Log1p(f/700) / math.Ln10 }

var _ = register(
	spectral("HannWindow", .5, .5, 0),
	spectral("HammingWindow", 25./46, 21./46, 0),
	spectral("BlackmanWindow", .42, .5, .08),

	// MelWeightMatrix(bins, length, rate, low, high) is the matrix [length/2+1,
	// bins] of triangles that are evenly spaced in mel.
	Def{Name: "MelWeightMatrix", Grad: noGrad,
		Infer: func(c *Infer) error {
			d, err := numberType(c.Node, "output_datatype")
			s := graph.Shape{unknownDim(c, 0, 0), unknownDim(c, 0, 1)}
			if k, ok := c.Ints(1); ok && len(k) == 1 {
				s[0] = graph.N(k[0]/2 + 1)
			}
			if k, ok := c.Contents(0); ok && len(k) == 1 {
				s[1] = k[0]
			}
			c.Out(0, d, s)
			return err
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			d, err := numberType(n, "output_datatype")
			if err != nil {
				return nil, err
			}
			var v [5]float64
			for i := range v {
				f, err := floats(in[i])
				if err != nil || len(f) != 1 {
					return nil, fmt.Errorf("input %d is not one number (%v)", i, err)
				}
				v[i] = f[0]
			}
			bins, length, rate := int(v[0]), int(v[1]), v[2]
			if bins < 1 || length < 1 || rate <= 0 || length > 1<<30 {
				return nil, fmt.Errorf("num_mel_bins %d, dft_length %d and sample_rate %g must be positive", bins, length, rate)
			}
			rows := length/2 + 1
			out, err := alloc(d, rows, bins)
			if err != nil {
				return nil, err
			}
			low, high := mel(v[3]), mel(v[4])
			edge := make([]int, bins+2) // of the triangles, in bins of the spectrum
			for i := range edge {
				f := 700 * math.Expm1((low+float64(i)*(high-low)/float64(bins+2))/2595*math.Ln10)
				if edge[i] = int(math.Floor(float64(length+1) * f / rate)); edge[i] < 0 || edge[i] >= rows {
					return nil, fmt.Errorf("the frequencies from %g to %g lie outside a spectrum of %d bins", v[3], v[4], rows)
				}
			}
			w := make([]float64, rows*bins)
			for i := range bins {
				l, c, h := edge[i], edge[i+1], edge[i+2]
				w[c*bins+i] = 1
				for j := l; j < c; j++ {
					w[j*bins+i] = float64(j-l) / float64(c-l)
				}
				for j := c + 1; j < h; j++ {
					w[j*bins+i] = float64(h-j) / float64(h-c)
				}
			}
			return single(out, fill(out, w))
		}},
)
