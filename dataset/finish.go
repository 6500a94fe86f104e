package dataset

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// finish applies the options that every kind has.
func (d *Data) finish(o *options) error {
	if err := d.normalise(o); err != nil {
		return err
	}
	val, seed := o.num("val", 0), uint64(o.whole("seed", 1, 0))
	n, tn := o.whole("n", 1<<40, 1), o.whole("test_n", 1<<40, 1)
	base, byLetters := o.whole("base", 0, 0), o.oneOf("classes", "numbers", "letters") == "letters"
	if d.fields == nil {
		d.fields = o.fields()
	}
	if o.err != nil {
		return o.err
	}
	if err := o.unknown(); err != nil {
		return err
	}
	if d.Train == nil && d.Test == nil && d.Val == nil {
		return errors.New("no samples were found")
	}
	d.name()
	if err := d.unify(); err != nil {
		return err
	}
	if err := d.fields.apply(d); err != nil {
		return err
	}
	if err := d.alike(); err != nil {
		return err
	}
	if err := d.number(byLetters, base); err != nil {
		return err
	}
	if !d.fixed {
		d.sayClasses(base)
	}
	if !d.scaled {
		d.sayNorm(o)
	}
	if err := d.checkNorm(); err != nil {
		return err
	}
	d.erased()
	if val != 0 {
		if d.Train == nil || d.Val != nil {
			return errors.New("val= needs a training set that has no validation set of its own")
		}
		var err error
		if d.Train, d.Val, err = d.Train.Split(val, seed); err != nil {
			return err
		}
	}
	d.Train = d.take(d.Train, "n", n, seed)
	d.Test = d.take(d.Test, "test_n", tn, seed)
	for k := range d.sets()[0].Fields {
		classes := 0
		for _, s := range d.sets() {
			classes = max(classes, s.Fields[k].Classes)
		}
		for _, s := range d.sets() {
			s.Fields[k].Classes = classes
		}
	}
	d.sayHeld()
	d.name()
	for _, s := range d.sets() {
		if s.Len() == 0 {
			return fmt.Errorf("the %s set is empty", s.Name)
		}
	}
	if d.Train == nil && d.Test == nil {
		return errors.New("there is a validation set, but neither a training nor a test set")
	}
	return nil
}

func (d *Data) name() {
	for i, s := range []*Set{d.Train, d.Val, d.Test} {
		if s != nil {
			s.Name = []string{"training", "validation", "test"}[i]
		}
	}
}

// alike refuses sets that no network could take together.
func (d *Data) alike() error {
	sets := d.sets()
	first := sets[0]
	for k, f := range first.Fields {
		if slices.ContainsFunc(first.Fields[:k], func(g *Field) bool { return g.Name == f.Name }) {
			return fmt.Errorf("two fields are called %q: the fields are %s", f.Name, first.fields())
		}
	}
	for _, s := range sets[1:] {
		if len(s.Fields) != len(first.Fields) {
			return fmt.Errorf("the %s set has the fields %s, the %s set %s", s.Name, s.fields(), first.Name, first.fields())
		}
		for k, g := range s.Fields {
			if err := asIn(g, first.Fields[k], s.Name, first.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// asIn refuses a field of one set that is not like that of another.
func asIn(g, f *Field, of, other string) error {
	if g.Name != f.Name {
		return fmt.Errorf("the %s set has the field %q where the %s set has %q: their columns or arrays must be the same", of, g.Name, other, f.Name)
	}
	what := "samples"
	if f.Name != "x" {
		what = fmt.Sprintf("field %q: samples", f.Name)
	}
	if !slices.Equal(g.Shape, f.Shape) {
		hint := "one network takes samples of one shape"
		if len(g.Shape) > 1 && len(f.Shape) > 1 && slices.Equal(g.Shape[1:], f.Shape[1:]) && g.Bytes != nil && f.Bytes != nil {
			hint = "channels=1 or channels=3 makes images alike"
		}
		return fmt.Errorf("%s of the %s set have shape %v, those of the %s set %v: %s", what, of, g.Shape, other, f.Shape, hint)
	}
	if (g.Bytes == nil) != (f.Bytes == nil) {
		return fmt.Errorf("one of the %s and the %s set holds bytes, the other numbers: they would be scaled alike; save both as one type", of, other)
	}
	return nil
}

// take keeps n samples of a set: the first in a file's order, or, where that is
// by class, some of every class, drawn by seed.
func (d *Data) take(s *Set, option string, n int, seed uint64) *Set {
	if s == nil || n >= s.Len() {
		return s
	}
	if s.class() != nil && (d.byClass || s.runs()) {
		d.note("%s=%d: samples of a class follow each other in the %s set, so %d of %d samples are drawn by seed, about the same share of every class", option, n, s.Name, n, s.Len())
		return s.Draw(n, seed)
	}
	return s.First(n)
}

var norms = map[string]Norm{"raw": Raw, "unit": Unit, "imagenet": ImageNet, "cifar10": CIFAR10, "mnist": MNIST}

// normalise reads norm=, or mean= and std=.
func (d *Data) normalise(o *options) error {
	if n := o.str("norm", ""); n != "" {
		v, ok := norms[n]
		if !ok {
			return fmt.Errorf("there is no normalisation %q%s: use imagenet, cifar10, mnist, unit or raw", n, meant(n, []string{"imagenet", "cifar10", "mnist", "unit", "raw"}))
		}
		d.Norm, d.NormName = v, n
	}
	if d.bgr && len(d.Norm.Mean) == 3 { // those by name are of red, green, blue
		d.Norm.Mean, d.Norm.Std = slices.Clone(d.Norm.Mean), slices.Clone(d.Norm.Std)
		slices.Reverse(d.Norm.Mean)
		slices.Reverse(d.Norm.Std)
	}
	mean, std := o.list("mean"), o.list("std")
	if mean == nil && std == nil {
		return nil
	}
	if mean == nil || std == nil || len(mean) != len(std) {
		return errors.New("mean and std must be given together, a number for each channel")
	}
	if o.q.Get("norm") != "" {
		return errors.New("norm is given, and mean and std too: one of them")
	}
	for _, s := range std {
		if !(s > 0) {
			return fmt.Errorf("std %v is not positive", std)
		}
	}
	d.Norm, d.NormName = Norm{1. / 255, mean, std}, "given"
	return nil
}

// erased has erased parts of pictures filled with the mean, which the network
// sees as zeros.
func (d *Data) erased() {
	if d.Train == nil || d.Train.X().Chance == nil {
		return
	}
	fill := &d.Train.X().Chance.Train.Fill
	for c := range fill {
		fill[c] = clip8(int32(math.Round(float64(pick(d.Norm.Mean, c) / d.Norm.Scale))))
	}
}

// checkNorm refuses means by hand that are not as many as channels.
func (d *Data) checkNorm() error {
	x, k := d.sets()[0].normal(), len(d.Norm.Mean)
	channels := 1
	if len(x.Shape) == 3 {
		channels = x.Shape[0]
	}
	if d.NormName != "given" || x.Ints != nil || k == 1 || k == channels {
		return nil
	}
	hint := ""
	if channels == 1 && k == 3 && x.Bytes != nil && len(x.Shape) == 3 {
		hint = "; channels=3 makes three channels of gray images"
	}
	return fmt.Errorf("mean has %d numbers, samples of shape %v have %d channels: give one for each, or one for all%s", k, x.Shape, channels, hint)
}

// sayNorm notes a normalisation that nobody asked for, and one that does not
// look right.
func (d *Data) sayNorm(o *options) {
	x := d.sets()[0].normal()
	if x.Ints != nil {
		return
	}
	if asked := o.q.Get("norm") != "" || o.q.Get("mean") != ""; !asked {
		text := "normalisation " + d.NormName + " is assumed (norm= names another): "
		switch {
		case d.Norm.Scale == 1:
			text = "values are used as they are (norm=unit divides them by 255)"
		case d.NormName == "unit":
			text += "values are divided by 255"
		case len(x.Shape) == 3 && x.Shape[0] < len(d.Norm.Mean):
			text += fmt.Sprintf("values are divided by 255, then mean %.4g and deviation %.4g, those of its first channel", d.Norm.Mean[0], d.Norm.Std[0])
		default:
			text += fmt.Sprintf("values are divided by 255, then mean %.4g and deviation %.4g", d.Norm.Mean, d.Norm.Std)
		}
		d.note("%s", text)
	}
	if x.Floats != nil && x.Held() && d.Norm.Scale != 1 {
		most := float32(0)
		for _, v := range x.Floats {
			most = max(most, v, -v)
		}
		if most <= 1 {
			d.note("the largest value is %.4g, and normalisation %s divides by 255: values that are scaled already want norm=raw", most, d.NormName)
		}
	}
}

// sayHeld notes that samples take more memory than they may where they are of a kind
// that is not streamed.
func (d *Data) sayHeld() {
	bytes := int64(0)
	counted := map[*Field]bool{} // sets of one file share their fields
	for _, s := range d.sets() {
		for _, f := range s.Fields {
			if !counted[f] {
				bytes += int64(f.stored()) * f.bytes()
			}
			counted[f] = true
		}
	}
	if d.bound > 0 && d.cache == nil && bytes > d.bound {
		d.note("the samples take %s in memory, more than the %s that they may, and are held all the same: data of this kind is not streamed, as folders of images and files of npz, npy, Parquet, CSV and JSON lines are", amount(bytes), amount(d.bound))
	}
}

// threefold repeats every image of n bytes, as three channels.
func threefold(b []uint8, n int) []uint8 {
	out := make([]uint8, 0, 3*len(b))
	for ; len(b) >= n && n > 0; b = b[n:] {
		for range 3 {
			out = append(out, b[:n]...)
		}
	}
	return out
}
