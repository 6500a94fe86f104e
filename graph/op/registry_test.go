package op

import (
	"testing"

	"pare/graph/op/cases"
	"pare/tensor"
)

// Every operator has a gradient and cases that prove it, or a reason to have none.
func TestEveryOperator(t *testing.T) {
	has := map[key]bool{}
	for _, c := range cases.All() {
		has[key{c.Domain, c.Op}] = true
	}
	for k, d := range defs {
		_, none := noDerivative[k]
		switch {
		case none && has[k]:
			t.Errorf("%s has cases but is said to have no derivative: %s", k.name, noDerivative[k])
		case none:
		case d.Grad == nil && d.Decompose == nil:
			t.Errorf("%s has neither Grad nor Decompose: write one, or give a reason in noDerivative", k.name)
		case !has[k]:
			t.Errorf("%s has no case: add one to graph/op/cases, so that its gradient is checked", k.name)
		}
	}
	for k := range noDerivative {
		if defs[k] == nil {
			t.Errorf("%s is not registered", k.name)
		}
	}
	for k := range has {
		if defs[k] == nil {
			t.Errorf("%s has cases but is not registered", k.name)
		}
	}
}

// The gradients of every case, and the gradients of these, are those that
// finite differences give.
func TestEveryGradient(t *testing.T) {
	for _, c := range cases.All() {
		t.Run(c.Name(), func(t *testing.T) {
			g, in := c.Graph()
			if err := InferAll(g); err != nil {
				t.Fatal(err)
			}
			if c.First != "" {
				checkGrad(t, g, in)
				return
			}
			checkGrad2(t, g, in)
		})
	}
}

// What an operator is written out as computes the same.
func TestEveryDecomposition(t *testing.T) {
	for _, c := range cases.All() {
		if Lookup(c.Domain, c.Op).Decompose == nil {
			continue
		}
		t.Run(c.Name(), func(t *testing.T) {
			g, in := c.Graph()
			if err := InferAll(g); err != nil {
				t.Fatal(err)
			}
			checkExpand(t, g, in)
		})
	}
}

// An operator that is constant but for jumps hands no gradient on.
func TestNoDerivative(t *testing.T) {
	for k, why := range noDerivative {
		d := defs[k]
		if d == nil || why != "constant but for jumps" || k.domain != "" {
			continue
		}
		g, _ := oneNode(t, 20, k.domain, k.name, 1, []*tensor.Tensor{f64(.3, -.3)})
		dx, err := Gradient(g, g.Outputs[0], nil, g.Inputs)
		if err != nil || dx[0] != nil {
			t.Errorf("%s: gradient %v, %v", k.name, dx, err)
		}
	}
}
