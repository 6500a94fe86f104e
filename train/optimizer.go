package train

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/internal/kernel"
)

// Param is a trained tensor with its gradient and the optimiser's state.
type Param struct {
	*graph.Value
	W, G  []float32   // weights and gradient, flat in the tensor's order
	State [][]float32 // buffers of the optimiser, each as long as W
	Decay bool        // weight decay applies (not to biases and norms where excluded)

	grad *graph.Value // of the step's graph; nil: the loss does not depend on it
}

// Optimizer moves parameters against their gradients.
type Optimizer interface {
	// Buffers is the number of state buffers a parameter needs.
	Buffers() int
	// Step moves p at rate lr; t counts the steps from 0 that its state has seen.
	Step(p *Param, lr float64, t int)
}

// SGD is stochastic gradient descent: g += decay*w; m = momentum*m + g;
// w -= lr*m, or lr*(g + momentum*m) with Nesterov (Sutskever et al. 2013, in
// PyTorch's form, dampening 0).
type SGD struct {
	Momentum float64
	Decay    float64
	Nesterov bool
}

// Buffers is 1 with momentum.
func (o SGD) Buffers() int {
	if o.Momentum == 0 {
		return 0
	}
	return 1
}

// Step moves p.
func (o SGD) Step(p *Param, lr float64, t int) {
	k := kernel.SGDStep{LR: lr, Momentum: o.Momentum, Nesterov: o.Nesterov}
	if p.Decay {
		k.WeightDecay = o.Decay
	}
	var m []float32
	if o.Momentum != 0 {
		m = p.State[0]
	}
	k.Step(p.W, p.G, m, nil)
}

// Adam is Kingma & Ba 2015; with Decoupled it is AdamW (Loshchilov & Hutter
// 2019): the decay does not pass through the moments.
type Adam struct {
	Beta1, Beta2, Eps float64
	Decay             float64
	Decoupled         bool
}

// Buffers is 2: the first and second moments.
func (o Adam) Buffers() int { return 2 }

// Step moves p.
func (o Adam) Step(p *Param, lr float64, t int) {
	k := kernel.AdamStep{LR: lr, Beta1: o.Beta1, Beta2: o.Beta2, Eps: o.Eps, Decoupled: o.Decoupled, T: t + 1}
	if p.Decay {
		k.WeightDecay = o.Decay
	}
	k.Step(p.W, p.G, p.State[0], p.State[1], nil)
}

// Still moves nothing: the weights are frozen, and neither decay nor momentum
// touches them.
type Still struct{}

// Buffers is 0.
func (Still) Buffers() int { return 0 }

// Step leaves p as it is.
func (Still) Step(*Param, float64, int) {}

// OptimizerHelp explains ParseOptimizer's names.
const OptimizerHelp = "sgd | nesterov | adam | adamw"

// ParseOptimizer makes an optimiser by name with the usual constants.
func ParseOptimizer(name string, momentum, decay float64) (Optimizer, error) {
	if momentum < 0 || momentum >= 1 {
		return nil, fmt.Errorf("momentum %v is outside [0,1)", momentum)
	}
	if decay < 0 || math.IsNaN(decay) {
		return nil, fmt.Errorf("weight decay %v is negative", decay)
	}
	switch name {
	case "sgd":
		return SGD{Momentum: momentum, Decay: decay}, nil
	case "nesterov":
		return SGD{Momentum: momentum, Decay: decay, Nesterov: true}, nil
	case "adam":
		return Adam{.9, .999, 1e-8, decay, false}, nil
	case "adamw":
		return Adam{.9, .999, 1e-8, decay, true}, nil
	}
	return nil, fmt.Errorf("unknown optimiser %q: use %s", name, OptimizerHelp)
}
