package hygiene

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"sort"

	"pare/catalog"
	"pare/dataset"
)

// Hashes are perceptual hashes of images, 64 bits of each (pHash; Zauner: Implementation
// and Benchmarking of Perceptual Image Hash Functions, 2010): the gray image of 32x32
// pixels, the 8x8 lowest frequencies of its cosine transform, and for each whether it is
// above their median. It is an error where samples are no images.
func Hashes(ctx context.Context, c Corpus) ([]uint64, error) {
	out := make([]uint64, 0, c.Len())
	h := newHasher()
	for _, s := range c {
		f := s.X()
		if !isImage(f) {
			return nil, fmt.Errorf("the samples of the %s set, of shape %v, are no images: they have no perceptual hash", s.Name, f.Shape)
		}
		err := each(ctx, s, []int{0}, func(i int, x []sample) error {
			out = append(out, h.hash(x[0].X, f.Shape))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// isImage says whether a field holds images: one or three channels, height and width.
func isImage(f *dataset.Field) bool {
	return len(f.Shape) == 3 && f.Ints == nil && (f.Shape[0] == 1 || f.Shape[0] == 3)
}

// Hashable says whether all samples are images of 32 pixels a side at least: of smaller ones
// perceptual hashes say little.
func Hashable(c Corpus) bool {
	for _, s := range c {
		if f := s.X(); !isImage(f) || f.Shape[1] < hashed || f.Shape[2] < hashed {
			return false
		}
	}
	return len(c) > 0
}

const hashed = 32 // pixels of a side

// hasher is the memory that hashes take.
type hasher struct {
	gray, small, half []float64
	cosine            [8 * hashed]float64 // of frequency u at place x: cos(π(2x+1)u/64)
	low, order        [64]float64
}

func newHasher() *hasher {
	h := &hasher{small: make([]float64, hashed*hashed), half: make([]float64, hashed*8)}
	for u := range 8 {
		for x := range hashed {
			h.cosine[u*hashed+x] = math.Cos(math.Pi * float64((2*x+1)*u) / (2 * hashed))
		}
	}
	return h
}

func (h *hasher) hash(x []float32, shape []int) uint64 {
	height, width := shape[1], shape[2]
	n := height * width
	h.gray = slices.Grow(h.gray[:0], n)[:n]
	for i := range h.gray {
		h.gray[i] = float64(x[i])
		if shape[0] == 3 { // ITU-R BT.601
			h.gray[i] = .299*float64(x[i]) + .587*float64(x[n+i]) + .114*float64(x[2*n+i])
		}
	}
	h.shrink(height, width)
	for y := range hashed {
		for u := range 8 {
			s := 0.
			for x, v := range h.small[y*hashed : (y+1)*hashed] {
				s += v * h.cosine[u*hashed+x]
			}
			h.half[y*8+u] = s
		}
	}
	for v := range 8 {
		for u := range 8 {
			s := 0.
			for y := range hashed {
				s += h.half[y*8+u] * h.cosine[v*hashed+y]
			}
			h.low[v*8+u] = s
		}
	}
	h.order = h.low
	slices.Sort(h.order[:])
	median := (h.order[31] + h.order[32]) / 2
	var out uint64
	for i, v := range h.low {
		if v > median {
			out |= 1 << i
		}
	}
	return out
}

// shrink makes 32x32 pixels, each the mean of the area that it covers.
func (h *hasher) shrink(height, width int) {
	if height == hashed && width == hashed {
		copy(h.small, h.gray)
		return
	}
	for y := range hashed {
		for x := range hashed {
			sum, area := 0., 0.
			over(y, height, func(i int, a float64) {
				over(x, width, func(j int, b float64) {
					sum += a * b * h.gray[i*width+j]
					area += a * b
				})
			})
			h.small[y*hashed+x] = sum / area
		}
	}
}

// over gives the pixels, of n in a row, that pixel k of 32 covers, and how much of each.
func over(k, n int, f func(i int, share float64)) {
	lo, hi := float64(k)*float64(n)/hashed, float64(k+1)*float64(n)/hashed
	for i := int(lo); i < n && float64(i) < hi; i++ {
		if share := min(hi, float64(i+1)) - max(lo, float64(i)); share > 0 {
			f(i, share)
		}
	}
}

// NearHashes are the pairs whose hashes differ in no more than within bits. Two such
// share one of within+1 pieces of the hash at least, so only those that do are compared
// (Norouzi, Punjani and Fleet: Fast Search in Hamming Space with Multi-Index Hashing, CVPR 2012).
func NearHashes(ctx context.Context, hashes []uint64, within int) ([]Pair, error) {
	if within < 0 || within > 16 {
		return nil, catalog.Errorf("{Within} %d: from 0 to 16 of the 64 bits of a hash may differ", within)
	}
	var out []Pair
	order := make([]int32, len(hashes))
	for piece := range within + 1 {
		from, to := piece*64/(within+1), (piece+1)*64/(within+1)
		mask := (^uint64(0) >> (64 - (to - from))) << from
		for i := range order {
			order[i] = int32(i)
		}
		sort.SliceStable(order, func(a, b int) bool { return hashes[order[a]]&mask < hashes[order[b]]&mask })
		for lo := 0; lo < len(order); {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			hi := lo + 1
			for hi < len(order) && hashes[order[hi]]&mask == hashes[order[lo]]&mask {
				hi++
			}
			for i, a := range order[lo:hi] {
				for _, b := range order[lo+i+1 : hi] {
					if d := bits.OnesCount64(hashes[a] ^ hashes[b]); d <= within {
						out = append(out, Pair{a, b, float32(d)})
					}
				}
			}
			lo = hi
		}
		out = sorted(out)
	}
	return out, nil
}
