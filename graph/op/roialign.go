package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// RoiAlign pools regions of feature maps by bilinear samples (He et al. 2017).

// roiCase is the geometry of a RoiAlign.
type roiCase struct {
	n, c, h, w   int // feature maps
	rois, oh, ow int
	max          bool
	half         bool
	ratio        int
	scale        float64
}

// maxSamples bounds the samples along one axis of one place.
const maxSamples = 1 << 12

func roiOf(n *graph.Node, opset int, x, rois, batch []int) (*roiCase, error) {
	if len(x) != 4 || len(rois) != 2 || rois[1] != 4 || len(batch) != 1 || batch[0] != rois[0] {
		return nil, fmt.Errorf("input %v, regions %v and batch indices %v do not go together", x, rois, batch)
	}
	c := &roiCase{n: x[0], c: x[1], h: x[2], w: x[3], rois: rois[0], oh: n.Int("output_height", 1), ow: n.Int("output_width", 1),
		max: n.Str("mode", "avg") == "max", ratio: n.Int("sampling_ratio", 0), scale: float64(n.Float("spatial_scale", 1))}
	c.half = opset >= 16 && n.Str("coordinate_transformation_mode", "half_pixel") == "half_pixel"
	if c.oh < 1 || c.ow < 1 || c.ratio < 0 || c.ratio > maxSamples {
		return nil, fmt.Errorf("output_height %d and output_width %d must be positive, and sampling_ratio %d between 0 and %d", c.oh, c.ow, c.ratio, maxSamples)
	}
	return c, nil
}

// sample gives the four places around (y, x) and their weights; none outside.
func (c *roiCase) sample(y, x float64) (at [4]int, w [4]float64) {
	if !(y >= -1 && y <= float64(c.h) && x >= -1 && x <= float64(c.w)) {
		return
	}
	split := func(v float64, size int) (lo, hi int, f float64) {
		v = max(v, 0)
		if lo = int(v); lo >= size-1 {
			return size - 1, size - 1, 0
		}
		return lo, lo + 1, v - float64(lo)
	}
	y0, y1, fy := split(y, c.h)
	x0, x1, fx := split(x, c.w)
	at = [4]int{y0*c.w + x0, y0*c.w + x1, y1*c.w + x0, y1*c.w + x1}
	w = [4]float64{(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx}
	return
}

// each visits the samples of every place: region, its feature map, place, the
// number of samples of the place, and the sample.
func (c *roiCase) each(rois []float64, batch []int, f func(r, map_, place, count int, at [4]int, w [4]float64)) error {
	offset := 0.0
	if c.half {
		offset = .5
	}
	for r := range c.rois {
		if batch[r] < 0 || batch[r] >= c.n {
			return fmt.Errorf("batch index %d of region %d is outside the %d feature maps", batch[r], r, c.n)
		}
		x0, y0 := rois[4*r]*c.scale-offset, rois[4*r+1]*c.scale-offset
		w, h := rois[4*r+2]*c.scale-offset-x0, rois[4*r+3]*c.scale-offset-y0
		if !c.half {
			w, h = max(w, 1), max(h, 1)
		}
		bw, bh := w/float64(c.ow), h/float64(c.oh)
		gw, gh := c.ratio, c.ratio
		if c.ratio == 0 {
			if !(math.Abs(bw) < maxSamples && math.Abs(bh) < maxSamples) {
				return fmt.Errorf("region %d is too large: %v", r, rois[4*r:4*r+4])
			}
			gw, gh = int(math.Ceil(bw)), int(math.Ceil(bh))
		}
		for p := range c.oh * c.ow {
			for iy := range max(gh, 0) {
				y := y0 + float64(p/c.ow)*bh + (float64(iy)+.5)*bh/float64(gh)
				for ix := range max(gw, 0) {
					x := x0 + float64(p%c.ow)*bw + (float64(ix)+.5)*bw/float64(gw)
					at, wt := c.sample(y, x)
					f(r, batch[r], p, max(gw*gh, 1), at, wt)
				}
			}
		}
	}
	return nil
}

var _ = register(
	Def{Name: "RoiAlign",
		Infer: func(c *Infer) error {
			x, r, err := c.pair()
			if err != nil {
				return err
			}
			if x.Shape != nil && len(x.Shape) != 4 || r.Shape != nil && len(r.Shape) != 2 {
				return fmt.Errorf("input %v and regions %v do not go together", x.Shape, r.Shape)
			}
			out := graph.Shape{unknownDim(c, 0, 0), unknownDim(c, 0, 1), graph.N(c.Node.Int("output_height", 1)), graph.N(c.Node.Int("output_width", 1))}
			if r.Shape != nil {
				out[0] = r.Shape[0]
			}
			if x.Shape != nil {
				out[1] = x.Shape[1]
			}
			c.Out(0, x.DType, out)
			return nil
		},
		Eval: func(n *graph.Node, opset int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			c, err := roiOf(n, opset, in[0].Shape, in[1].Shape, in[2].Shape)
			if err != nil {
				return nil, err
			}
			x, rois, err := bothFloats(in[0], in[1])
			if err != nil {
				return nil, err
			}
			batch, err := intsOf(in[2])
			if err != nil {
				return nil, err
			}
			out, err := alloc(in[0].DType, c.rois, c.c, c.oh, c.ow)
			if err != nil {
				return nil, err
			}
			y, seen := make([]float64, out.Len()), make([]bool, out.Len())
			err = c.each(rois, batch, func(r, m, p, count int, at [4]int, w [4]float64) {
				for k := range c.c {
					o, from := (r*c.c+k)*c.oh*c.ow+p, x[(m*c.c+k)*c.h*c.w:]
					if !c.max {
						for j, i := range at {
							y[o] += w[j] * from[i] / float64(count)
						}
						continue
					}
					for j, i := range at { // the largest of the weighed neighbours
						if v := w[j] * from[i]; v > y[o] || !seen[o] {
							y[o], seen[o] = v, true
						}
					}
				}
			})
			if err != nil {
				return nil, err
			}
			return single(out, fill(out, y))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			as := append(append([]graph.Attr{}, n.Attrs...), graph.MakeAttr("opset", b.G.Version("")))
			return []*graph.Value{b.Pare("RoiAlignGrad", as, dy[0], n.In(1), n.In(2), n.In(0)), nil, nil}, nil
		}},

	// RoiAlignGrad(dy, rois, batch, x): the pooling is linear in the feature maps
	// x, or chooses among them in mode max.
	Def{Domain: graph.Pare, Name: "RoiAlignGrad",
		Infer: func(c *Infer) error { c.Out(0, c.DType(0), c.Shape(3)); return nil },
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			c, err := roiOf(n, n.Int("opset", 16), in[3].Shape, in[1].Shape, in[2].Shape)
			if err != nil {
				return nil, err
			}
			dy, rois, err := bothFloats(in[0], in[1])
			if err != nil {
				return nil, err
			}
			batch, err := intsOf(in[2])
			if err != nil {
				return nil, err
			}
			x, err := floats(in[3])
			if err != nil {
				return nil, err
			}
			dx := make([]float64, in[3].Len())
			best := map[int]roiBest{} // of each place, in mode max
			err = c.each(rois, batch, func(r, m, p, count int, at [4]int, w [4]float64) {
				for k := range c.c {
					if c.max {
						o, base := (r*c.c+k)*c.oh*c.ow+p, (m*c.c+k)*c.h*c.w
						for j, i := range at {
							if v, old := w[j]*x[base+i], best[o]; v > old.value || !old.seen {
								best[o] = roiBest{v, true, base + i, w[j]}
							}
						}
						continue
					}
					u, to := dy[(r*c.c+k)*c.oh*c.ow+p]/float64(count), dx[(m*c.c+k)*c.h*c.w:]
					for j, i := range at {
						to[i] += w[j] * u
					}
				}
			})
			if err != nil {
				return nil, err
			}
			for o, d := range dy {
				if v := best[o]; v.seen {
					dx[v.at] += v.weight * d
				}
			}
			return single(ofFloats(in[0].DType, in[3].Shape, dx))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			if n.Str("mode", "avg") == "max" {
				return nil, fmt.Errorf("no second derivative is known for the mode max")
			}
			return []*graph.Value{b.Attr("RoiAlign", n.Attrs, dy[0], n.In(1), n.In(2)), nil, nil, nil}, nil
		}},
)

// roiBest is the weighed neighbour that a place has chosen.
type roiBest struct {
	value  float64
	seen   bool
	at     int
	weight float64
}
