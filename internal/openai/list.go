package openai

import (
	"encoding/json"
	"fmt"
	"unsafe"
)

// An array may take so much memory for its elements, and have so many.
const (
	mostMemory   = 16 << 20
	mostElements = 1 << 20
)

// List is an array that is counted before memory is taken, as an element may take far
// more in memory than the three bytes that it needs in a file.
type List[T any] []T

// UnmarshalJSON reads an array.
func (l *List[T]) UnmarshalJSON(b []byte) error {
	var x T
	most := min(mostElements, mostMemory/max(1, int(unsafe.Sizeof(x))))
	if n := elements(b); n > most {
		return fmt.Errorf("an array has %d elements, more than %d", n, most)
	}
	return json.Unmarshal(b, (*[]T)(l))
}

// elements is the most elements that a valid JSON value has at its top.
func elements(b []byte) int {
	n, depth, text := 1, 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case c == ',' && depth == 1:
			n++
		}
	}
	return n
}
