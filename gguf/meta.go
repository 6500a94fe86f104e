package gguf

import (
	"errors"
	"fmt"
	"math"
)

// Field is a key of the metadata and its value: one of uint8, int8, uint16, int16, uint32,
// int32, uint64, int64, float32, float64, bool, string, a slice of one of these, or, for an
// array of arrays, []any of such slices.
type Field struct {
	Key   string
	Value any
}

// Meta is the metadata of a file, in its order.
type Meta []Field

// ErrNoKey is what asking for a key gives that the metadata lack.
var ErrNoKey = errors.New("the metadata have no such key")

// Get gives the value of a key; false where there is none.
func (m Meta) Get(key string) (any, bool) {
	for _, f := range m {
		if f.Key == key {
			return f.Value, true
		}
	}
	return nil, false
}

// Set changes the value of a key, or adds it at the end.
func (m *Meta) Set(key string, value any) {
	for i := range *m {
		if (*m)[i].Key == key {
			(*m)[i].Value = value
			return
		}
	}
	*m = append(*m, Field{key, value})
}

// Value gives the value of a key as the type T, which is one of those that a [Field] holds.
// The error is [ErrNoKey] where there is none, and says so where it has another type.
func Value[T any](m Meta, key string) (T, error) {
	var zero T
	v, ok := m.Get(key)
	if !ok {
		return zero, fmt.Errorf("%s: %w", key, ErrNoKey)
	}
	x, ok := v.(T)
	if !ok {
		return zero, fmt.Errorf("%s is of type %T, not %T", key, v, zero)
	}
	return x, nil
}

// Int gives a whole number of any type. The error is [ErrNoKey] where there is none, and says
// so where it is no whole number that an int holds.
func (m Meta) Int(key string) (int, error) {
	v, ok := m.Get(key)
	if !ok {
		return 0, fmt.Errorf("%s: %w", key, ErrNoKey)
	}
	switch x := v.(type) {
	case uint8:
		return int(x), nil
	case int8:
		return int(x), nil
	case uint16:
		return int(x), nil
	case int16:
		return int(x), nil
	case int32:
		return int(x), nil
	case uint32:
		if uint64(x) <= math.MaxInt {
			return int(x), nil
		}
	case uint64:
		if x <= math.MaxInt {
			return int(x), nil
		}
	case int64:
		if int64(int(x)) == x {
			return int(x), nil
		}
	default:
		return 0, fmt.Errorf("%s is of type %T, not a whole number", key, v)
	}
	return 0, fmt.Errorf("%s is %v, too large", key, v)
}

// Float gives a floating-point number of either width. The error is [ErrNoKey] where there is
// none, and says so where it has another type.
func (m Meta) Float(key string) (float64, error) {
	v, ok := m.Get(key)
	if !ok {
		return 0, fmt.Errorf("%s: %w", key, ErrNoKey)
	}
	switch x := v.(type) {
	case float32:
		return float64(x), nil
	case float64:
		return x, nil
	}
	return 0, fmt.Errorf("%s is of type %T, not a floating-point number", key, v)
}

// Text gives a string. The error is [ErrNoKey] where there is none, and says so where it has
// another type.
func (m Meta) Text(key string) (string, error) { return Value[string](m, key) }

// alignment is what the offsets of the data are multiples of.
func (m Meta) alignment() (int, error) {
	v, err := Value[uint32](m, alignmentKey)
	if errors.Is(err, ErrNoKey) {
		return defaultAlignment, nil
	}
	if err != nil {
		return 0, err
	}
	if v == 0 || v&(v-1) != 0 || v > 1<<30 {
		return 0, fmt.Errorf("%s is %d, not a power of two up to 2^30", alignmentKey, v)
	}
	return int(v), nil
}
