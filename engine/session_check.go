package engine

import (
	"fmt"
	"strings"

	"pare/graph"
	"pare/tensor"
)

// sizesOf checks the inputs of a call and gives the sizes of the symbols.
func (s *Session) sizesOf(in map[string]*tensor.Tensor) (z sizes, err error) {
	for i := range s.inputs {
		p := &s.inputs[i]
		t := in[p.Name]
		if t == nil {
			return z, fmt.Errorf("input %q is missing: the network takes %s", p.Name, s.takes())
		}
		if t.DType != p.DType {
			return z, fmt.Errorf("input %q is %v: the network takes %v", p.Name, t.DType, p.DType)
		}
		if len(t.Shape) != len(p.Shape) {
			return z, s.wrongShape(p, t)
		}
		for d, size := range t.Shape {
			if err := s.bind(&z, p, t, p.Shape[d], size); err != nil {
				return z, err
			}
		}
		if n, ok := tensor.Size(t.Shape); !ok || stored(t) != n {
			return z, fmt.Errorf("input %q has shape %v, which its data of type %T do not fill", p.Name, t.Shape, t.Data)
		}
	}
	return z, unknown(in, s.inputs, "input")
}

// bind compares a size with a dimension, or gives the dimension's symbol its size.
func (s *Session) bind(z *sizes, p *Port, t *tensor.Tensor, d graph.Dim, size int) error {
	if d.Known() {
		if size != d.Mul {
			return s.wrongShape(p, t)
		}
		return nil
	}
	for i := range s.symbols {
		k := &s.symbols[i]
		if k.name != d.Sym {
			continue
		}
		if size < d.Mul || size%d.Mul != 0 || size/d.Mul > k.max {
			return s.wrongShape(p, t)
		}
		if z[i] != 0 && z[i] != size/d.Mul {
			return fmt.Errorf("input %q has shape %v, so that %s is %d, and another size before: the network takes %s", p.Name, t.Shape, k.name, size/d.Mul, s.takes())
		}
		z[i] = size / d.Mul
	}
	return nil
}

func (s *Session) wrongShape(p *Port, t *tensor.Tensor) error {
	return fmt.Errorf("input %q has shape %v: the network takes %s", p.Name, t.Shape, s.takes())
}

// takes says what a call must give.
func (s *Session) takes() string {
	var w []string
	for _, p := range s.inputs {
		w = append(w, p.String())
	}
	out := strings.Join(w, ", ")
	for i, k := range s.symbols {
		out += [...]string{" with ", ", "}[min(i, 1)] + fmt.Sprintf("%s from 1 to %d", k.name, k.max)
	}
	return out
}

// unknown refuses a name that is not one of the ports'.
func unknown(ts map[string]*tensor.Tensor, ports []Port, what string) error {
next:
	for name := range ts {
		for i := range ports {
			if ports[i].Name == name {
				continue next
			}
		}
		var known []string
		for _, p := range ports {
			known = append(known, p.String())
		}
		return fmt.Errorf("the network has no %s %q; it has %s", what, name, strings.Join(known, ", "))
	}
	return nil
}

// stored is how many elements a tensor's storage holds; -1 where it is not of the
// tensor's type.
func stored(t *tensor.Tensor) int {
	switch t.DType {
	case tensor.Float32:
		return held[float32](t)
	case tensor.Float64:
		return held[float64](t)
	case tensor.Float16, tensor.BFloat16, tensor.Uint16:
		return held[uint16](t)
	case tensor.Int8, tensor.Int4:
		return held[int8](t)
	case tensor.Int16:
		return held[int16](t)
	case tensor.Int32:
		return held[int32](t)
	case tensor.Int64:
		return held[int64](t)
	case tensor.Uint8, tensor.Uint4:
		return held[uint8](t)
	case tensor.Uint32:
		return held[uint32](t)
	case tensor.Uint64:
		return held[uint64](t)
	case tensor.Bool:
		return held[bool](t)
	case tensor.String:
		return held[string](t)
	}
	return -1
}

func held[T tensor.Elem](t *tensor.Tensor) int {
	d, ok := t.Data.([]T)
	if !ok {
		return -1
	}
	return len(d)
}
