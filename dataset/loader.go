package dataset

import (
	"context"
	"slices"
)

// Norm says how stored values become a network's input:
// (value*Scale - Mean[c]) / Std[c], by channel.
type Norm struct {
	Scale     float32
	Mean, Std []float32 // by channel; one number stands for all
}

// Usual normalisations of images.
var (
	Raw      = Norm{1, []float32{0}, []float32{1}}
	Unit     = Norm{1. / 255, []float32{0}, []float32{1}}
	ImageNet = Norm{1. / 255, []float32{.485, .456, .406}, []float32{.229, .224, .225}}
	CIFAR10  = Norm{1. / 255, []float32{.4914, .4822, .4465}, []float32{.2470, .2435, .2616}}
	MNIST    = Norm{1. / 255, []float32{.1307}, []float32{.3081}}
)

func pick(v []float32, c int) float32 { return v[min(c, len(v)-1)] }

// Augment changes training images at random, by seed, epoch and sample. Fields of the
// same height and width, such as masks, are changed alike.
type Augment struct {
	Crop int  // shift by up to this number of pixels, zeros outside (after normalisation: the mean)
	Flip bool // mirror left and right with probability 1/2
	Data bool // what the data specification asks for, too: see Field.Chance
}

// Loader gives batches of a set.
type Loader struct {
	Set     *Set
	Size    int // samples a batch
	Norm    Norm
	Augment Augment
	Shuffle bool
	Seed    uint64
	Threads int // that read samples of a stream; 0: as many as there are processors

	Sampler Sampler // which samples an epoch has; the zero value is all

	order, all, sequence, counts []int32 // order is of the epoch
	epoch, permutation           int
	samples                      int       // of an epoch, once Steps has counted them
	normed                       []bool    // by field
	workers                      []*worker // one for samples in memory, for those of a stream one a thread
}

// worker is the memory of a thread that makes samples.
type worker struct {
	*reading         // of a stream
	drawn    []uint8 // a picture as Field.Chance makes it
	seen     []int32 // a mask as Field.Chance makes it,
	moved    []int32 // and as Augment moves it
	scratch  Scratch
}

// Buffer is room for what a batch has of a field. Only one of X and I is used: the one
// that is there. Numbers become whole ones as they are where those are wanted (see
// CheckWhole), and whole ones numbers.
type Buffer struct {
	Field int // its place among the fields
	X     []float32
	I     []int64
	Raw   bool // values as they are stored, not normalised
}

// Steps is the number of full batches of an epoch.
func (l *Loader) Steps() int {
	if l.samples == 0 {
		l.samples = l.Sampler.Len(l.Set)
	}
	if l.Sampler.Fill {
		return (l.samples + l.Size - 1) / l.Size
	}
	return l.samples / l.Size
}

// Batch is the number of samples of a batch.
func (l *Loader) Batch() int { return l.Size }

// Fill writes batch i of an epoch. It writes fewer samples where the set ends, and gives
// their number.
func (l *Loader) Fill(epoch, i int, to []Buffer) (int, error) {
	return l.FillContext(context.Background(), epoch, i, to)
}

// FillContext is Fill that ends with the context where it reads samples of a stream.
func (l *Loader) FillContext(ctx context.Context, epoch, i int, to []Buffer) (int, error) {
	l.arrange(epoch)
	l.normed = l.Set.normed(l.normed[:0])
	lo := i * l.Size
	hi := min(lo+l.Size, len(l.order))
	if l.Set.Stream != nil {
		return max(0, hi-lo), l.read(ctx, epoch, lo, max(lo, hi), to)
	}
	if l.workers == nil {
		l.workers = []*worker{{}}
	}
	for k := lo; k < hi; k++ {
		s := int(l.order[k])
		at := l.Set.at(s)
		for _, b := range to {
			l.write(l.workers[0], epoch, s, k-lo, b, l.Set.Fields[b.Field], at)
		}
	}
	return max(0, hi-lo), nil
}

// write writes sample s, which lies at a place of a field, as sample k of a batch.
func (l *Loader) write(w *worker, epoch, s, k int, b Buffer, f *Field, at int) {
	n := f.Size()
	switch {
	case b.I != nil && l.Set.plan(f):
		for j, v := range l.places(w, epoch, s, f, at) {
			b.I[k*n+j] = int64(v)
		}
	case b.X != nil && l.Set.plan(f):
		for j, v := range l.places(w, epoch, s, f, at) {
			b.X[k*n+j] = float32(v)
		}
	case b.I != nil:
		f.whole(at, b.I[k*n:(k+1)*n])
	case b.X != nil:
		l.sample(w, epoch, s, b.Field, f, at, b.Raw, b.X[k*n:(k+1)*n])
	}
}

// whole writes a stored sample as whole numbers.
func (f *Field) whole(at int, to []int64) {
	n := len(to)
	switch {
	case f.Ints != nil:
		for j, v := range f.Ints[at*n : (at+1)*n] {
			to[j] = int64(v)
		}
	case f.Bytes != nil:
		for j, v := range f.Bytes[at*n : (at+1)*n] {
			to[j] = int64(v)
		}
	default:
		for j, v := range f.Floats[at*n : (at+1)*n] {
			to[j] = int64(v)
		}
	}
}

// draws are the random changes of a sample.
func (l *Loader) draws(epoch, s int) (dy, dx int, flip bool) {
	if l.Augment.Crop <= 0 && !l.Augment.Flip {
		return 0, 0, false
	}
	r := mix(l.Seed, uint64(epoch), uint64(s))
	if k := uint64(2*l.Augment.Crop + 1); k > 1 {
		dy, dx = int(r%k)-l.Augment.Crop, int(r>>16%k)-l.Augment.Crop
	}
	return dy, dx, l.Augment.Flip && r>>40&1 == 1
}

// sample writes one normalised and augmented sample of field j.
func (l *Loader) sample(wk *worker, epoch, s, j int, f *Field, at int, raw bool, x []float32) {
	if f.Ints != nil {
		for k, v := range f.Ints[at*len(x) : (at+1)*len(x)] {
			x[k] = float32(v)
		}
		return
	}
	norm := l.Norm
	if raw || !l.normed[j] {
		norm = Raw
	}
	c, h, w := 1, 1, len(x)
	dy, dx, flip := 0, 0, false
	if f.image() {
		c, h, w = f.Shape[0], f.Shape[1], f.Shape[2]
		dy, dx, flip = l.draws(epoch, s)
	}
	bytes := f.Bytes
	if l.Augment.Data && f.Chance != nil {
		bytes, at = l.chance(wk, mix(l.Seed, uint64(epoch), ^uint64(s)), f, at), 0
	}
	scale := norm.Scale
	for ch := range c {
		a := scale / pick(norm.Std, ch)
		b := -pick(norm.Mean, ch) / pick(norm.Std, ch)
		for y := range h {
			out := x[(ch*h+y)*w : (ch*h+y+1)*w]
			sy := y + dy
			if sy < 0 || sy >= h {
				for i := range out {
					out[i] = b
				}
				continue
			}
			row := (at*c+ch)*h*w + sy*w
			if bytes != nil && dx == 0 && !flip {
				for i, v := range bytes[row : row+w] {
					out[i] = float32(v)*a + b
				}
				continue
			}
			for i := range out {
				k := i
				if flip {
					k = w - 1 - i
				}
				if k += dx; k < 0 || k >= w {
					out[i] = b
				} else if bytes != nil {
					out[i] = float32(bytes[row+k])*a + b
				} else {
					out[i] = f.Floats[row+k]*a + b
				}
			}
		}
	}
}

// chance is a stored picture as training sees it this time.
func (l *Loader) chance(w *worker, draw uint64, f *Field, at int) []uint8 {
	n := f.Size()
	w.drawn = room(w.drawn, n)
	pic := Picture{f.Shape[0], f.Shape[1], f.Shape[2], f.Bytes[at*n : (at+1)*n]}
	if f.Chance.Pictures != nil {
		pic = f.Chance.Pictures[at]
	}
	f.Chance.Fill(&pic, draw, true, w.drawn, &w.scratch)
	return w.drawn
}

// plan says whether a field has a whole number for each place of the images.
func (s *Set) plan(f *Field) bool {
	return f.Ints != nil && len(f.Shape) == 2 && slices.ContainsFunc(s.Fields, func(g *Field) bool { return g.image() && slices.Equal(g.Shape[1:], f.Shape) })
}

// places are the whole numbers of places of a sample, moved as its images are: -1
// outside.
func (l *Loader) places(wk *worker, epoch, s int, f *Field, at int) []int32 {
	n, h, w := f.Size(), f.Shape[0], f.Shape[1]
	from := f.Ints[at*n : (at+1)*n]
	if c := l.Set.chanceOf(f); c != nil && l.Augment.Data {
		m := mask{h, w, from}
		if f.wide != nil {
			m = f.wide[at]
		}
		wk.seen = room(wk.seen, n)
		c.FillMask(m.class, m.height, m.width, mix(l.Seed, uint64(epoch), ^uint64(s)), true, -1, wk.seen, &wk.scratch)
		from = wk.seen
	}
	dy, dx, flip := l.draws(epoch, s)
	if dy == 0 && dx == 0 && !flip {
		return from
	}
	wk.moved = room(wk.moved, n)
	for y := range h {
		for x := range w {
			sx := x
			if flip {
				sx = w - 1 - x
			}
			sy := y + dy
			if sx += dx; sy < 0 || sy >= h || sx < 0 || sx >= w {
				wk.moved[y*w+x] = -1
			} else {
				wk.moved[y*w+x] = from[sy*w+sx]
			}
		}
	}
	return wk.moved
}

// chanceOf is what training makes of the images whose places a field has.
func (s *Set) chanceOf(f *Field) *Chance {
	for _, g := range s.Fields {
		if g.image() && slices.Equal(g.Shape[1:], f.Shape) {
			return g.Chance
		}
	}
	return nil
}

// normed says of each field whether it is normalised: images are, and where there is
// none that is stored in bytes, the first field, whatever it is.
func (s *Set) normed(to []bool) []bool {
	pictures := func(f *Field) bool { return f.image() && f.Bytes != nil }
	some := slices.ContainsFunc(s.Fields, pictures)
	for j, f := range s.Fields {
		to = append(to, some && pictures(f) || !some && j == 0)
	}
	return to
}

// normal is the first field that is normalised.
func (s *Set) normal() *Field {
	if j := slices.Index(s.normed(nil), true); j >= 0 {
		return s.Fields[j]
	}
	return s.X()
}

// mix is a hash of three numbers (splitmix64 rounds).
func mix(a, b, c uint64) uint64 {
	h := a
	for _, v := range [...]uint64{b, c, 0x9e3779b97f4a7c15} {
		h += v + 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}
