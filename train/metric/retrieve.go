package metric

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

var recallAtMetric = define(&Metric{Name: "recall-at-k", Doc: "share of samples one of whose k nearest other samples, by their embeddings, is of the same class; those alone in their class are left out", Unit: "%", Higher: true,
	Outputs: []string{"embedding"}, Targets: []string{"label"}, Target: Classes,
	Params: []Param{
		{Name: "k", Default: "1", Range: "[1,)", Whole: true, Doc: "how many neighbours count"},
		{Name: "distance", Default: "cosine", Choices: []string{"cosine", "euclidean"}, Doc: "what is near: by angle or by length"},
		ignoreParam,
	}}, func(p Params) state {
	return &retrieval{k: p.Whole("k", 1), cosine: p["distance"] == "cosine", ignore: int64(p.Whole("ignore", noLabel))}
})

// retrieval keeps embeddings, beside each other, and their labels.
type retrieval struct {
	k      int
	cosine bool
	ignore int64
	width  int
	x      []float32
	label  []int64
}

// mostProducts bounds the work of comparing all samples with all.
const mostProducts = 1 << 43

func (r *retrieval) add(b *batch) error {
	o, y := &b.out[0], &b.target[0]
	w := len(o.f) / b.n
	if len(y.i) != b.n || o.shape[0] != b.n {
		return fmt.Errorf("%s has shape %v, and %s %v: one embedding and one label for each sample are needed", o.name, o.shape, y.name, y.shape)
	}
	if r.width == 0 {
		r.width = w
	}
	if w != r.width {
		return fmt.Errorf("%s has %d numbers for a sample, where there were %d", o.name, w, r.width)
	}
	if n := len(r.label) + b.n; n*w > mostKept*2 || float64(n)*float64(n)*float64(w) > mostProducts {
		return fmt.Errorf("%d embeddings of %d numbers are too many: measure on fewer samples", n, w)
	}
	for s, l := range y.i {
		if l == r.ignore {
			continue
		}
		at := len(r.x)
		r.x = append(r.x, part(o.f, s, b.n)...)
		r.label = append(r.label, l)
		if r.cosine && !normalise(r.x[at:]) {
			return fmt.Errorf("%s of sample %d is zero: it has no direction", o.name, b.seen+s)
		}
	}
	return nil
}

// normalise gives a vector the length 1; false where it is zero.
func normalise(x []float32) bool {
	var s float64
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	if s == 0 {
		return false
	}
	s = 1 / math.Sqrt(s)
	for i := range x {
		x[i] = float32(float64(x[i]) * s)
	}
	return true
}

// near is how near two samples are: the higher, the nearer.
func (r *retrieval) near(i, j int) float64 {
	a, b := r.x[i*r.width:(i+1)*r.width], r.x[j*r.width:(j+1)*r.width]
	var s float64
	if r.cosine {
		for k, v := range a {
			s += float64(v) * float64(b[k])
		}
		return s
	}
	for k, v := range a {
		s -= square(float64(v) - float64(b[k]))
	}
	return s
}

// found says whether one of the k nearest of sample i is of its class. Of equally near
// ones, others come first, so that a network that gives one embedding to all finds
// nothing.
func (r *retrieval) found(i int, near []float64) bool {
	best := math.Inf(-1)
	for j := range r.label {
		near[j] = r.near(i, j)
		if j != i && r.label[j] == r.label[i] {
			best = math.Max(best, near[j])
		}
	}
	before := 0
	for j, y := range r.label {
		if y != r.label[i] && near[j] >= best {
			before++
		}
	}
	return before < r.k
}

func (r *retrieval) value() (float64, error) {
	size := map[int64]int{}
	for _, y := range r.label {
		size[y]++
	}
	var asked []int
	for i, y := range r.label {
		if size[y] > 1 {
			asked = append(asked, i)
		}
	}
	if len(asked) == 0 {
		return 0, fmt.Errorf("it is undefined: no two samples are of one class")
	}
	if r.k >= len(r.label)-1 {
		return 0, fmt.Errorf("k=%d of %d samples is never wrong: a smaller k is needed", r.k, len(r.label))
	}
	var right atomic.Int64 // whole numbers: the order of the workers does not matter
	var wait sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), len(asked))
	for piece := range slices.Chunk(asked, (len(asked)+workers-1)/workers) {
		wait.Go(func() {
			near := make([]float64, len(r.label))
			for _, i := range piece {
				if r.found(i, near) {
					right.Add(1)
				}
			}
		})
	}
	wait.Wait()
	return float64(right.Load()) / float64(len(asked)), nil
}
