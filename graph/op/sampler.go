package op

import (
	"fmt"
	"math"
	"strings"

	"pare/graph"
)

// sampler finds where the places of a resized axis come from.
type sampler struct {
	in, out   int
	scale     float64
	width     float64 // scale*in: the length of the result before rounding
	transform string
	roi       [2]float64
	nearest   string                  // how to round; "" where places are interpolated
	reach     int                     // taps on either side
	weight    func(x float64) float64 // by the distance from the place, in units of the input (or the result, antialiased)
	squeeze   float64                 // distances are multiplied by it: below 1 where antialiased
	exclude   bool                    // taps outside the input are ignored
	normalise bool                    // weights are divided by their sum
}

func newSampler(n *graph.Node, opset, in, out int, scale float64, roi [2]float64) (*sampler, error) {
	s := &sampler{in: in, out: out, scale: scale, width: scale * float64(in), roi: roi, squeeze: 1, reach: 1,
		exclude: n.Int("exclude_outside", 0) != 0}
	nearest := "floor"
	if s.transform = "asymmetric"; n.Op == "Resize" && opset >= 11 {
		s.transform = n.Str("coordinate_transformation_mode", "half_pixel")
		nearest = n.Str("nearest_mode", "round_prefer_floor")
	}
	switch mode := strings.ToLower(n.Str("mode", "nearest")); mode {
	case "nearest":
		s.nearest = nearest
	case "linear", "bilinear":
		s.weight = func(x float64) float64 { return max(0, 1-math.Abs(x)) }
	case "cubic":
		s.reach, s.weight = 2, keys(float64(n.Float("cubic_coeff_a", -.75)))
	default:
		return nil, fmt.Errorf("unknown mode %q", mode)
	}
	switch s.transform {
	case "align_corners", "asymmetric", "tf_crop_and_resize", "pytorch_half_pixel", "half_pixel", "half_pixel_symmetric", "tf_half_pixel_for_nn":
	default:
		return nil, fmt.Errorf("unknown coordinate_transformation_mode %q", s.transform)
	}
	if n.Int("antialias", 0) != 0 && s.nearest == "" {
		s.normalise = true
		if s.squeeze = min(scale, 1); s.squeeze < 1 {
			reach := 1 - math.Floor(-float64(s.reach)/s.squeeze) - 1
			if reach > 1<<20 {
				return nil, fmt.Errorf("scale %g is too small for antialiasing", scale)
			}
			s.reach = int(reach)
		}
	}
	return s, nil
}

// keys is the kernel of cubic convolution with parameter a (Keys 1981).
func keys(a float64) func(x float64) float64 {
	return func(x float64) float64 {
		switch x = math.Abs(x); {
		case x <= 1:
			return ((a+2)*x-(a+3))*x*x + 1
		case x < 2:
			return ((x-5)*a*x+8*a)*x - 4*a
		}
		return 0
	}
}

// place is the coordinate in the input of place j of the result.
func (s *sampler) place(j int) float64 {
	y, in := float64(j), float64(s.in)
	switch s.transform {
	case "align_corners":
		if s.width == 1 {
			return 0
		}
		return y * (in - 1) / (s.width - 1)
	case "asymmetric":
		return y / s.scale
	case "tf_crop_and_resize":
		if s.width == 1 {
			return (s.roi[1]-s.roi[0])*(in-1)/2 + s.roi[0]*(in-1)
		}
		return y*(s.roi[1]-s.roi[0])*(in-1)/(s.width-1) + s.roi[0]*(in-1)
	case "tf_half_pixel_for_nn": // opset 11
		return (y + .5) / s.scale
	case "pytorch_half_pixel":
		if s.width == 1 {
			return -.5
		}
	case "half_pixel_symmetric":
		return in/2*(1-float64(s.out)/s.width) + (y+.5)/s.scale - .5
	}
	return (y+.5)/s.scale - .5
}

// at gives the taps of place j.
func (s *sampler) at(j int) taps {
	x := s.place(j)
	t := taps{beyond: s.transform == "tf_crop_and_resize" && (x < 0 || x > float64(s.in-1))}
	clamp := func(i float64) int { return int(max(0, min(i, float64(s.in-1)))) }
	if s.nearest != "" {
		switch s.nearest {
		case "floor":
			x = math.Floor(x)
		case "ceil":
			x = math.Ceil(x)
		case "round_prefer_ceil":
			x = math.Floor(x + .5)
		default:
			x = math.Ceil(x - .5)
		}
		t.at, t.weight = []int{clamp(x)}, []float64{1}
		return t
	}
	left, sum := math.Ceil(x)-1, 0.0 // the tap before x
	for k := 1 - s.reach; k <= s.reach; k++ {
		i := left + float64(k)
		w := s.weight((i - x) * s.squeeze)
		if s.exclude && (i < 0 || i > float64(s.in-1)) {
			continue
		}
		t.at, t.weight = append(t.at, clamp(i)), append(t.weight, w)
		sum += w
	}
	if (s.exclude || s.normalise) && sum != 0 {
		for k := range t.weight {
			t.weight[k] /= sum
		}
	}
	return t
}
