package kernel

import "math"

// SGDStep is stochastic gradient descent with momentum, as PyTorch defines it:
// g = d + WeightDecay*w; m = Momentum*m + g; w -= LR*m, or with Nesterov
// w -= LR*(g + Momentum*m).
type SGDStep struct {
	LR, Momentum, WeightDecay float64
	Nesterov                  bool
}

// Step moves the weights w by the gradient d. m is the momentum, nil where
// Momentum is 0. Where mask (0 or 1; nil: all 1) is 0, the weight and its
// momentum become 0.
func (s *SGDStep) Step(w, d, m, mask []float32) {
	a := &sgdArgs{lr: float32(s.LR), mu: float32(s.Momentum), wd: float32(s.WeightDecay), fromM: 1}
	if s.Nesterov {
		a.fromG, a.fromM = 1, float32(s.Momentum)
	}
	if m == nil {
		a.fromG, a.fromM = 1, 0
	}
	checkStep(len(w), d, m, mask)
	sgdStepVec(w, d, m, mask, a)
}

// sgdArgs: w -= lr*(fromG*g + fromM*m). The order is known to the generator.
type sgdArgs struct{ lr, mu, wd, fromG, fromM float32 }

func checkStep(n int, all ...[]float32) {
	for _, x := range all {
		if x != nil && len(x) < n {
			panic("kernel: operands of unequal length")
		}
	}
}

func goSGD(w, d, m, mask []float32, a *sgdArgs) {
	for i := range w {
		g := d[i] + a.wd*w[i]
		if mask != nil {
			g *= mask[i]
		}
		step := a.fromG * g
		if m != nil {
			v := a.mu*m[i] + g
			if mask != nil {
				v *= mask[i]
			}
			m[i] = v
			step += a.fromM * v
		}
		w[i] -= a.lr * step
		if mask != nil {
			w[i] *= mask[i]
		}
	}
}

// AdamStep is Adam (Kingma and Ba 2015) with bias correction; Decoupled makes
// it AdamW (Loshchilov and Hutter 2019), where the decay does not pass through
// the moments.
type AdamStep struct {
	LR, Beta1, Beta2, Eps, WeightDecay float64
	Decoupled                          bool
	T                                  int // number of this step, from 1
}

// adamArgs: g = d + wd*w; w = keep*w - lr*m/(sqrt(v)*isv + eps). The order is
// known to the generator.
type adamArgs struct{ b1, c1, b2, c2, lr, isv, eps, wd, keep float32 }

// Step moves the weights w by the gradient d with first and second moments m
// and v. Where mask (0 or 1; nil: all 1) is 0, the weight becomes 0.
func (s *AdamStep) Step(w, d, m, v, mask []float32) {
	t := float64(s.T)
	a := &adamArgs{b1: float32(s.Beta1), c1: float32(1 - s.Beta1), b2: float32(s.Beta2), c2: float32(1 - s.Beta2), eps: float32(s.Eps), keep: 1}
	a.lr = float32(s.LR / (1 - math.Pow(s.Beta1, t)))
	a.isv = float32(1 / math.Sqrt(1-math.Pow(s.Beta2, t)))
	if s.Decoupled {
		a.keep = float32(1 - s.LR*s.WeightDecay)
	} else {
		a.wd = float32(s.WeightDecay)
	}
	checkStep(len(w), d, m, v, mask)
	adamVec(w, d, m, v, mask, a)
}

func goAdam(w, d, m, v, mask []float32, a *adamArgs) {
	for i := range w {
		g := d[i] + a.wd*w[i]
		if mask != nil {
			g *= mask[i]
		}
		m[i] = a.b1*m[i] + a.c1*g
		v[i] = a.b2*v[i] + a.c2*g*g
		w[i] = a.keep*w[i] - a.lr*m[i]/(float32(math.Sqrt(float64(v[i])))*a.isv+a.eps)
		if mask != nil {
			w[i] *= mask[i]
		}
	}
}
