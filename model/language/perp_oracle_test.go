package language

import (
	"math"
	"math/rand/v2"
	"testing"

	"pare/internal/modeltest"
	"pare/internal/oracle"
	"pare/model"
)

// thinByHand is a product beside a weight, in plain loops.
type thinByHand struct {
	a, b   *oracle.Tensor
	source []float64
	mask   []bool // nil: all
	cut    []bool // what stays in the end; nil: all
	times  bool
	s      float64
	in     int
	rank   int
}

// entry is of the product.
func (p *thinByHand) entry(i int) (x float64) {
	for k := range p.rank {
		x += p.b.X[i/p.in*p.rank+k] * p.a.X[k*p.in+i%p.in]
	}
	return p.s * x
}

func (p *thinByHand) write(w []float64) {
	for i := range w {
		switch {
		case p.mask != nil && !p.mask[i]:
			w[i] = 0
		case p.times:
			w[i] = p.source[i] * p.entry(i)
		default:
			w[i] = p.source[i] + p.entry(i)
		}
	}
}

func (p *thinByHand) grade(g []float64) {
	clear(p.a.G)
	clear(p.b.G)
	for i, x := range g {
		if p.mask != nil && !p.mask[i] {
			continue
		}
		if p.times {
			x *= p.source[i]
		}
		for k := range p.rank {
			p.b.G[i/p.in*p.rank+k] += p.s * x * p.a.X[k*p.in+i%p.in]
			p.a.G[k*p.in+i%p.in] += p.s * x * p.b.X[i/p.in*p.rank+k]
		}
	}
}

// byHand is PERP of a perceptron cut by magnitude.
func byHand(t *testing.T, j *model.Job, s *PERP) *oracle.Training {
	r := oracle.NewTraining(t, j)
	steps := r.Steps
	warm := steps / 10
	r.Recipe.Optimizer, r.Recipe.Decay = "adamw", 0
	r.Falls = func(step int) float64 {
		if step < warm {
			return s.Rate * float64(step+1) / float64(warm)
		}
		return s.Rate * float64(steps-step) / float64(steps-warm)
	}
	draw := rand.New(rand.NewPCG(j.Seed, 0x9e49))
	var thin []*thinByHand
	last := len(r.Net.Layers) - 1
	for i, l := range r.Net.Layers {
		p := &thinByHand{source: append([]float64{}, l.W.X...), s: s.Alpha / float64(s.Rank), in: l.In, rank: s.Rank}
		if i < last {
			n := len(l.W.X)
			cut := int(math.Round(s.Sparsity * float64(n)))
			p.mask = oracle.Best(t, oracle.Sizes(l.W.X), n-cut, oracle.CutFirst)
			for k := range p.source {
				if !p.mask[k] {
					p.source[k] = 0
				}
			}
		}
		if s.Adapter == "lora-prune" {
			p.mask, p.cut = nil, p.mask
		}
		p.a, p.b = oracle.NewTensor("a", make([]float64, s.Rank*l.In)), oracle.NewTensor("b", make([]float64, l.Out*s.Rank))
		if p.times = s.Adapter == "scalelora" && i < last; p.times {
			p.s = 1
			for _, x := range []*oracle.Tensor{p.a, p.b} {
				for k := range x.X {
					x.X[k] = 1 / math.Sqrt(float64(s.Rank))
				}
			}
		} else {
			for k := range p.a.X {
				p.a.X[k] = float64(float32(1 / math.Sqrt(float64(l.In)) * (2*draw.Float64() - 1)))
			}
		}
		p.write(l.W.X)
		thin = append(thin, p)
	}
	r.Graded = func(int) {
		for i, l := range r.Net.Layers {
			thin[i].grade(l.W.G)
		}
	}
	r.After = func(step int) {
		for i, l := range r.Net.Layers {
			r.Move(thin[i].a, step)
			r.Move(thin[i].b, step)
			thin[i].write(l.W.X)
		}
	}
	done := r.Run()
	for i, l := range r.Net.Layers {
		for k, stays := range thin[i].cut {
			if !stays {
				l.W.X[k] = 0
			}
		}
	}
	return done
}

// The whole of the method, in float64.
func TestPERPOracle(t *testing.T) {
	for _, adapter := range []string{"masklora", "scalelora", "lora-prune"} {
		j := modeltest.Job(t, 2)
		s := NewPERP()
		s.Adapter, s.Rank, s.Alpha, s.Rate, s.Sparsity = adapter, 3, 4, .01, .6
		r := byHand(t, j, s)
		r.Net.Numbers(t, adapter, modeltest.Run(t, s, j).Graph)
	}
}
