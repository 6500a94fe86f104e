package model

import (
	"strings"
	"testing"
)

// Amounts are shares, bare numbers and numbers with a unit; they read back as they are
// written.
func TestAmounts(t *testing.T) {
	for text, want := range map[string]float64{"0": 0, "0.5": .5, "1": 1, "50%": .5, "20M": 20e6, "1.5k": 1500, "1500": 1500, "2G": 2e9} {
		var c, again Count
		if err := c.UnmarshalText([]byte(text)); err != nil || float64(c) != want {
			t.Errorf("count %s: %v, %v", text, c, err)
		}
		b, _ := c.MarshalText()
		if err := again.UnmarshalText(b); err != nil || again != c {
			t.Errorf("count %s is written as %s, read as %v: %v", text, b, again, err)
		}
	}
	for text, want := range map[string]float64{"0.4": .4, "1.2MB": 1.2e6, "1.2mb": 1.2e6, "64KiB": 65536, "64 kB": 64000, "2M": 2e6, "100B": 100} {
		var s, again Size
		if err := s.UnmarshalText([]byte(text)); err != nil || float64(s) != want {
			t.Errorf("size %s: %v, %v", text, s, err)
		}
		b, _ := s.MarshalText()
		if err := again.UnmarshalText(b); err != nil || again != s {
			t.Errorf("size %s is written as %s, read as %v: %v", text, b, again, err)
		}
	}
	for text, want := range map[string]float64{"0.5": .5, "8ms": 8e6, "1.5s": 1.5e9, "250us": 250e3, "0.1ms": 1e5, "30%": .3} {
		var x, again Time
		if err := x.UnmarshalText([]byte(text)); err != nil || float64(x) != want {
			t.Errorf("time %s: %v, %v", text, x, err)
		}
		b, _ := x.MarshalText()
		if err := again.UnmarshalText(b); err != nil || again != x {
			t.Errorf("time %s is written as %s, read as %v: %v", text, b, again, err)
		}
	}
	var c Count
	var s Size
	var x Time
	for text, u := range map[string]interface{ UnmarshalText([]byte) error }{"20X": &c, "M": &c, "": &c, "200%": &c, "1.2m2": &s, "0.5B": &s, "MB": &s, "8": &x, "8m": &x, "0.1ns": &x, "1e": &x} {
		if err := u.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %v", text, u)
		}
	}
	if err := x.UnmarshalText([]byte("8")); err == nil || !strings.Contains(err.Error(), "write 8ms") {
		t.Error(err)
	}
}
