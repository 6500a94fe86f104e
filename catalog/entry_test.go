package catalog

import (
	"strings"
	"testing"
)

// What a setting allows is said once: in its doc, or after it.
func TestAllowed(t *testing.T) {
	s := &struct {
		Share  float64  `flag:"share" range:"[0,1)" doc:"share that is cut"`
		Said   float64  `flag:"said" range:"(0,1]" doc:"share that stays, in (0,1]"`
		Every  int      `flag:"every" range:"[1,)" also:"-1" doc:"steps between"`
		Above  float64  `flag:"above" range:"(0,)" doc:"rate"`
		Any    int      `flag:"any" range:"[0,)" doc:"number"`
		Rank   string   `flag:"rank" choice:"global,uniform" doc:"how weights are ranked"`
		Grow   string   `flag:"grow" choice:"gradient,random" doc:"gradient, or random"`
		Flip   bool     `flag:"flip" doc:"mirror"`
		Things []string `flag:"things" doc:"names"`
		Found  float64  `flag:"found" range:"(0,)" auto:"0" doc:"rate"`
	}{}
	for i, want := range [][2]string{
		{"[0,1)", "share that is cut; in [0,1)"},
		{"(0,1]", "share that stays, in (0,1]"},
		{"at least 1, or -1", "steps between; at least 1, or -1"},
		{"above 0", "rate; above 0"},
		{"at least 0", "number"},
		{"global, uniform", "how weights are ranked: global or uniform"},
		{"gradient, random", "gradient, or random"},
		{"true, false", "mirror"},
		{"", "names"},
		{"above 0, or auto", "rate; above 0, or auto"},
	} {
		x := Settings(s)[i]
		if got := [2]string{x.Allowed(), x.Usage()}; got != want {
			t.Errorf("%s: %q, want %q", x.Name, got, want)
		}
	}
	if a, b := NameOf(s, "Things"), NameOf(s, "Nothing"); a != "things" || b != "Nothing" {
		t.Errorf("%q, %q", a, b)
	}
	if Settings(s)[0].IsList() || !Settings(s)[8].IsList() {
		t.Error("lists")
	}
}

// The word auto stands for a number that no range holds; as text it is the word again.
func TestAuto(t *testing.T) {
	s := &struct {
		Rate float64 `flag:"rate" range:"(0,)" auto:"0" doc:"rate"`
		Clip float64 `flag:"clip" range:"[0,)" auto:"-1" doc:"limit"`
	}{Rate: .5}
	for _, c := range []struct {
		name, set, want string
		value           func() float64
		number          float64
	}{
		{"rate", "auto", "auto", func() float64 { return s.Rate }, 0}, {"rate", "0.25", "0.25", func() float64 { return s.Rate }, .25},
		{"clip", "auto", "auto", func() float64 { return s.Clip }, -1}, {"clip", "0", "0", func() float64 { return s.Clip }, 0},
	} {
		if err := Set(s, c.name, c.set); err != nil || c.value() != c.number || Values(s)[c.name] != c.want {
			t.Errorf("%s %s: %v, value %v, text %q", c.name, c.set, err, c.value(), Values(s)[c.name])
		}
	}
	for name, x := range map[string]string{"rate": "-1", "clip": "-2"} {
		if err := Set(s, name, x); err == nil || !strings.Contains(err.Error(), "or auto") {
			t.Errorf("%s %s: %v", name, x, err)
		}
	}
}
