package engine

import (
	"pare/graph"
	"pare/tensor"
)

// weightForms holds what weights that will not change have been laid out as, so
// that plans of the same network share them. The zero value is empty. It is not
// safe for concurrent use.
type weightForms struct{ forms map[formKey]any }

type formKey struct {
	weight *tensor.Tensor
	form   string
}

// known gives a form of a weight that some plan has made.
func known[T any](s *weightForms, w *graph.Value, form string) (f T, ok bool) {
	f, ok = s.forms[formKey{w.Const, form}].(T)
	return f, ok
}

// keep holds a form of a weight for other plans.
func (s *weightForms) keep(w *graph.Value, form string, f any) {
	if s.forms == nil {
		s.forms = map[formKey]any{}
	}
	s.forms[formKey{w.Const, form}] = f
}

// formOf gives a form of a weight, which is made where no plan has needed it yet.
func formOf[T any](s *weightForms, w *graph.Value, form string, build func() T) T {
	if f, ok := known[T](s, w, form); ok {
		return f
	}
	f := build()
	s.keep(w, form, f)
	return f
}
