package hygiene

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
	"strings"

	"pare/dataset"
	"pare/report"
)

// Sizes of the page: what is shown of each kind, and of each group.
const (
	shownGroups  = 40
	shownSamples = 8
)

// Page is a page that shows what was found, with the samples themselves: images as
// thumbnails, others by their first values. It reads those that it shows.
func (f *Findings) Page(ctx context.Context, spec string) (*report.Report, error) {
	r := &report.Report{Title: "What is in " + spec, Subtitle: fmt.Sprintf("%d samples: %s", f.corpus.Len(), f.corpus.sizes()), Verdict: f.Verdict()}
	r.Add(f.setsSection())
	show := &shower{c: f.corpus, labels: f.corpus.labels(), room: map[int]report.Picture{}}
	if err := show.read(ctx, f.shown()); err != nil {
		return nil, err
	}
	groups := func(heading, text string, gs []Group) {
		if len(gs) == 0 {
			return
		}
		s := report.Section{Heading: heading, Text: text}
		for _, g := range gs[:min(len(gs), shownGroups)] {
			s.Gallery = append(s.Gallery, show.group(g.Samples, ""))
		}
		r.Add(more(s, len(gs), "groups"))
	}
	if len(f.Leaks) > 0 {
		s := report.Section{Heading: "Seen in training", Text: "Each sample of a later set stands beside the sample of an earlier set that it is like: what is measured on it is memory."}
		for _, l := range f.nearestLeaks() {
			s.Gallery = append(s.Gallery, show.group([]int{l.Sample, l.Like}, fmt.Sprintf("distance %.4g", l.Distance)))
		}
		r.Add(more(s, len(f.Leaks), "samples"))
	}
	groups("The same", "Samples that are equal in every value.", f.Exact)
	if f.NearBy != "" {
		groups("Nearly the same", "Samples that are alike by "+f.NearBy+".", f.onlyNear())
	}
	if len(f.Labels) > 0 {
		s := report.Section{Heading: "Labels in doubt", Text: "By " + f.LabelsBy + "; the most doubtful first."}
		for _, l := range f.Labels[:min(len(f.Labels), shownGroups)] {
			p := show.room[l.Sample]
			k, _ := f.corpus.Find(l.Sample)
			p.Caption += fmt.Sprintf(", likely %s (its own: %.2f)", called(f.corpus[k], l.Likely), l.Score)
			s.Gallery = append(s.Gallery, []report.Picture{p})
		}
		r.Add(more(s, len(f.Labels), "labels"))
	}
	if len(f.LowMargin) > 0 {
		s := report.Section{Heading: "Labels that training resists", Text: "Their area under the margin is no higher than that of samples which were given a class that there is not; the lowest first."}
		for _, l := range f.LowMargin[:min(len(f.LowMargin), shownGroups)] {
			p := show.room[l.Sample]
			p.Caption += fmt.Sprintf(", %.3g below", -l.Margin)
			s.Gallery = append(s.Gallery, []report.Picture{p})
		}
		r.Add(more(s, len(f.LowMargin), "labels"))
	}
	if len(f.Outliers) > 0 {
		s := report.Section{Heading: "Far from all others", Text: fmt.Sprintf("Samples whose neighbours are farther than %.4g, Tukey's outer fence.", f.Fence)}
		for _, o := range f.Outliers[:min(len(f.Outliers), shownGroups)] {
			p := show.room[o.Sample]
			p.Caption += fmt.Sprintf(", distance %.4g", o.Distance)
			s.Gallery = append(s.Gallery, []report.Picture{p})
		}
		r.Add(more(s, len(f.Outliers), "samples"))
	}
	r.Facts = []report.Fact{{Name: "Data", Text: spec, Code: true}}
	for _, s := range f.corpus {
		r.Facts = append(r.Facts, report.Fact{Name: "Digest of the " + s.Name + " set", Text: s.Digest(), Code: true})
	}
	return r, nil
}

// more says how many there are beside those that are shown.
func more(s report.Section, n int, what string) report.Section {
	if n > shownGroups {
		s.Note = fmt.Sprintf("%d of %d %s are shown.", shownGroups, n, what)
	}
	return s
}

// Verdict is what was found, in sentences.
func (f *Findings) Verdict() (out []string) {
	same := 0
	for _, g := range f.Exact {
		same += len(g.Samples) - 1
	}
	say := func(format string, a ...any) { out = append(out, fmt.Sprintf(format, a...)) }
	switch {
	case same == 0:
		say("No sample is there twice.")
	default:
		say("%d samples are the same as an earlier one%s.", same, also(f.Conflicts, ", and %d groups of equal samples have different labels"))
	}
	if f.NearBy != "" {
		near := 0
		for _, g := range f.Near {
			near += len(g.Samples) - 1
		}
		say("%d samples are nearly the same as another, by %s.", near-same, f.NearBy)
	}
	if len(f.corpus) > 1 {
		if n := len(f.Leaks); n == 0 {
			say("No sample of a later set was found in an earlier one.")
		} else {
			say("%d samples of later sets are in an earlier one, %d of them the same.", n, f.SameLeaks)
		}
	}
	if f.LabelsBy != "" {
		say("%d labels are likely wrong, by %s.", len(f.Labels), f.LabelsBy)
	}
	if f.Margins {
		say("%d labels are likely wrong, by the area under the margin%s.", len(f.LowMargin), also(f.both(), "; %d of them by both"))
	}
	if f.Fence > 0 {
		say("%d samples are far from all others.", len(f.Outliers))
	}
	for _, s := range f.Remarks {
		say("%s.", strings.ToUpper(s[:1])+s[1:])
	}
	return out
}

// both is how many labels are in doubt by their margins and by confident learning.
func (f *Findings) both() (n int) {
	doubt := map[int]bool{}
	for _, l := range f.Labels {
		doubt[l.Sample] = true
	}
	for _, l := range f.LowMargin {
		if doubt[l.Sample] {
			n++
		}
	}
	return n
}

func also(n int, format string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(format, n)
}

// onlyNear are the groups of which not all samples are the same.
func (f *Findings) onlyNear() (out []Group) {
	same := f.equal()
	for _, g := range f.Near {
		first := same[g.Samples[0]]
		if first == 0 || slices.ContainsFunc(g.Samples, func(i int) bool { return same[i] != first }) {
			out = append(out, g)
		}
	}
	return out
}

// nearestLeaks are the leaks, the nearest first.
func (f *Findings) nearestLeaks() []Leak {
	out := slices.Clone(f.Leaks)
	slices.SortStableFunc(out, func(a, b Leak) int { return cmp.Compare(a.Distance, b.Distance) })
	return out[:min(len(out), shownGroups)]
}

// shown are the samples that the page shows.
func (f *Findings) shown() map[int]bool {
	out := map[int]bool{}
	for _, gs := range [][]Group{f.Exact, f.onlyNear()} {
		for _, g := range gs[:min(len(gs), shownGroups)] {
			for _, i := range g.Samples[:min(len(g.Samples), shownSamples)] {
				out[i] = true
			}
		}
	}
	for _, l := range f.nearestLeaks() {
		out[l.Sample], out[l.Like] = true, true
	}
	for _, l := range f.Labels[:min(len(f.Labels), shownGroups)] {
		out[l.Sample] = true
	}
	for _, l := range f.LowMargin[:min(len(f.LowMargin), shownGroups)] {
		out[l.Sample] = true
	}
	for _, o := range f.Outliers[:min(len(f.Outliers), shownGroups)] {
		out[o.Sample] = true
	}
	return out
}

// setsSection is the sets in a table, and their classes drawn.
func (f *Findings) setsSection() report.Section {
	t := &report.Table{Columns: []string{"set", "samples", "classes", "fewest of a class", "most of a class", "without a class"}}
	s := report.Section{Heading: "Sets", Table: t}
	for _, x := range f.Sets {
		row := []report.Cell{report.Text(x.Set), report.Count(int64(x.Samples)), report.Missing(), report.Missing(), report.Missing(), report.Count(int64(x.NoClass))}
		if n := len(x.Counts); n > 0 {
			least, most := x.Counts[0], x.Counts[0]
			for _, c := range x.Counts {
				least, most = min(least, c), max(most, c)
			}
			row[2], row[3], row[4] = report.Count(int64(n)), report.Count(int64(least)), report.Count(int64(most))
			if n <= 40 && most > 0 {
				p := &report.Plot{Title: "Samples of each class, " + x.Set}
				for k, c := range x.Counts {
					p.Bars = append(p.Bars, report.Bar{Label: x.name(k), Value: float64(c) / float64(most), Text: fmt.Sprint(c)})
				}
				s.Plots = append(s.Plots, p)
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return s
}

// shower makes pictures of samples.
type shower struct {
	c      Corpus
	labels []int32
	room   map[int]report.Picture
}

// read makes those of some samples.
func (s *shower) read(ctx context.Context, of map[int]bool) error {
	for k, set := range s.c {
		var at []int32
		var number []int
		for i := range set.Len() {
			if of[s.c.first(k)+i] {
				at, number = append(at, stored(set, i)), append(number, s.c.first(k)+i)
			}
		}
		some := *set
		some.Index = append([]int32{}, at...)
		f := set.X()
		err := each(ctx, &some, []int{0}, func(i int, x []sample) error {
			p := report.Picture{Caption: s.c.ID(number[i])}
			if l := s.labels[number[i]]; l >= 0 {
				p.Caption += ", " + called(set, l)
			}
			var err error
			if isImage(f) {
				p.PNG, err = thumbnail(x[0].X, f)
			} else {
				p.Text = text(x[0], f)
			}
			s.room[number[i]] = p
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// called is a class's name, or its number after the word.
func called(s *dataset.Set, k int32) string {
	name := class(s, k)
	if name == fmt.Sprint(k) {
		return "class " + name
	}
	return name
}

// group is samples side by side.
func (s *shower) group(samples []int, caption string) (out []report.Picture) {
	for _, i := range samples[:min(len(samples), shownSamples)] {
		out = append(out, s.room[i])
	}
	if n := len(samples) - len(out); n > 0 {
		caption += fmt.Sprintf("and %d more", n)
	}
	if caption != "" && len(out) > 0 {
		out[len(out)-1].Caption += ", " + caption
	}
	return out
}

// largest side of a thumbnail, in pixels.
const thumb = 96

// thumbnail is an image as a PNG, large ones by every so many pixels.
func thumbnail(x []float32, f *dataset.Field) ([]byte, error) {
	h, w := f.Shape[1], f.Shape[2]
	lo, hi := float32(0), float32(255)
	if f.Bytes == nil { // numbers of an unknown range
		lo, hi = float32(math.Inf(1)), float32(math.Inf(-1))
		for _, v := range x {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	step := max(1, (max(h, w)+thumb-1)/thumb)
	m := image.NewNRGBA(image.Rect(0, 0, (w+step-1)/step, (h+step-1)/step))
	at := func(c, y, x0 int) uint8 {
		v := x[(c*h+y)*w+x0]
		if hi > lo {
			return uint8(min(max((v-lo)/(hi-lo)*255, 0), 255))
		}
		return 128
	}
	for y := 0; y < h; y += step {
		for x0 := 0; x0 < w; x0 += step {
			p := color.NRGBA{at(0, y, x0), at(0, y, x0), at(0, y, x0), 255}
			if f.Shape[0] == 3 {
				p.G, p.B = at(1, y, x0), at(2, y, x0)
			}
			m.SetNRGBA(x0/step, y/step, p)
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, m)
	return b.Bytes(), err
}

// text is a sample's first values; bytes of a text, and tokens, are its letters.
func text(x sample, f *dataset.Field) string {
	const most, letters = 24, 200
	if f.Speaks != nil {
		ids := make([]int32, min(len(x.I), letters))
		for i := range ids {
			ids[i] = int32(x.I[i])
		}
		if s, err := f.Speaks.Decode(ids, true); err == nil {
			r := []rune(strings.TrimSpace(s))
			if len(r) > letters {
				r = append(r[:letters], '…')
			}
			return string(r)
		}
	}
	if f.Name == "text" && x.I != nil && f.Tokens == 0 {
		b := make([]byte, 0, len(x.I))
		for _, v := range x.I {
			b = append(b, byte(v))
		}
		return strings.ToValidUTF8(string(b[:min(len(b), letters)]), "�")
	}
	var out []string
	for _, v := range x.I[:min(len(x.I), most)] {
		out = append(out, fmt.Sprint(v))
	}
	for _, v := range x.X[:min(len(x.X), most)] {
		out = append(out, fmt.Sprintf("%.4g", v))
	}
	if f.Size() > most {
		out = append(out, "…")
	}
	return strings.Join(out, " ")
}
