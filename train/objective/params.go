package objective

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"pare/catalog"
)

// Params are settings of a loss by name; a number is a list of one.
type Params map[string][]float64

// Has says whether a setting was written or has a default.
func (p Params) Has(name string) bool { return len(p[name]) > 0 }

// Num is a setting that is a number, 0 where it is left out.
func (p Params) Num(name string) float64 {
	if v := p[name]; len(v) > 0 {
		return v[0]
	}
	return 0
}

// Int is a setting that is a whole number.
func (p Params) Int(name string) int { return int(p.Num(name)) }

// Param is a setting of a loss.
type Param struct {
	Name, Doc string
	Default   []float64 // nil: not set unless written
	Range     string    // an interval as catalog.ParseInterval reads it; "" is any finite number
	Whole     bool      // whole numbers only
	List      bool      // several numbers, written 1:2:0.5
}

// check says what is wrong with the value of a parameter.
func (d *Param) check(v []float64) error {
	if len(v) == 0 || len(v) > 1 && !d.List {
		return fmt.Errorf("%s takes one number, not %d", d.Name, len(v))
	}
	in := catalog.Interval{Lo: math.Inf(-1), Hi: math.Inf(1)}
	if d.Range != "" {
		var err error
		if in, err = catalog.ParseInterval(d.Range); err != nil {
			return err
		}
	}
	for _, x := range v {
		switch {
		case !in.Has(x):
			return fmt.Errorf("%s=%v: %v is needed", d.Name, x, in)
		case d.Whole && (x != math.Trunc(x) || math.Abs(x) > 1<<53):
			return fmt.Errorf("%s=%v: a whole number is needed", d.Name, x)
		}
	}
	return nil
}

// param finds a parameter of a loss by name, or nil.
func (l *Loss) param(name string) *Param {
	for i := range l.Params {
		if l.Params[i].Name == name {
			return &l.Params[i]
		}
	}
	return nil
}

// Check says what is wrong with a term that was made by hand; Parse checks too.
func (t Term) Check() error {
	l := t.Loss
	if l == nil {
		return fmt.Errorf("a term has no loss")
	}
	if !(t.Weight > 0) || math.IsInf(t.Weight, 0) {
		return fmt.Errorf("the weight %v of %s is not a finite number above 0", t.Weight, l.Name)
	}
	if l == File {
		if t.File == "" {
			return fmt.Errorf("a loss that is read from a file needs its path")
		}
	} else if t.File != "" || len(t.Bind) > 0 {
		return fmt.Errorf("%s is not read from a file", l.Name)
	}
	if most := len(l.Outputs) + len(l.Targets); len(t.Args) > most {
		return fmt.Errorf("%s takes %s, and %d names are written", l.Name, l.roles(), len(t.Args))
	}
	for _, a := range t.Args {
		if a == "" {
			return fmt.Errorf("a name in %s is empty", l.Name)
		}
	}
	for name, v := range t.Params {
		d := l.param(name)
		if d == nil {
			return fmt.Errorf("%s has no setting %q%s", l.Name, name, l.settings(name))
		}
		if err := d.check(v); err != nil {
			return fmt.Errorf("%s: %w", l.Name, err)
		}
	}
	return nil
}

// roles says what a loss takes.
func (l *Loss) roles() string {
	all := append(slices.Clone(l.Outputs), l.Targets...)
	if len(all) == 0 {
		return "no names"
	}
	return strings.Join(all, ", ")
}

// settings says which settings there are, and which was probably meant.
func (l *Loss) settings(name string) string {
	var names []string
	for _, d := range l.Params {
		names = append(names, d.Name)
	}
	if len(names) == 0 {
		return ": it has none"
	}
	return meant(name, names) + ": it has " + strings.Join(names, ", ")
}

// meant is a question for the word that a mistyped one is nearest to, or nothing.
func meant(word string, words []string) string {
	if w := catalog.Nearest(word, words); w != "" {
		return fmt.Sprintf(" (did you mean %s?)", w)
	}
	return ""
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
