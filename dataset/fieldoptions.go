package dataset

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// fieldOptions say what becomes of fields of any kind of data.
type fieldOptions struct {
	drop, only   []string          // fields that are left out, or kept alone
	class, plain []string          // fields whose numbers are classes, or are not
	values       []float32         // of classes as they are stored, in the order of their numbers
	ignore       float64           // the value that stands for no class; NaN: none does
	bind         map[string]string // see Set

	left map[string]bool // what was left out before it was read
}

// fields reads the options of fields.
func (o *options) fields() *fieldOptions {
	f := &fieldOptions{ignore: math.NaN(), left: map[string]bool{}}
	for name, to := range map[string]*[]string{"drop": &f.drop, "only": &f.only, "class": &f.class, "plain": &f.plain} {
		*to = o.names(name)
	}
	if f.values = o.list("values"); len(f.values) == 1 {
		o.fail("option values=%s: name the values of all classes, such as values=0,255", o.q.Get("values"))
	}
	if o.str("ignore", "") != "" {
		f.ignore = o.num("ignore", 0)
	}
	for _, w := range o.names("bind") {
		in, to, ok := strings.Cut(w, "=")
		if !ok || in == "" || to == "" {
			o.fail("option bind=%s is not INPUT=FIELD,INPUT=FIELD", o.q.Get("bind"))
			continue
		}
		if f.bind == nil {
			f.bind = map[string]string{}
		}
		if _, twice := f.bind[in]; twice {
			o.fail("option bind names input %q twice", in)
		}
		f.bind[in] = to
	}
	return f
}

// names reads NAME,NAME.
func (o *options) names(option string) []string {
	s := o.str(option, "")
	if s == "" {
		return nil
	}
	out := strings.Split(s, ",")
	if slices.Contains(out, "") {
		o.fail("option %s=%s is not NAME,NAME", option, s)
	}
	return out
}

// wants says whether a field is kept: a reader asks before it reads much.
func (f *fieldOptions) wants(name string) bool {
	if slices.Contains(f.drop, name) || f.only != nil && !slices.Contains(f.only, name) {
		if !f.left[name] { // once: later, several goroutines ask
			f.left[name] = true
		}
		return false
	}
	return true
}

// names says whether an option names a field.
func (f *fieldOptions) names(name string) bool {
	for _, to := range f.bind {
		if to == name {
			return true
		}
	}
	return slices.Contains(slices.Concat(f.drop, f.only, f.class, f.plain), name)
}

// apply changes the fields of all sets.
func (f *fieldOptions) apply(d *Data) error {
	if err := f.choose(d); err != nil {
		return err
	}
	for _, s := range d.sets() {
		for _, o := range []struct {
			option string
			names  []string
			change func(*Set, *Field) error
		}{{"class", f.class, (*Set).toClasses}, {"plain", f.plain, (*Set).toPlain}} {
			for _, n := range o.names {
				g := s.Field(n)
				if g == nil {
					return fmt.Errorf("%s=%s: %w", o.option, n, s.without(n))
				}
				if err := o.change(s, g); err != nil {
					return fmt.Errorf("%s=%s: %w", o.option, n, err)
				}
			}
		}
	}
	if err := f.revalue(d); err != nil {
		return err
	}
	for in, to := range f.bind {
		if _, err := strconv.ParseFloat(to, 64); err != nil && d.sets()[0].Field(to) == nil {
			return fmt.Errorf("bind=%s=%s: %w", in, to, d.sets()[0].without(to))
		}
	}
	for _, s := range d.sets() {
		s.Bind = maps.Clone(f.bind)
	}
	return nil
}

// without says that there is no field of a name.
func (s *Set) without(name string) error {
	var names []string
	for _, f := range s.Fields {
		names = append(names, f.Name)
	}
	return fmt.Errorf("there is no field %q%s: the fields are %s", name, meant(name, names), s.fields())
}

// choose leaves fields out.
func (f *fieldOptions) choose(d *Data) error {
	if f.drop == nil && f.only == nil {
		return nil
	}
	for _, n := range slices.Concat(f.drop, f.only) {
		if s := d.sets()[0]; s.Field(n) == nil && !f.left[n] {
			return fmt.Errorf("drop= and only=: %w", s.without(n))
		}
	}
	for _, s := range d.sets() {
		if s.Stream != nil {
			if k := slices.IndexFunc(s.Fields, func(g *Field) bool { return !f.wants(g.Name) }); k >= 0 {
				return fmt.Errorf("drop= and only=: the field %q is read with the others from a stream, and cannot be left out: a network takes the fields that it needs (bind=)", s.Fields[k].Name)
			}
			continue
		}
		s.Fields = slices.DeleteFunc(s.Fields, func(g *Field) bool { return !f.wants(g.Name) })
		if len(s.Fields) == 0 {
			return fmt.Errorf("no field of the %s set is left", s.Name)
		}
	}
	return nil
}

// toClasses has a field hold classes.
func (s *Set) toClasses(f *Field) error {
	of := s.Name
	if f.spelled != nil || f.Classes > 0 {
		return nil
	}
	if s.Stream != nil && !f.Held() {
		return s.streamClasses(f)
	}
	ints, most := make([]int32, f.stored()*f.Size()), 0
	for i := range ints {
		v := f.number(i)
		none := f.Size() > 1 && v < 0
		if v != math.Trunc(v) || v > maxClass || v < 0 && !none || v < math.MinInt32 {
			return fmt.Errorf("value %v of sample %d of the %s set is not a class: they are whole numbers from 0", v, i/f.Size(), of)
		}
		ints[i], most = int32(v), max(most, int(v)+1)
	}
	f.Ints, f.Bytes, f.Floats, f.Classes = ints, nil, nil, max(1, most)
	if f.Size() == 1 {
		f.Shape = nil
	}
	return nil
}

// streamClasses has a field of a stream hold classes, all of which are looked at.
func (s *Set) streamClasses(f *Field) (err error) {
	if f.Ints == nil {
		given := *f
		f.given, f.Bytes, f.Floats, f.Ints = &given, nil, nil, []int32{}
	}
	if f.there, err = s.values(f); err != nil {
		return err
	}
	for v, i := range f.there {
		if v > maxClass || v < 0 && f.Size() == 1 {
			return fmt.Errorf("value %d of sample %d of the %s set is not a class: they are whole numbers from 0", v, i, s.Name)
		}
	}
	if f.Classes = f.there.classes(); f.Size() == 1 {
		f.Shape = nil
	}
	return nil
}

// toPlain has a field hold numbers that are no classes.
func (*Set) toPlain(f *Field) error {
	if f.spelled != nil {
		return fmt.Errorf("the classes are words, such as %s: they are no numbers", few(f.spelled))
	}
	f.Classes, f.Names = 0, nil
	return nil
}

// number is a stored value.
func (f *Field) number(i int) float64 {
	switch {
	case f.Ints != nil:
		return float64(f.Ints[i])
	case f.Floats != nil:
		return float64(f.Floats[i])
	}
	return float64(f.Bytes[i])
}

// revalue gives the values of classes, as they are stored, their numbers.
func (f *fieldOptions) revalue(d *Data) error {
	if f.values == nil && math.IsNaN(f.ignore) {
		return nil
	}
	done := false
	for _, s := range d.sets() {
		for _, g := range s.Fields {
			if g.Classes == 0 || g.Names != nil || !math.IsNaN(f.ignore) && f.values == nil && g.Size() == 1 {
				continue
			}
			done = true
			if err := f.revalued(g, s.Name); err != nil {
				return err
			}
		}
	}
	if !done {
		return fmt.Errorf("values= and ignore= are of fields of classes that have no names, and of masks: there are none among %s; class=FIELD makes one", d.sets()[0].fields())
	}
	return nil
}

func (f *fieldOptions) revalued(g *Field, of string) error {
	g.Classes = 1
	if !g.Held() && g.there != nil {
		if err := g.later(func(v []int32) error { return f.renumber(g.Size() > 1, v) }); err != nil {
			return fmt.Errorf("field %q of the %s set: %w", g.Name, of, err)
		}
		if g.Classes = g.there.classes(); f.values != nil {
			g.Classes = len(f.values)
		}
		return nil
	}
	if err := f.renumbered(g, &g.Ints, of); err != nil {
		return err
	}
	for i := range g.wide {
		if err := f.renumbered(g, &g.wide[i].class, of); err != nil {
			return err
		}
	}
	if f.values != nil {
		g.Classes = len(f.values)
	}
	return nil
}

// renumbered gives classes of a field their numbers.
func (f *fieldOptions) renumbered(g *Field, ints *[]int32, of string) error {
	out := slices.Clone(*ints)
	*ints = out
	for i := range out {
		if err := f.renumber(g.Size() > 1, out[i:i+1]); err != nil {
			return fmt.Errorf("field %q of sample %d of the %s set: %w", g.Name, i/g.Size(), of, err)
		}
		g.Classes = max(g.Classes, int(out[i])+1)
	}
	return nil
}

// renumber gives classes, of which a sample has several or one, their numbers.
func (f *fieldOptions) renumber(several bool, of []int32) error {
	for i, v := range of {
		switch k := slices.Index(f.values, float32(v)); {
		case float64(v) == f.ignore && several:
			of[i] = -1
		case f.values == nil || v < 0:
		case k < 0:
			return fmt.Errorf("it has the value %d, which is not among values=%v (ignore=%[1]d: it stands for no class)", v, f.values)
		default:
			of[i] = int32(k)
		}
	}
	return nil
}
