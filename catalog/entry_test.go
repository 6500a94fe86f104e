package catalog

import "testing"

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
