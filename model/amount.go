package model

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Amounts say how much of something may stay: in (0,1] a share of what the network has,
// above 1 a number of its unit; 0: not asked.

// Count is an amount of things that are counted. As text it is 0.5, 50%, 20M or 1500.
type Count float64

// Size is an amount of bytes. As text it is 0.5, 50%, 1.2MB (of 1000 times 1000 bytes) or
// 64KiB (of 1024).
type Size float64

// Time is an amount of time, in nanoseconds above 1. As text it is 0.5, 50%, 8ms or 1.5s.
type Time float64

// UnmarshalText reads a share or a number.
func (c *Count) UnmarshalText(b []byte) error {
	return readAmount((*float64)(c), string(b), "0.5, 50% or 20M", units(1000, "", "k", "M", "G", "T"))
}

// Share is what may stay of a whole as a share of it, at most 1.
func (c Count) Share(whole int64) float64 {
	if c <= 1 || whole == 0 {
		return min(1, float64(c))
	}
	return min(1, float64(c)/float64(whole))
}

// MarshalText writes it as UnmarshalText reads it.
func (c Count) MarshalText() ([]byte, error) {
	return []byte(strconv.FormatFloat(float64(c), 'f', -1, 64)), nil
}

// UnmarshalText reads a share or a size.
func (s *Size) UnmarshalText(b []byte) error {
	u := units(1000, "B", "kB", "MB", "GB", "TB")
	for name, f := range units(1024, "B", "KiB", "MiB", "GiB", "TiB") {
		u[name] = f
	}
	for name, f := range units(1000, "", "k", "M", "G", "T") {
		u[name] = f
	}
	return readAmount((*float64)(s), string(b), "0.5, 50% or 1.2MB", u)
}

// MarshalText writes it as UnmarshalText reads it.
func (s Size) MarshalText() ([]byte, error) { return Count(s).MarshalText() }

// UnmarshalText reads a share or a time.
func (t *Time) UnmarshalText(b []byte) error {
	return readAmount((*float64)(t), string(b), "0.5, 50% or 8ms", map[string]float64{"": 0, "ns": 1, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9})
}

// MarshalText writes it as UnmarshalText reads it.
func (t Time) MarshalText() ([]byte, error) {
	if t <= 1 {
		return Count(t).MarshalText()
	}
	return []byte(strconv.FormatFloat(float64(t)/1e6, 'f', -1, 64) + "ms"), nil
}

// Duration is a time above 1.
func (t Time) Duration() time.Duration { return time.Duration(t) }

// units gives names to the powers of a number.
func units(by float64, names ...string) map[string]float64 {
	out := map[string]float64{}
	for i, n := range names {
		out[strings.ToLower(n)] = math.Pow(by, float64(i))
	}
	return out
}

// readAmount reads an amount: a bare number, a share of per cent, or a number with a unit.
// A unit of 0 is one that only a share may have. Whether the number is in range is asked
// of the setting.
func readAmount(to *float64, text, like string, unit map[string]float64) error {
	if x, err := strconv.ParseFloat(text, 64); err == nil {
		if *to = x; x > 1 && unit[""] == 0 && !math.IsInf(x, 0) {
			return fmt.Errorf("%s is no share in (0,1], and has no unit: write %sms", text, text)
		}
		return nil
	}
	bad := fmt.Errorf("%q is neither a share nor a number, such as %s", text, like)
	at := strings.LastIndexAny(text, "0123456789.") + 1
	x, err := strconv.ParseFloat(text[:at], 64)
	f, ok := unit[strings.ToLower(strings.TrimSpace(text[at:]))]
	switch percent := strings.TrimSpace(text[at:]) == "%"; {
	case err != nil || !ok && !percent:
		return bad
	case percent && x > 100:
		return errors.New("a share is at most 100%")
	case percent:
		f = .01
	case x > 0 && x*f <= 1:
		return fmt.Errorf("%s is less than can be met", text)
	}
	*to = x * f
	return nil
}

// amount says what is wrong with an amount: what is counted above 1 is whole.
func amount(x float64, like string) error {
	switch {
	case !(x >= 0) || math.IsInf(x, 0):
		return fmt.Errorf("a share in (0,1], or a number above 1, is needed, such as %s", like)
	case x > 1 && x != math.Trunc(x):
		return fmt.Errorf("a share is at most 1, and a number is whole, such as %s", like)
	}
	return nil
}
