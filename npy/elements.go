package npy

import (
	"fmt"
	"slices"
	"strings"

	"pare/tensor"
)

// TypeError says that an array has elements that are no numbers as tensors have
// them.
type TypeError struct {
	Descr string // as NumPy has it
	Text  bool   // the elements are texts
	what  string
}

// Error tells what the elements are.
func (e *TypeError) Error() string {
	d := e.Descr
	if len(d) > 80 {
		d = d[:80] + "…"
	}
	return fmt.Sprintf("elements of type %s are not supported: %s", d, e.what)
}

// typeOf reads NumPy's name of a type, in quotes, and whether its numbers have
// their highest byte first.
func typeOf(descr string) (tensor.DType, bool, error) {
	name, ok := strings.CutPrefix(descr, "'")
	if ok {
		name, ok = strings.CutSuffix(name, "'")
	}
	if !ok || len(name) < 2 {
		return 0, false, &TypeError{Descr: descr, what: "they have several fields; save each field as an array of its own"}
	}
	order := name[0]
	t, known := types[name[1:]]
	if known && (strings.IndexByte("<>=", order) >= 0 || order == '|' && t.Size() == 1) {
		return t, order == '>' && t.Size() > 1, nil
	}
	what := "they are no numbers that a tensor holds"
	text := false
	switch name[1] {
	case 'O':
		what = "they are Python's objects, which are programs and are not read; save numbers, with a dtype"
	case 'U', 'S', 'a':
		what, text = "they are texts", true
	case 'c':
		what = "they are complex numbers"
	case 'f':
		what = "save them with astype('float32')"
	case 'M', 'm':
		what = "they are dates or times"
	case 'V':
		what = "they are bytes without a type, perhaps bfloat16; save them with astype('float32')"
	}
	return 0, false, &TypeError{Descr: descr, Text: text, what: what}
}

// Elements are the elements of an array whose file is b, little-endian and in C
// order. They share b's memory where they are so already.
func (h *Header) Elements(b []byte) []byte {
	b = b[h.Len:]
	size := h.DType.Size()
	if h.Big {
		b = slices.Clone(b)
		for at := 0; at+size <= len(b); at += size {
			slices.Reverse(b[at : at+size])
		}
	}
	long := 0 // axes that have an order
	for _, d := range h.Shape {
		if d > 1 {
			long++
		}
	}
	if !h.Fortran || long < 2 || h.Count == 0 {
		return b
	}
	out := make([]byte, len(b))
	step := make([]int, len(h.Shape)) // from one place of an axis to the next, in the file
	n := 1
	for i, d := range h.Shape {
		step[i] = n
		n *= d
	}
	at, from := make([]int, len(h.Shape)), 0
	for k := range h.Count {
		copy(out[k*size:(k+1)*size], b[from*size:])
		for i := len(at) - 1; i >= 0; i-- {
			at[i]++
			if from += step[i]; at[i] < h.Shape[i] {
				break
			}
			from -= h.Shape[i] * step[i]
			at[i] = 0
		}
	}
	return out
}
