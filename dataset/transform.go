package dataset

import (
	"fmt"
	"math"
	"slices"
)

// Pipeline says what becomes of a picture between its file and the network. Its
// parts have the meaning of torchvision's transforms of the same names, on
// Pillow's pictures. Those that are drawn at random are functions of a number
// alone; [Loader] makes it of the seed, the epoch and the sample.
//
// [Pipeline.Prepare] is what is done once, when a picture is read; [Pipeline.Fill]
// is what is done for every batch.
type Pipeline struct {
	Channels int  // 1: gray, 3: colour, 0: as the picture is
	BGR      bool // blue first

	Short         int // the shorter side is resized to this, or
	Height, Width int // the picture is, without keeping its proportions; zero: not resized
	Filter        Filter

	Crop  [2]int // height and width that are cut out of the centre; zero: all
	Train Train
}

// Train is what is done in training only.
type Train struct {
	Crop   TrainCrop  // where Pipeline.Crop is cut out; empty: the centre
	Scale  [2]float64 // Resized: the least and the largest part of the picture's area
	Ratio  [2]float64 // Resized: the least and the largest width, in heights
	Flip   float64    // how often left and right are exchanged
	Jitter Jitter
	Erase  float64  // how often a rectangle is filled (Zhong et al. 2017, as torchvision's RandomErasing)
	Fill   [3]uint8 // with this, by channel
}

// TrainCrop is a way to crop in training.
type TrainCrop string

// The ways to crop in training.
const (
	Centre  TrainCrop = "centre"
	Random  TrainCrop = "random"  // at any place
	Resized TrainCrop = "resized" // a part of any size and proportion, resized: RandomResizedCrop (Szegedy et al. 2014)
)

// Random tells whether training sees other pictures than evaluation.
func (p *Pipeline) Random() bool {
	t := &p.Train
	return t.Crop == Random || t.Crop == Resized || t.Flip > 0 || t.Jitter != Jitter{} || t.Erase > 0
}

// cutsAnew tells whether training cuts other parts out of a picture every time.
func (p *Pipeline) cutsAnew() bool { return p.Train.Crop == Random || p.Train.Crop == Resized }

// resized is the size of a picture of h x w pixels once it is resized.
func (p *Pipeline) resized(h, w int) (int, int) {
	switch {
	case p.Height > 0:
		return p.Height, p.Width
	case p.Short > 0 && h < w:
		return p.Short, max(1, p.Short*w/h)
	case p.Short > 0:
		return max(1, p.Short*h/w), p.Short
	}
	return h, w
}

// Size is the size that a picture of h x w pixels has for the network.
func (p *Pipeline) Size(h, w int) (height, width int) {
	if p.Crop[0] > 0 {
		return p.Crop[0], p.Crop[1]
	}
	return p.resized(h, w)
}

// Prepare does what is the same every time a picture is used: it becomes gray or
// coloured and is resized. A picture that needs none of it is given back as it
// is.
func (p *Pipeline) Prepare(pic *Picture, s *Scratch) *Picture {
	pic = pic.channels(p.Channels)
	if h, w := p.resized(pic.Height, pic.Width); h != pic.Height || w != pic.Width {
		out := newPicture(pic.Channels, h, w)
		s.resize.picture(p.Filter, pic, 0, 0, pic.Height, pic.Width, out.Pix, h, w)
		pic = out
	}
	if p.BGR && pic.Channels == 3 {
		pic = &Picture{3, pic.Height, pic.Width, slices.Concat(pic.plane(2), pic.plane(1), pic.plane(0))}
	}
	return pic
}

// Scratch is the memory of a pipeline at work; one for each goroutine.
type Scratch struct {
	resize resizer
	across []int32 // of a mask
}

// Fill writes a prepared picture as the network takes it, channels x height x
// width bytes in the size of [Pipeline.Size]: for evaluation, or, with train, by
// chance; draw is what the chance depends on. What a crop has beside the picture
// is black. It allocates nothing once s has been used for pictures as large.
func (p *Pipeline) Fill(pic *Picture, draw uint64, train bool, out []uint8, s *Scratch) {
	d := dice{draw}
	v := p.view(pic.Height, pic.Width, train, &d)
	if v.part {
		s.resize.picture(p.Filter, pic, v.y, v.x, v.ph, v.pw, out, v.h, v.w)
	} else {
		pic.cut(v.y, v.x, v.h, v.w, out)
	}
	if v.flip {
		for at := 0; at < len(out); at += v.w {
			slices.Reverse(out[at : at+v.w])
		}
	}
	if !train {
		return
	}
	t := &p.Train
	if t.Jitter != (Jitter{}) {
		t.Jitter.apply(out, pic.Channels, p.BGR, &d)
	}
	if t.Erase > 0 && d.between(0, 1) < t.Erase {
		t.erase(out, pic.Channels, v.h, v.w, &d)
	}
}

// FillMask writes a class for each place of what [Pipeline.Fill] writes: mask holds
// those of the prepared picture, height x width. Places outside of it are outside.
// Of a part that is resized the nearest ones are taken.
func (p *Pipeline) FillMask(mask []int32, height, width int, draw uint64, train bool, outside int32, out []int32, s *Scratch) {
	v := p.view(height, width, train, &dice{draw})
	if !v.part {
		v.ph, v.pw = v.h, v.w
	}
	down, across := &s.resize.near, &s.across
	*down, *across = nearest(*down, v.ph, v.h), nearest(*across, v.pw, v.w)
	for y, dy := range *down {
		line := out[y*v.w:][:v.w]
		for x, dx := range *across {
			line[x] = outside
			if sy, sx := v.y+int(dy), v.x+int(dx); sy >= 0 && sy < height && sx >= 0 && sx < width {
				line[x] = mask[sy*width+sx]
			}
		}
		if v.flip {
			slices.Reverse(line)
		}
	}
}

// view is what is seen of a picture: h x w pixels from y, x, or, as a part, what
// ph x pw pixels from there are resized to; exchanged left and right by flip.
type view struct {
	h, w         int
	y, x, ph, pw int
	part, flip   bool
}

// view draws the view of a picture of height x width.
func (p *Pipeline) view(height, width int, train bool, d *dice) view {
	v := view{h: p.Crop[0], w: p.Crop[1]}
	if v.h == 0 {
		v.h, v.w = height, width
	}
	v.y, v.x = centre(height, v.h), centre(width, v.w)
	if !train {
		return v
	}
	t := &p.Train
	switch t.Crop {
	case Resized:
		v.part = true
		v.y, v.x, v.ph, v.pw = t.part(height, width, d)
	case Random:
		if height > v.h {
			v.y = d.below(height - v.h + 1)
		}
		if width > v.w {
			v.x = d.below(width - v.w + 1)
		}
	}
	v.flip = t.Flip > 0 && d.between(0, 1) < t.Flip
	return v
}

// centre is where a crop of n pixels of a side of have begins; halves go to the
// even number, as Python rounds them. A crop that is larger begins before the
// picture.
func centre(have, n int) int {
	if n > have {
		return -((n - have) / 2)
	}
	return int(math.RoundToEven(float64(have-n) / 2))
}

// cut copies h x w pixels from y, x; those outside are black.
func (p *Picture) cut(y, x, h, w int, out []uint8) {
	lo, hi := max(0, -x), min(w, p.Width-x)
	for c := range p.Channels {
		from := p.plane(c)
		for r := range h {
			line := out[(c*h+r)*w:][:w]
			if y+r < 0 || y+r >= p.Height {
				clear(line)
				continue
			}
			clear(line[:lo])
			copy(line[lo:hi], from[(y+r)*p.Width+x+lo:])
			clear(line[hi:])
		}
	}
}

// part draws a part of a picture by area and proportion; after ten that do not
// fit it is the largest one in the centre whose proportion is allowed.
func (t *Train) part(h, w int, d *dice) (y, x, ph, pw int) {
	for range 10 {
		area := float64(h*w) * d.between(t.Scale[0], t.Scale[1])
		ratio := math.Exp(d.between(math.Log(t.Ratio[0]), math.Log(t.Ratio[1])))
		pw, ph = int(math.RoundToEven(math.Sqrt(area*ratio))), int(math.RoundToEven(math.Sqrt(area/ratio)))
		if pw > 0 && pw <= w && ph > 0 && ph <= h {
			return d.below(h - ph + 1), d.below(w - pw + 1), ph, pw
		}
	}
	ph, pw = h, w
	if r := float64(w) / float64(h); r < t.Ratio[0] {
		ph = min(h, max(1, int(math.RoundToEven(float64(w)/t.Ratio[0]))))
	} else if r > t.Ratio[1] {
		pw = min(w, max(1, int(math.RoundToEven(float64(h)*t.Ratio[1]))))
	}
	return (h - ph) / 2, (w - pw) / 2, ph, pw
}

// erase fills a rectangle of .02 to .33 of the picture, and of proportions .3 to
// 3.3; one that does not fit in ten draws is left out.
func (t *Train) erase(out []uint8, channels, h, w int, d *dice) {
	for range 10 {
		area := float64(h*w) * d.between(.02, .33)
		ratio := math.Exp(d.between(math.Log(.3), math.Log(3.3)))
		eh, ew := int(math.RoundToEven(math.Sqrt(area*ratio))), int(math.RoundToEven(math.Sqrt(area/ratio)))
		if eh >= h || ew >= w {
			continue
		}
		y, x := d.below(h-eh+1), d.below(w-ew+1)
		for c := range channels {
			for r := range eh {
				line := out[(c*h+y+r)*w+x:][:ew]
				for i := range line {
					line[i] = t.Fill[c]
				}
			}
		}
		return
	}
}

// String is the pipeline in the words of a data specification; empty: pictures
// are used as they are.
func (p *Pipeline) String() string {
	s := ""
	put := func(format string, a ...any) {
		if s != "" {
			s += "&"
		}
		s += fmt.Sprintf(format, a...)
	}
	if p.Height > 0 {
		put("resize=%dx%d", p.Height, p.Width)
	} else if p.Short > 0 {
		put("resize=%d", p.Short)
	}
	if p.Filter != Bilinear && p.Filter != "" {
		put("filter=%s", p.Filter)
	}
	if p.Crop[0] > 0 {
		put("crop=%dx%d", p.Crop[0], p.Crop[1])
	}
	t := &p.Train
	if t.Crop == Random || t.Crop == Resized {
		put("train-crop=%s", t.Crop)
	}
	if t.Crop == Resized {
		put("scale=%g:%g&ratio=%g:%g", t.Scale[0], t.Scale[1], t.Ratio[0], t.Ratio[1])
	}
	if t.Flip > 0 {
		put("flip=%g", t.Flip)
	}
	if j := t.Jitter; j != (Jitter{}) {
		put("jitter=%g,%g,%g,%g", j.Brightness, j.Contrast, j.Saturation, j.Hue)
	}
	if t.Erase > 0 {
		put("erase=%g", t.Erase)
	}
	if p.BGR {
		put("order=bgr")
	}
	return s
}
