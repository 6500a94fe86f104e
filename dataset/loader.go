package dataset

import (
	"math/rand/v2"
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

// Augment changes training images at random, by seed, epoch and sample.
type Augment struct {
	Crop int  // shift by up to this number of pixels, zeros outside (after normalisation: the mean)
	Flip bool // mirror left and right with probability 1/2
}

// Loader gives batches of a set.
type Loader struct {
	Set     *Set
	Size    int // samples a batch
	Norm    Norm
	Augment Augment
	Shuffle bool
	Seed    uint64

	order []int32
	epoch int
}

// Steps is the number of full batches of an epoch.
func (l *Loader) Steps() int { return l.Set.Len() / l.Size }

// Batch is the number of samples of a batch.
func (l *Loader) Batch() int { return l.Size }

// arrange puts the samples in the order of an epoch, a function of seed and epoch.
func (l *Loader) arrange(epoch int) {
	if l.order != nil && (l.epoch == epoch || !l.Shuffle) {
		return
	}
	n := l.Set.Len()
	if l.order == nil {
		l.order = make([]int32, n)
	}
	for i := range l.order {
		l.order[i] = int32(i)
	}
	l.epoch = epoch
	if l.Shuffle {
		r := rand.New(rand.NewPCG(l.Seed, uint64(epoch)+1))
		r.Shuffle(n, func(i, j int) { l.order[i], l.order[j] = l.order[j], l.order[i] })
	}
}

// Fill writes batch i of an epoch: samples to x (in the network's order of
// axes), labels to y. It writes fewer where the set ends, and gives the number
// of samples. Only one of x and tokens is used: the one that is there. Text becomes
// numbers where the network takes those; numbers become tokens as they are, not
// normalised, where it takes tokens (see CheckTokens).
func (l *Loader) Fill(epoch, i int, x []float32, tokens []int64, y []int64) int {
	l.arrange(epoch)
	n := l.Set.Size()
	lo := i * l.Size
	hi := min(lo+l.Size, l.Set.Len())
	for k := lo; k < hi; k++ {
		s := l.order[k]
		at := l.Set.at(int(s))
		if l.Set.Tokens != nil {
			for j, v := range l.Set.Tokens[at*n : (at+1)*n] {
				if tokens != nil {
					tokens[(k-lo)*n+j] = int64(v)
				} else {
					x[(k-lo)*n+j] = float32(v)
				}
				y[(k-lo)*n+j] = int64(l.Set.Labels[at*n+j])
			}
			continue
		}
		y[k-lo] = int64(l.Set.Labels[at])
		if tokens != nil && x == nil {
			l.Set.tokens(at, tokens[(k-lo)*n:(k-lo+1)*n])
			continue
		}
		l.sample(epoch, int(s), at, x[(k-lo)*n:(k-lo+1)*n])
	}
	return hi - lo
}

// sample writes one normalised and augmented sample.
func (l *Loader) sample(epoch, s, at int, x []float32) {
	set := l.Set
	n := set.Size()
	c, h, w := 1, 1, n
	if len(set.Shape) == 3 {
		c, h, w = set.Shape[0], set.Shape[1], set.Shape[2]
	}
	dy, dx, flip := 0, 0, false
	if l.Augment.Crop > 0 || l.Augment.Flip {
		r := mix(l.Seed, uint64(epoch), uint64(s))
		if k := uint64(2*l.Augment.Crop + 1); k > 1 {
			dy, dx = int(r%k)-l.Augment.Crop, int(r>>16%k)-l.Augment.Crop
		}
		flip = l.Augment.Flip && r>>40&1 == 1
	}
	scale := l.Norm.Scale
	for ch := range c {
		a := scale / pick(l.Norm.Std, ch)
		b := -pick(l.Norm.Mean, ch) / pick(l.Norm.Std, ch)
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
			if set.Bytes != nil && dx == 0 && !flip {
				for i, v := range set.Bytes[row : row+w] {
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
				} else if set.Bytes != nil {
					out[i] = float32(set.Bytes[row+k])*a + b
				} else {
					out[i] = set.Floats[row+k]*a + b
				}
			}
		}
	}
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
