package metric

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

var (
	pearsonMetric = define(&Metric{Name: "pearson", Doc: "Pearson's correlation of a score with the target, one number each; of two embeddings, of their cosine", Higher: true,
		Outputs: []string{"score", "other?"}, Targets: []string{"target"}, Target: Numbers},
		func(Params) state { return &correlation{} })
	spearmanMetric = define(&Metric{Name: "spearman", Doc: "Spearman's correlation of the ranks of a score with those of the target, one number each; of two embeddings, of their cosine", Higher: true,
		Outputs: []string{"score", "other?"}, Targets: []string{"target"}, Target: Numbers},
		func(Params) state { return &correlation{ranks: true} })
)

// correlation keeps a score and a target of each sample.
type correlation struct {
	ranks bool
	x, y  []float64
}

func (c *correlation) add(b *batch) error {
	o, t := &b.out[0], &b.target[0]
	if len(t.f) != b.n {
		return fmt.Errorf("%s has shape %v: one number for each sample is needed", t.name, t.shape)
	}
	if len(c.x)+b.n > mostKept/2 {
		return fmt.Errorf("more than %d scores: measure on fewer samples", mostKept/2)
	}
	if len(b.out) == 1 && len(o.f) != b.n {
		return fmt.Errorf("%s has shape %v: one number for each sample is needed, or two embeddings", o.name, o.shape)
	}
	for s := range b.n {
		x := float64(o.f[s*len(o.f)/b.n])
		if len(b.out) == 2 {
			if !slices.Equal(o.shape, b.out[1].shape) {
				return fmt.Errorf("%s has shape %v, and %s %v: they must be the same", o.name, o.shape, b.out[1].name, b.out[1].shape)
			}
			k := len(o.f) / b.n
			x = cosine(o.f[s*k:(s+1)*k], b.out[1].f[s*k:(s+1)*k])
		}
		c.x, c.y = append(c.x, x), append(c.y, float64(t.f[s]))
	}
	return nil
}

func (c *correlation) value() (float64, error) {
	x, y := c.x, c.y
	if c.ranks {
		x, y = ranks(x), ranks(y)
	}
	mx, my := mean(x), mean(y)
	var xx, yy, xy float64
	for i := range x {
		dx, dy := x[i]-mx, y[i]-my
		xx, yy, xy = xx+dx*dx, yy+dy*dy, xy+dx*dy
	}
	if xx == 0 || yy == 0 {
		return 0, fmt.Errorf("it is undefined: the %s is the same for all %d samples", map[bool]string{true: "score", false: "target"}[xx == 0], len(x))
	}
	return xy / math.Sqrt(xx) / math.Sqrt(yy), nil
}

func mean(x []float64) float64 {
	var s float64
	for _, v := range x {
		s += v
	}
	return s / float64(len(x))
}

// ranks are the places of numbers in their order; equal ones share the mean of theirs.
func ranks(x []float64) []float64 {
	at := make([]int, len(x))
	for i := range at {
		at[i] = i
	}
	slices.SortFunc(at, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	out := make([]float64, len(x))
	for i := 0; i < len(at); {
		j := i
		for ; j < len(at) && x[at[j]] == x[at[i]]; j++ {
		}
		for k := i; k < j; k++ {
			out[at[k]] = float64(i+j-1) / 2
		}
		i = j
	}
	return out
}

// cosine of the angle between two vectors: 1 where both are zero, 0 where one is.
func cosine(a, b []float32) float64 {
	var aa, bb, ab float64
	for i, v := range a {
		x, y := float64(v), float64(b[i])
		aa, bb, ab = aa+x*x, bb+y*y, ab+x*y
	}
	switch {
	case aa == 0 && bb == 0:
		return 1
	case aa == 0 || bb == 0:
		return 0
	}
	return ab / math.Sqrt(aa) / math.Sqrt(bb)
}
