package federated

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"pare/train"
)

// Aggregate says how the numbers of clients become one: "mean", weighted by the clients'
// samples, or "trimmed:SHARE", the plain mean of each number after the SHARE smallest and
// the SHARE largest are left out (Yin, Chen, Kannan, Bartlett 2018, arXiv 1803.01498).
type Aggregate string

// trim is the share that is left out at each end; 0 for the mean.
func (a Aggregate) trim() (float64, error) {
	if a == "mean" {
		return 0, nil
	}
	if text, ok := strings.CutPrefix(string(a), "trimmed:"); ok {
		if x, err := strconv.ParseFloat(text, 64); err == nil && x > 0 && x < .5 {
			return x, nil
		}
	}
	return 0, fmt.Errorf("%q is neither mean nor trimmed:SHARE with a share between 0 and 0.5", string(a))
}

// combiner makes one of the numbers of several clients.
type combiner struct {
	weight []float64 // of the clients, summing to 1; nil: trimmed
	out    int       // numbers that are left out at each end
}

// newCombiner is for clients of so many samples each.
func newCombiner(a Aggregate, samples []int) combiner {
	share, _ := a.trim() // Run has said what is wrong
	if share > 0 {
		return combiner{out: int(math.Ceil(share*float64(len(samples)) - 1e-9))}
	}
	total := 0
	for _, n := range samples {
		total += n
	}
	c := combiner{}
	for _, n := range samples {
		c.weight = append(c.weight, float64(n)/float64(total))
	}
	return c
}

// one makes one number of those of the clients, over which it writes.
func (c combiner) one(x []float64) float64 {
	sum := 0.0
	if c.weight != nil {
		for k, v := range x {
			sum += c.weight[k] * v
		}
		return sum
	}
	slices.Sort(x)
	out := min(c.out, (len(x)-1)/2)
	x = x[out : len(x)-out]
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// tensors makes one tensor of those of the clients.
func (c combiner) tensors(of [][]float32) []float32 {
	out := make([]float32, len(of[0]))
	x := make([]float64, len(of))
	for i := range out {
		for k := range of {
			x[k] = float64(of[k][i])
		}
		out[i] = float32(c.one(x))
	}
	return out
}

// moments pools the statistics of the clients: the variance of all values together has
// the spread of the means in it,
//
//	mean = sum p_k mean_k,  var = sum p_k (var_k + mean_k^2) - mean^2
func (c combiner) moments(of []train.Moments) train.Moments {
	n := len(of[0].Mean)
	out := train.Moments{Mean: make([]float32, n), Var: make([]float32, n)}
	x := make([]float64, len(of))
	for i := range n {
		for k, m := range of {
			x[k] = float64(m.Mean[i])
		}
		mean := c.one(x)
		for k, m := range of {
			d := float64(m.Mean[i]) - mean // the same, without the difference of two large numbers
			x[k] = float64(m.Var[i]) + d*d
		}
		out.Mean[i], out.Var[i] = float32(mean), float32(c.one(x))
	}
	return out
}

// allNorms pools the statistics of every normalisation.
func (c combiner) allNorms(of [][]train.Moments) []train.Moments {
	var out []train.Moments
	for i := range of[0] {
		at := make([]train.Moments, len(of))
		for k := range of {
			at[k] = of[k][i]
		}
		out = append(out, c.moments(at))
	}
	return out
}

// model makes one model of those of the clients.
func (c combiner) model(of []*Model) *Model {
	out := &Model{Values: [][]float32{}, Dense: [][]float32{}}
	at := make([][]float32, len(of))
	for i := range of[0].Values {
		for k, m := range of {
			at[k] = m.Values[i]
		}
		out.Values = append(out.Values, c.tensors(at))
	}
	for i := range of[0].Dense {
		for k, m := range of {
			at[k] = m.Dense[i]
		}
		out.Dense = append(out.Dense, c.tensors(at))
	}
	norms := make([][]train.Moments, len(of))
	for k, m := range of {
		norms[k] = m.Norms
	}
	out.Norms = c.allNorms(norms)
	return out
}

// clip moves a client's model towards the one that it started from until they are no
// further apart than a norm. It says whether it had to.
func clip(m, from *Model, most float64) bool {
	sum := 0.0
	pairs := func(f func(x, y []float32)) {
		for i := range m.Values {
			f(m.Values[i], from.Values[i])
		}
		for i := range m.Dense {
			f(m.Dense[i], from.Dense[i])
		}
	}
	pairs(func(x, y []float32) {
		for i := range x {
			d := float64(x[i]) - float64(y[i])
			sum += d * d
		}
	})
	norm := math.Sqrt(sum)
	if norm <= most {
		return false
	}
	pairs(func(x, y []float32) {
		for i := range x {
			x[i] = float32(float64(y[i]) + (float64(x[i])-float64(y[i]))*most/norm)
		}
	})
	return true
}
