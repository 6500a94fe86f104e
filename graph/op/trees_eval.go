package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// followed applies what is to follow on the scores of a row.
func followed(after string, y []float64) error {
	switch after {
	case "NONE":
	case "LOGISTIC":
		for i, x := range y {
			y[i] = 1 / (1 + math.Exp(-x))
		}
	case "SOFTMAX", "SOFTMAX_ZERO": // the second leaves zeros as they are
		most, sum := math.Inf(-1), 0.0
		for _, x := range y {
			most = max(most, x)
		}
		for i, x := range y {
			if after == "SOFTMAX_ZERO" && math.Abs(x) <= 1e-7 {
				y[i] = x * math.Exp(-most)
				continue
			}
			y[i] = math.Exp(x - most)
			sum += y[i]
		}
		for i := range y {
			if sum > 0 {
				y[i] /= sum
			}
		}
	case "PROBIT":
		for i, x := range y {
			y[i] = math.Sqrt2 * math.Erfinv(2*x-1)
		}
	default:
		return fmt.Errorf("what follows on its scores, %q, is not known", after)
	}
	return nil
}

// regressed are the targets of rows of features.
func (f *forest) regressed(x *tensor.Tensor, d tensor.DType) ([]*tensor.Tensor, error) {
	rows, err := rowsOf(x)
	if err != nil {
		return nil, err
	}
	var out []float64
	for _, row := range rows {
		y, seen, err := f.scores(row)
		if err != nil {
			return nil, err
		}
		for i := range f.base {
			if seen[i] { // others stay 0 in ONNX Runtime
				y[i] += f.base[i]
			}
		}
		if err := followed(f.after, y); err != nil {
			return nil, err
		}
		out = append(out, y...)
	}
	return single(ofFloats(d, []int{len(rows), f.targets}, out))
}

// rowsOf cuts [batch features] apart; a vector is one row.
func rowsOf(x *tensor.Tensor) ([][]float64, error) {
	v, err := x.Float64s()
	if err != nil {
		return nil, err
	}
	if x.Rank() < 1 || x.Rank() > 2 {
		return nil, fmt.Errorf("%v is not [batch features]", x)
	}
	k := x.Shape[x.Rank()-1]
	var out [][]float64
	for i := range prod(x.Shape[:x.Rank()-1]) {
		out = append(out, v[i*k:(i+1)*k])
	}
	return out, nil
}

// classified are the labels and the scores of rows.
func (f *forest) classified(x *tensor.Tensor) ([]*tensor.Tensor, error) {
	rows, err := rowsOf(x)
	if err != nil {
		return nil, err
	}
	binary, shares := f.binary()
	best, out := make([]int, len(rows)), []float64{}
	for r, row := range rows {
		y, seen, err := f.scores(row)
		if err != nil {
			return nil, err
		}
		if binary >= 0 {
			if y, best[r], err = f.twoScores(y, binary, shares); err != nil {
				return nil, err
			}
			out = append(out, y...)
			continue
		}
		for i := range f.base {
			y[i], seen[i] = y[i]+f.base[i], true
		}
		best[r] = bestOf(y, seen)
		if err := followed(f.after, y); err != nil {
			return nil, err
		}
		out = append(out, y...)
	}
	at := tensor.New(tensor.Int64, len(best))
	for i, k := range best {
		tensor.Of[int64](at)[i] = int64(k)
	}
	labels, err := Lookup("", "Gather").Eval(&graph.Node{}, 13, []*tensor.Tensor{f.labels, at})
	if err != nil {
		return nil, err
	}
	z, err := ofFloats(tensor.Float32, []int{len(rows), f.targets}, out)
	return []*tensor.Tensor{labels[0], z}, err
}

// twoScores are the scores of two classes, and the better, where all leaves vote for one
// of them, as ONNX Runtime has it. Votes for the first class are a score of the second:
// beside what is left of 1 where all weights are shares, else beside its opposite; nothing
// but LOGISTIC follows on it. Votes for the second stand beside 0.
func (f *forest) twoScores(y []float64, class int, shares bool) ([]float64, int, error) {
	switch {
	case len(f.base) > 1:
		return nil, 0, fmt.Errorf("two base values for leaves that vote for one of two classes are not known")
	case class == 1 && len(f.base) == 1:
		y[0] += f.base[0]
	case class == 0:
		s := y[0]
		if len(f.base) == 1 {
			s += f.base[0]
		}
		if y = []float64{-s, s}; shares && f.after != "LOGISTIC" {
			y[0] = 1 - s
		}
	}
	best := 0
	if y[1] > 0 && !shares || y[1] > .5 {
		best = 1
	}
	if class == 0 && f.after != "LOGISTIC" {
		if f.after == "PROBIT" {
			return nil, 0, fmt.Errorf("PROBIT of one score for two classes is not known")
		}
		return y, best, nil
	}
	return y, best, followed(f.after, y)
}

// bestOf is the first of the largest scores that have a vote.
func bestOf(y []float64, seen []bool) int {
	best := -1
	for i := range y {
		if seen[i] && (best < 0 || y[i] > y[best]) {
			best = i
		}
	}
	return max(best, 0)
}

// binary is the one class of two that all leaves vote for, or -1; shares says that no
// weight is negative.
func (f *forest) binary() (class int, shares bool) {
	class, shares = -1, true
	for _, l := range f.leaves {
		for _, v := range l {
			if class >= 0 && v.target != class {
				return -1, false
			}
			class, shares = v.target, shares && v.weight >= 0
		}
	}
	if f.targets != 2 {
		return -1, false
	}
	return class, shares
}

// trees is the definition of an operator of decision trees.
func trees(name string, read func(n *graph.Node) (*forest, error)) Def {
	return Def{Domain: LearnedDomain, Name: name, Grad: noGrad,
		Infer: func(c *Infer) error {
			f, err := read(c.Node)
			if err != nil {
				return err
			}
			batch := graph.N(1)
			if s := c.Shape(0); len(s) == 2 {
				batch = s[0]
			} else if s == nil {
				batch = unknownDim(c, 0, 0)
			}
			d := tensor.Float32
			if name == "TreeEnsemble" {
				d = c.DType(0)
			}
			if f.labels == nil {
				c.Out(0, d, graph.Shape{batch, graph.N(f.targets)})
				return nil
			}
			c.Out(0, f.labels.DType, graph.Shape{batch})
			c.Out(1, tensor.Float32, graph.Shape{batch, graph.N(f.targets)})
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			f, err := read(n)
			if err != nil {
				return nil, err
			}
			if f.labels != nil {
				return f.classified(in[0])
			}
			if name == "TreeEnsemble" {
				return f.regressed(in[0], in[0].DType)
			}
			return f.regressed(in[0], tensor.Float32)
		}}
}

var _ = register(trees("TreeEnsembleRegressor", forestOf), trees("TreeEnsembleClassifier", forestOf), trees("TreeEnsemble", ensembleOf))
