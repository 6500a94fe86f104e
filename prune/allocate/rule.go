package allocate

import (
	"fmt"

	"pare/prune"
)

// Rule says how many weights of each layer stay at a sparsity in [0,1).
type Rule func(ws []*prune.Weight, sparsity float64) (keep []int, err error)

// ER keeps a share of a layer proportional to (outputs + inputs)/(outputs*inputs),
// see ErdosRenyi.
func ER(ws []*prune.Weight, sparsity float64) ([]int, error) { return ErdosRenyi(ws, sparsity, false) }

// ERK is ER with the sizes of the kernel in the sum and the product.
func ERK(ws []*prune.Weight, sparsity float64) ([]int, error) { return ErdosRenyi(ws, sparsity, true) }

// Name is a way to spread a sparsity over layers by its name, as settings hold it:
// "global" ranks the weights of all layers together; the others are rules.
type Name string

// Together is the name of the way that has no rule.
const Together Name = "global"

// rules are those that settings may name.
var rules = map[Name]Rule{"uniform": Uniform, "er": ER, "erk": ERK}

// Rule gives the rule of a name. It returns an error for one that has none.
func (n Name) Rule() (Rule, error) {
	if r := rules[n]; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("there is no allocation %q that says how much of each layer stays: there are uniform, er and erk", n)
}

// Masks keeps the weights of the highest scores at a sparsity: of all layers
// together, with a least number of weights of each layer (floor; nil: none), or in
// each layer as many as the rule says (of equal scores the first goes first).
func (n Name) Masks(ws []*prune.Weight, score [][]float32, sparsity float64, floor []int) (*prune.Masks, error) {
	if n == Together {
		return Global(ws, score, sparsity, floor)
	}
	rule, err := n.Rule()
	if err != nil {
		return nil, err
	}
	return rule.Masks(ws, score, sparsity)
}

// Masks keeps in each layer the weights of the highest scores, as many as the rule
// says (of equal scores the first goes first).
func (r Rule) Masks(ws []*prune.Weight, score [][]float32, sparsity float64) (*prune.Masks, error) {
	keep, err := r(ws, sparsity)
	if err != nil {
		return nil, err
	}
	return Select(ws, score, keep, prune.CutFirst), nil
}

// One is the floor of one weight in each layer.
func One(ws []*prune.Weight) []int {
	out := make([]int, len(ws))
	for l := range out {
		out[l] = 1
	}
	return out
}
