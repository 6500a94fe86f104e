package dataset

import (
	"fmt"
	"strconv"
	"strings"
)

// pictureOptions say what images become and what is done with those that cannot
// be read.
type pictureOptions struct {
	Pipeline
	stored bool // they are not turned by their EXIF orientation
	skip   bool // those that cannot be read are left out
}

// maxSide bounds the sizes that are asked for.
const maxSide = 1 << 13

// pictures reads the options of images.
func (o *options) pictures() pictureOptions {
	var p pictureOptions
	if c := o.str("channels", ""); c != "" {
		if p.Channels = o.whole("channels", 0, 1); p.Channels != 1 && p.Channels != 3 {
			o.fail("option channels=%s: 1 for gray or 3 for colour", c)
		}
	}
	if s := o.str("size", ""); s != "" {
		p.Height, p.Width, _ = o.sides("size", s)
	}
	if s := o.str("resize", ""); s != "" {
		if p.Height > 0 {
			o.fail("size and resize are both given: resize=HxW is size=HxW")
		}
		var two bool
		if p.Height, p.Width, two = o.sides("resize", s); !two {
			p.Short, p.Height, p.Width = p.Height, 0, 0
		}
	}
	p.Filter = Filter(o.oneOf("filter", string(Bilinear), string(Bicubic), string(Nearest)))
	if s := o.str("crop", ""); s != "" {
		p.Crop[0], p.Crop[1], _ = o.sides("crop", s)
	}
	p.BGR = o.oneOf("order", "rgb", "bgr") == "bgr"
	p.stored = o.oneOf("exif", "apply", "ignore") == "ignore"
	p.skip = o.oneOf("corrupt", "refuse", "skip") == "skip"
	p.Train = o.train(p.Crop[0] > 0)
	return p
}

// train reads the options of images in training.
func (o *options) train(crops bool) Train {
	t := Train{Crop: TrainCrop(o.oneOf("train-crop", string(Centre), string(Random), string(Resized)))}
	if t.Crop != Centre && !crops {
		o.fail("option train-crop=%s needs crop=N, the size of what is cut out", t.Crop)
	}
	t.Scale, t.Ratio = o.interval("scale", .08, 1), o.interval("ratio", 3./4, 4./3)
	if t.Scale[1] > 1 {
		o.fail("option scale=%s is a part of the picture's area, at most 1", o.q.Get("scale"))
	}
	if t.Crop != Resized {
		for _, name := range []string{"scale", "ratio"} {
			if o.q.Get(name) != "" {
				o.fail("option %s is one of train-crop=resized", name)
			}
		}
	}
	t.Flip, t.Erase = o.share("flip"), o.share("erase")
	j := o.list("jitter")
	if len(j) > 4 {
		o.fail("option jitter=%s: at most four numbers, for brightness, contrast, saturation and hue", o.q.Get("jitter"))
		return t
	}
	for i, to := range []*float64{&t.Jitter.Brightness, &t.Jitter.Contrast, &t.Jitter.Saturation, &t.Jitter.Hue} {
		if i < len(j) {
			*to, _ = strconv.ParseFloat(strconv.FormatFloat(float64(j[i]), 'g', -1, 32), 64)
		}
		if *to < 0 || *to > 100 || i == 3 && *to > .5 {
			o.fail("option jitter=%s: brightness, contrast and saturation are changed by a factor of 1-v to 1+v, the hue by at most half a turn, .5", o.q.Get("jitter"))
		}
	}
	return t
}

// sides reads HEIGHTxWIDTH, or one number for both; two tells which.
func (o *options) sides(name, s string) (height, width int, two bool) {
	h, w, two := strings.Cut(strings.ToLower(s), "x")
	if !two {
		w = h
	}
	height, e1 := strconv.Atoi(h)
	width, e2 := strconv.Atoi(w)
	if e1 != nil || e2 != nil || min(height, width) < 1 || max(height, width) > maxSide {
		o.fail("option %s=%s is not HEIGHTxWIDTH of 1 to %d pixels", name, s, maxSide)
	}
	return height, width, two
}

// interval reads LOW:HIGH of positive numbers.
func (o *options) interval(name string, low, high float64) [2]float64 {
	s := o.str(name, "")
	if s == "" {
		return [2]float64{low, high}
	}
	a, b, ok := strings.Cut(s, ":")
	lo, e1 := strconv.ParseFloat(a, 64)
	hi, e2 := strconv.ParseFloat(b, 64)
	if !ok || e1 != nil || e2 != nil || !(lo > 0 && lo <= hi && hi <= 1e6) {
		o.fail("option %s=%s is not LEAST:MOST, such as %s", name, s, fmt.Sprintf("%.3g:%.3g", low, high))
	}
	return [2]float64{lo, hi}
}

// share reads a probability.
func (o *options) share(name string) float64 {
	v := o.num(name, 0)
	if v < 0 || v > 1 {
		o.fail("option %s=%v is how often it is done, of 0 to 1", name, v)
	}
	return v
}
