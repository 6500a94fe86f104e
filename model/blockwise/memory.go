package blockwise

import (
	"runtime/metrics"
	"sync"
	"time"

	"pare/catalog"
	"pare/report"
)

// plan is how the memory that may be taken is shared out.
type plan struct {
	together int // samples that run at once
	rows     int // bytes of activations between two blocks that are held in memory
	walk     int // bytes of activations between two layers of a block; 0: the usual
	piece    int // bytes of logits, and of rows of the output layer
	moments  int // bytes of the moments of a layer; 0: as walk
}

// largePiece is enough for products to be fast.
const largePiece = 16 << 20

// usual is the number of samples that run at once where there is memory.
const usual = 64

// What a part takes beside its weights as float32: the engine lays those of the layers that
// run out once more. A layer that is cut has scores and a mask; one that is solved has its
// matrix, the errors and the moves in float64, and the moments, their factor and its inverse.
const (
	copies   = 2
	rated    = 5  // bytes for a weight of a layer
	solved   = 20 // likewise
	matrices = 4  // as large as the moments
	slack    = .85
)

// planned shares the memory out. It returns an error where a part and one sample do not fit.
func (r *run) planned() (plan, error) {
	if r.opt.Memory == 0 {
		return plan{together: usual, rows: int(^uint(0) >> 2), piece: largePiece}, nil
	}
	part, layer := r.largest()
	need := copies*part + layer
	left := int(slack*float64(r.opt.Memory)) - need
	if r.Samples == 0 {
		if left < 0 {
			return plan{}, r.tooLarge(need)
		}
		return plan{together: usual}, nil
	}
	sample := r.sample()
	if left < 4*sample {
		return plan{}, r.tooLarge(need + 4*sample)
	}
	// Between two layers there are the activations of one and those of the other.
	return plan{together: max(1, min(usual, left/4/sample)), rows: left / 4, walk: left / 8, piece: min(largePiece, left/8), moments: layer}, nil
}

func (r *run) tooLarge(need int) error {
	need = int(float64(need) / slack)
	text := ""
	if r.endCut() {
		text = "; an output layer that is left whole (--exclude " + r.parts.Head() + ") is not read at all"
	}
	return catalog.Errorf("a block of the model with one sample takes about %s of memory, more than the %s that may be taken%s", report.Bytes(int64(need)).Text, report.Bytes(int64(r.opt.Memory)).Text, text)
}

// largest is the bytes of the largest part as float32, and of what cutting a layer takes at
// most.
func (r *run) largest() (part, layer int) {
	parts := map[int]int{}
	for _, w := range r.parts.All {
		n := size(w.Shape)
		i, inside := r.parts.BlockOf(w.Name)
		if !inside {
			if w.Name != r.parts.Head() || !r.endCut() {
				continue
			}
			i = -1
		}
		parts[i] += 4 * n
		part = max(part, parts[i])
		if len(w.Shape) < 2 {
			continue
		}
		cost := rated * n
		if cols := max(w.Shape[0], w.Shape[1]); r.Moments {
			if i < 0 {
				cols = w.Shape[1]
			}
			cost += solved*n + matrices*8*cols*cols
		}
		layer = max(layer, cost)
	}
	return part, layer
}

// sample is the bytes of what one sample makes of a block at once, about.
func (r *run) sample() int {
	c := r.parts
	length := c.Positions
	if d := r.job.Data; d != nil && d.Train != nil {
		for _, f := range d.Train.Fields {
			if len(f.Shape) > 0 {
				length = f.Shape[0]
				break
			}
		}
	}
	heads, inner := 0, 0
	for i := range c.Layers {
		w := c.Of(i)
		heads, inner = max(heads, w.Heads+2*w.KVHeads), max(inner, w.Intermediate)
	}
	n := length*(4*c.Hidden+4*inner+heads*c.HeadDim) + 3*heads*length*length
	if r.endCut() {
		n = max(n, length*2*c.Hidden)
	}
	return 4 * n
}

// watch notes the most memory that the process holds.
type watch struct {
	stop chan struct{}
	done chan int
	once sync.Once
	most int
}

// watchMemory begins to look on.
func watchMemory() *watch {
	w := &watch{stop: make(chan struct{}), done: make(chan int, 1)}
	go func() {
		s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		most := 0
		for {
			metrics.Read(s)
			most = max(most, int(s[0].Value.Uint64()-s[1].Value.Uint64()))
			select {
			case <-tick.C:
			case <-w.stop:
				w.done <- most
				return
			}
		}
	}()
	return w
}

// end gives the most bytes that were held.
func (w *watch) end() int {
	w.once.Do(func() {
		close(w.stop)
		w.most = <-w.done
	})
	return w.most
}
