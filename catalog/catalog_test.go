package catalog

import (
	"errors"
	"math"
	"strings"
	"testing"
)

type upper string

func (u *upper) UnmarshalText(b []byte) error {
	if string(b) != strings.ToUpper(string(b)) {
		return errors.New("not upper case")
	}
	*u = upper(b)
	return nil
}

type inner struct {
	Include []string `flag:"include" kind:"patterns" doc:"patterns"`
}

type settings struct {
	Sparsity float64  `flag:"sparsity" range:"[0,1)" doc:"a share"`
	Rounds   int      `flag:"rounds" range:"[1,)" also:"0" doc:"rounds"`
	Rank     string   `flag:"rank" choice:"global,uniform" doc:"a way"`
	Controls []string `flag:"controls" choice:"reinit,random" doc:"several"`
	Word     upper    `flag:"word" doc:"text"`
	On       bool     `flag:"on" doc:"a switch"`
	Free     float64  `flag:"free" doc:"any"`
	Hidden   int
	inner
}

func TestSettings(t *testing.T) {
	p := &settings{Sparsity: .9, Rank: "global", Rounds: 1}
	var names []string
	for _, s := range Settings(p) {
		names = append(names, s.Name+":"+s.Kind+":"+s.Default)
	}
	if got := strings.Join(names, " "); got != "sparsity:number:0.9 rounds:count:1 rank:text:global controls:list: word:text: on:bool:false free:number:0 include:patterns:" {
		t.Errorf("%s", got)
	}
	for _, a := range []Assignment{{"sparsity", "0"}, {"rounds", "0"}, {"rank", "uniform"}, {"controls", "random,reinit"}, {"word", "ABC"}, {"on", "true"}, {"include", "a,b"}} {
		if err := Set(p, a.Name, a.Value); err != nil {
			t.Errorf("%v: %v", a, err)
		}
	}
	if p.Sparsity != 0 || p.Rounds != 0 || p.Rank != "uniform" || len(p.Controls) != 2 || p.Word != "ABC" || !p.On || len(p.Include) != 2 {
		t.Errorf("%+v", p)
	}
	if err := Set(p, "include", ""); err != nil || p.Include != nil {
		t.Errorf("an empty list is %q, %v", p.Include, err)
	}
	for name, c := range map[string][2]string{
		"sparsity": {"1", "Sparsity 1: a number in [0,1) is needed"}, "rounds": {"-1", "at least 1, or 0"}, "rank": {"globl", "did you mean global?"},
		"controls": {"random,sign", `"sign"`}, "word": {"abc", "Word: not upper case"}, "on": {"x", "true or false"}, "free": {"NaN", "finite"}, "spasity": {"1", "did you mean sparsity?"},
	} {
		if err := Set(&settings{}, name, c[0]); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: %v, want %q", name, err, c[1])
		}
	}
	for _, bad := range []*settings{{Sparsity: 1, Rank: "global", Rounds: 1}, {Sparsity: math.NaN(), Rank: "global", Rounds: 1}, {Rank: "x", Rounds: 1}, {Rank: "global", Rounds: -1},
		{Rank: "global", Rounds: 1, Free: math.Inf(1)}, {Rank: "global", Controls: []string{"none"}}} {
		if Validate(bad) == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}

func TestRename(t *testing.T) {
	err := Errorf("give {Data} and {Recipe.Epochs}")
	if err.Error() != "give Data and Recipe.Epochs" {
		t.Error(err)
	}
	wrapped := errors.Join(errors.New("first"), err)
	if got := Rename(wrapped, func(f string) string { return "--" + strings.ToLower(f) }); got != "first\ngive --data and --recipe.epochs" {
		t.Error(got)
	}
	if got := Rename(errors.New("{Data}"), strings.ToLower); got != "{Data}" {
		t.Error(got)
	}
}

func TestInterval(t *testing.T) {
	for _, c := range []struct {
		text    string
		in, out []float64
		words   string
	}{
		{"[0,1)", []float64{0, .5}, []float64{1, -1, math.NaN()}, "a number in [0,1)"},
		{"(0,)", []float64{1e-9, 1e9}, []float64{0, math.Inf(1)}, "a number above 0"},
		{"[-1,]", []float64{-1}, []float64{-1.1}, "a number of at least -1"},
		{"(,5]", []float64{5, -9}, []float64{5.1}, "a number of at most 5"},
		{"(,5)", []float64{4}, []float64{5}, "a number below 5"},
		{"(,)", []float64{0}, []float64{math.Inf(-1)}, "a finite number"},
	} {
		i, err := ParseInterval(c.text)
		if err != nil || i.String() != c.words {
			t.Errorf("%s: %q, %v", c.text, i, err)
		}
		for _, x := range c.in {
			if !i.Has(x) {
				t.Errorf("%s has not %v", c.text, x)
			}
		}
		for _, x := range c.out {
			if i.Has(x) {
				t.Errorf("%s has %v", c.text, x)
			}
		}
	}
	for _, bad := range []string{"", "0,1", "[0;1]", "[a,1]", "{0,1}"} {
		if _, err := ParseInterval(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestSpec(t *testing.T) {
	s, err := ParseSpec("gmp:sparsity=0.5:include=a:include=b:rank=uniform")
	if err != nil {
		t.Fatal(err)
	}
	p := &settings{}
	if err := s.Apply(p); err != nil || p.Sparsity != .5 || len(p.Include) != 2 || p.Rank != "uniform" || !s.Has("rank") || s.Has("on") {
		t.Errorf("%+v, %v", p, err)
	}
	if s, err := ParseSpec("magnitude:word=BLOCK:4X4"); err != nil || s.Set[0].Value != "BLOCK:4X4" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := ParseSpec("gmp:keep"); err == nil {
		t.Error("a setting without a value was read")
	}
	for _, bad := range []string{"gmp:rank=global:rank=uniform", "gmp:nothing=1", "gmp:sparsity=2"} {
		s, err := ParseSpec(bad)
		if err != nil {
			t.Fatal(err)
		}
		if s.Apply(&settings{}) == nil {
			t.Errorf("%s was applied", bad)
		}
	}
}

func TestNearest(t *testing.T) {
	words := []string{"global-mp", "gmp", "granet", "magnitude"}
	for x, want := range map[string]string{"gpm": "gmp", "grane": "granet", "mag": "magnitude", "magnitud": "magnitude", "gmq": "gmp", "xyz": "", "": ""} {
		if got := Nearest(x, words); got != want {
			t.Errorf("%q: %q, want %q", x, got, want)
		}
	}
}
