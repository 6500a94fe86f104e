package dataset

import "math"

// Jitter changes brightness, contrast and saturation by a factor between 1-v and
// 1+v, and the hue by up to v turns either way, in an order drawn for each
// picture: torchvision's ColorJitter, in Pillow's whole numbers.
type Jitter struct {
	Brightness, Contrast, Saturation, Hue float64
}

// dice are random numbers of a sample: splitmix64 (Steele, Lea, Flood 2014).
type dice struct{ state uint64 }

func (d *dice) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	h := d.state
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// between is a number of [lo, hi).
func (d *dice) between(lo, hi float64) float64 {
	return lo + (hi-lo)*float64(d.next()>>11)/(1<<53)
}

// below is a whole number of [0, n).
func (d *dice) below(n int) int { return int(d.next() % uint64(n)) }

// apply changes a picture of planes of n bytes. bgr tells their order.
func (j Jitter) apply(pix []uint8, channels int, bgr bool, d *dice) {
	n := len(pix) / channels
	at := func(c int) []uint8 { return pix[c%channels*n:][:n] }
	r, g, b := at(0), at(1), at(2)
	if bgr {
		r, b = b, r
	}
	order := [4]int{0, 1, 2, 3}
	for i := 3; i > 0; i-- {
		k := d.below(i + 1)
		order[i], order[k] = order[k], order[i]
	}
	factor := func(v float64) float64 { return d.between(max(0, 1-v), 1+v) }
	for _, what := range order {
		switch {
		case what == 0 && j.Brightness > 0:
			brightness(pix, factor(j.Brightness))
		case what == 1 && j.Contrast > 0:
			contrast(pix, r, g, b, channels, factor(j.Contrast))
		case what == 2 && j.Saturation > 0:
			if f := factor(j.Saturation); channels == 3 {
				saturation(r, g, b, f)
			}
		case what == 3 && j.Hue > 0:
			if f := d.between(-j.Hue, j.Hue); channels == 3 {
				hue(r, g, b, f)
			}
		}
	}
}

// blend is from + f(to - from), its fraction dropped.
func blend(from, to uint8, f float64) uint8 {
	return uint8(min(max(float32(from)+float32(f)*(float32(to)-float32(from)), 0), 255))
}

func brightness(pix []uint8, f float64) {
	for i, v := range pix {
		pix[i] = blend(0, v, f)
	}
}

// contrast blends with the mean of the gray picture.
func contrast(pix, r, g, b []uint8, channels int, f float64) {
	sum := 0
	for i, v := range r {
		if channels == 3 {
			v = luma(v, g[i], b[i])
		}
		sum += int(v)
	}
	mean := uint8(float64(sum)/float64(len(r)) + .5)
	for i, v := range pix {
		pix[i] = blend(mean, v, f)
	}
}

// saturation blends with the gray picture.
func saturation(r, g, b []uint8, f float64) {
	for i := range r {
		l := luma(r[i], g[i], b[i])
		r[i], g[i], b[i] = blend(l, r[i], f), blend(l, g[i], f), blend(l, b[i], f)
	}
}

// hue turns colours on the circle of Smith's HSV (1978), each coordinate a byte.
func hue(r, g, b []uint8, f float64) {
	turn := uint8(int(f * 255))
	for i := range r {
		h, s, v := toHSV(r[i], g[i], b[i])
		r[i], g[i], b[i] = fromHSV(h+turn, s, v)
	}
}

func toHSV(r, g, b uint8) (h, s, v uint8) {
	v = max(r, g, b)
	low := min(r, g, b)
	if v == low {
		return 0, 0, v
	}
	c := float32(v - low) // single and double precision are where Pillow has them
	rc, gc, bc := float64(float32(v-r)/c), float64(float32(v-g)/c), float64(float32(v-b)/c)
	var at float32
	switch v {
	case r:
		at = float32(bc - gc)
	case g:
		at = float32(2 + rc - bc)
	default:
		at = float32(4 + gc - rc)
	}
	turn := float64(float32(math.Mod(float64(at)/6+1, 1)))
	return clip8(int32(turn * 255)), clip8(int32(float64(c/float32(v)) * 255)), v
}

func fromHSV(h, s, v uint8) (r, g, b uint8) {
	if s == 0 {
		return v, v, v
	}
	at := float64(h) * 6 / 255
	sector := int(at)
	f, fs, fv := float64(float32(at-float64(sector))), float64(float32(s)/255), float64(v)
	round := func(x float64) uint8 { return clip8(int32(x + .5)) }
	p, q, t := round(fv*(1-fs)), round(fv*(1-fs*f)), round(fv*(1-fs*(1-f)))
	switch sector % 6 {
	case 0:
		return v, t, p
	case 1:
		return q, v, p
	case 2:
		return p, v, t
	case 3:
		return p, q, v
	case 4:
		return t, p, v
	}
	return v, p, q
}
