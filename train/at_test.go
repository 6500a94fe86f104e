package train

import (
	"strings"
	"testing"
)

func TestAt(t *testing.T) {
	for _, c := range []struct {
		text string
		step int
	}{{"0", 0}, {"500", 500}, {"500it", 500}, {"1it", 1}, {"2ep", 200}, {"0.5ep", 50}, {"10%", 100}, {"100%", 1000}, {"2.26%", 23}} {
		a, err := ParseAt(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		got, err := a.Step(1000, 10)
		if err != nil || got != c.step {
			t.Errorf("%s: step %d (%v), want %d", c.text, got, err, c.step)
		}
		b, err := ParseAt(a.String())
		if err != nil || a != b {
			t.Errorf("%s is written as %s, and read as %v (%v)", c.text, a, b, err)
		}
	}
	for k := range 101 {
		if a, err := ParseAt(Share(float64(k) / 100).String()); err != nil || a.X != float64(k) {
			t.Errorf("%v of a training is %v (%v)", float64(k)/100, a, err)
		}
	}
	for text, want := range map[string]string{"0.1": "10%", "1": "1it", "-1it": "no point", "x": "no point", "NaN": "no point", "2.5it": "whole", "110%": "behind the end", "2.5": "whole", "": "no point"} {
		if _, err := ParseAt(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	for _, text := range []string{"1001", "11ep"} {
		a, err := ParseAt(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Step(1000, 10); err == nil {
			t.Errorf("%s lies in a training of 1000 steps", text)
		}
	}
	if s, err := Share(.7).Step(10, 1); err != nil || s != 7 {
		t.Errorf("seven tenths of 10 steps: %d, %v", s, err)
	}
}
