package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// mostElements is the most elements of an array that is read.
const mostElements = 1 << 20

// List is an array of at most a million elements. It is counted before memory is
// taken, as an element may take far more in memory than the three bytes that it needs
// in a file.
type List[T any] []T

// UnmarshalJSON reads an array element by element.
func (l *List[T]) UnmarshalJSON(b []byte) error {
	*l = nil
	if string(b) == "null" {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return fmt.Errorf("an array is needed in the place of %.40s", b)
	}
	for d.More() {
		if len(*l) == mostElements {
			return fmt.Errorf("an array has more than %d elements", mostElements)
		}
		var x T
		if err := d.Decode(&x); err != nil {
			return err
		}
		*l = append(*l, x)
	}
	return nil
}
