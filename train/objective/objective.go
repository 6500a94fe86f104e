// Package objective holds what training makes small, as values: an [Objective] is
// a sum of weighted terms, a [Term] is a [Loss] between outputs of a network and
// targets, and a Loss describes itself and builds its nodes.
//
//	o, err := objective.Parse("cross-entropy(logits,labels,smoothing=0.1) + 0.5*smooth-l1(boxes,box)")
//
// The package knows neither samples nor training. Whoever binds an objective to a
// network finds the values that the names of a term stand for, brings them into the
// canonical layout that the loss asks for ([Loss.Layout], [Rows]), calls [Term.Build]
// for each term and [Sum] for all.
package objective

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Objective is a sum of weighted terms.
type Objective []Term

// Term is one loss between outputs of a network and targets.
type Term struct {
	Weight float64 // above 0
	Loss   *Loss

	// Args are the names of the outputs and then of the targets, as many as were
	// written, at most len(Loss.Outputs)+len(Loss.Targets): who binds guesses the rest.
	Args []string

	// Params are the settings that were written; Settings has them all.
	Params Params

	// File is the path of the ONNX file that an imported loss is read from, and Bind
	// what its inputs are bound to, by their names, where that was written.
	File  string
	Bind  map[string]string
	Graph *graph.Graph // what the file holds, once Load has read it
}

// Loss is a kind of term: a value that describes itself.
type Loss struct {
	Name, Doc string
	Paper     string // authors, year; "" where it is folklore

	Outputs, Targets []string // the roles of its arguments, in order, such as "output" and "class"

	Target Want   // what the targets must hold
	Layout Layout // of outputs and targets when Build gets them

	// Logits is the node whose input the loss takes, "softmax" (LogSoftmax is as
	// good) or "sigmoid": who binds takes the value before such a node where the
	// output ends in one. "" is the output as it is.
	Logits string

	Params []Param

	// Build adds nodes that compute the loss, a float32 scalar of shape [], of values
	// in the canonical layout. p has a value for every parameter that has a default.
	Build func(b *op.Builder, out, target []*graph.Value, p Params) (*graph.Value, error)

	// Factor is a constant by which what Build gives is still to be multiplied, once,
	// with the weight of the term in it; nil: 1.
	Factor func(out []*graph.Value, p Params) (float64, error)
}

// Want is what a target must hold.
type Want uint8

// What targets hold.
const (
	None    Want = iota // there is no target
	Classes             // whole numbers that name classes
	Tokens              // whole numbers, a sequence for each sample
	Numbers             // numbers, as many as the output has
	Teacher             // what another network gives in the place of the output
)

func (w Want) String() string {
	return [...]string{"nothing", "class numbers", "sequences of class numbers", "numbers", "a teacher's output"}[w]
}

// Layout is the canonical form of outputs and targets, which who binds guarantees.
type Layout uint8

const (
	// ByRows is out float32 [rows classes] and target int64 [rows], or of the shape of
	// out where the target is a teacher's: every place that has a class is a row (Rows).
	ByRows Layout = iota
	// Alike is out and target float32 of the same shape, the first axis that of samples.
	Alike
	// InTime is out float32 [batch time classes] and target int64 [batch length].
	InTime
)

func (l Layout) String() string {
	return [...]string{"[rows classes] and [rows]", "both of the output's shape", "[batch time classes] and [batch length]"}[l]
}

// Settings are the term's parameters with the defaults of the loss where none were
// written.
func (t Term) Settings() Params {
	p := Params{}
	for _, d := range t.Loss.Params {
		if d.Default != nil {
			p[d.Name] = d.Default
		}
	}
	for name, v := range t.Params {
		p[name] = v
	}
	return p
}

// Build adds nodes that compute the term, its weight multiplied, as a float32 scalar of
// shape []. out and target are the values of the loss's roles in the canonical layout.
// An imported loss is built by Import instead. Errors name the loss.
func (t Term) Build(b *op.Builder, out, target []*graph.Value) (*graph.Value, error) {
	v, err := t.build(b, out, target)
	if err != nil {
		return nil, fmt.Errorf("loss %s: %w", t.Loss.Name, err)
	}
	return v, nil
}

func (t Term) build(b *op.Builder, out, target []*graph.Value) (*graph.Value, error) {
	l := t.Loss
	if l.Build == nil {
		return nil, fmt.Errorf("it is a file, which is imported")
	}
	if err := l.check(out, target); err != nil {
		return nil, err
	}
	p, factor := t.Settings(), t.Weight
	v, err := l.Build(b, out, target, p)
	if err == nil {
		err = b.Err()
	}
	if err != nil {
		return nil, err
	}
	if l.Factor != nil {
		f, err := l.Factor(out, p)
		if err != nil {
			return nil, err
		}
		factor *= f
	}
	return Weigh(b, v, factor)
}

// Weigh is v times a constant; v itself where that is 1.
func Weigh(b *op.Builder, v *graph.Value, by float64) (*graph.Value, error) {
	if by != 1 {
		v = b.Op("Mul", v, b.Scalar(by, v))
	}
	return v, b.Err()
}

// Sum adds terms up, in order.
func Sum(b *op.Builder, terms []*graph.Value) (*graph.Value, error) {
	if len(terms) == 0 {
		return nil, fmt.Errorf("an objective has at least one term")
	}
	s := terms[0]
	for _, v := range terms[1:] {
		s = b.Op("Add", s, v)
	}
	return s, b.Err()
}

// check holds values to the layout of the loss.
func (l *Loss) check(out, target []*graph.Value) error {
	if len(out) != len(l.Outputs) || len(target) != len(l.Targets) {
		return fmt.Errorf("it takes %d outputs and %d targets, and is given %d and %d", len(l.Outputs), len(l.Targets), len(out), len(target))
	}
	for _, v := range out {
		if v.DType != tensor.Float32 {
			return fmt.Errorf("output %q is %v, and float32 is needed", v.Name, v.DType)
		}
	}
	if len(target) == 0 {
		return nil
	}
	o, t := out[0], target[0]
	rank := map[Layout]int{ByRows: 2, Alike: len(o.Shape), InTime: 3}[l.Layout]
	if o.Shape == nil || len(o.Shape) != rank {
		return fmt.Errorf("output %q has shape %v, and %v is needed", o.Name, o.Shape, l.Layout)
	}
	if l.Layout == Alike || l.Target == Teacher {
		if t.DType != tensor.Float32 || !agree(o.Shape, t.Shape) {
			return fmt.Errorf("target %q is %v%v, and output %q is %v%v: they must be alike", t.Name, t.DType, t.Shape, o.Name, o.DType, o.Shape)
		}
		return nil
	}
	if t.DType != tensor.Int64 || len(t.Shape) != rank-1 || !agree(o.Shape[:1], t.Shape[:1]) {
		return fmt.Errorf("target %q is %v%v: class numbers (int64) are needed for output %q %v, as %v", t.Name, t.DType, t.Shape, o.Name, o.Shape, l.Layout)
	}
	return nil
}

// agree says whether two shapes can be the same: sizes that are numbers must be.
func agree(a, b graph.Shape) bool {
	if a == nil || len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Known() && b[i].Known() && a[i] != b[i] {
			return false
		}
	}
	return true
}
