package dataset

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// small reads a whole number of few digits.
func small[T string | []byte](w T) (float32, bool) {
	if len(w) == 0 || len(w) > 7 {
		return 0, false
	}
	n := 0
	for i := range len(w) {
		d := w[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = 10*n + int(d)
	}
	return float32(n), true
}

// value reads a number; where columns are not divided by commas, one may be the
// decimal mark, in all numbers of the file.
func (c *csvReader) value(w string) (float32, error) {
	number := w
	if c.sep != ',' {
		if strings.Count(w, ",") == 1 && !strings.Contains(w, ".") {
			if number = strings.Replace(w, ",", ".", 1); c.comma < 0 {
				return 0, fmt.Errorf("%q has a decimal comma, numbers before have a point", clip(w, 40))
			}
			c.comma = 1
		} else if strings.Contains(w, ".") {
			if c.comma > 0 {
				return 0, fmt.Errorf("%q has a decimal point, numbers before have a comma", clip(w, 40))
			}
			c.comma = -1
		}
	}
	v, err := strconv.ParseFloat(number, 32)
	switch {
	case err == nil && !math.IsNaN(v) && !math.IsInf(v, 0):
		return float32(v), nil
	case missing[strings.ToLower(w)]:
		return 0, fmt.Errorf("%q is not a number: a value is missing; fill it, or leave out the line", w)
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("%q is not a number that 32 bits can hold", clip(w, 40))
	}
	return 0, fmt.Errorf("%q is not a number (skip= leaves out a column)", clip(w, 40))
}
