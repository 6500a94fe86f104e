package engine

import (
	"sync"

	"pare/graph"
	"pare/tensor"
)

// weightForms holds what weights that will not change have been laid out as, so
// that plans of the same network share them. The zero value is empty.
type weightForms struct {
	lock  sync.Mutex
	forms map[formKey]any
}

type formKey struct {
	weight *tensor.Tensor
	form   string
}

// formOf gives a form of a weight, which is made where no plan has needed it yet.
func formOf[T any](s *weightForms, w *graph.Value, form string, build func() T) T {
	s.lock.Lock()
	defer s.lock.Unlock()
	k := formKey{w.Const, form}
	if f, ok := s.forms[k]; ok {
		return f.(T)
	}
	if s.forms == nil {
		s.forms = map[formKey]any{}
	}
	f := build()
	s.forms[k] = f
	return f
}
