package measure

import (
	"fmt"
	"math"
	"strings"

	"pare/dataset"
	"pare/report"
	"pare/train"
)

// Verdict says in a sentence for each network but the first what was won and lost
// against the first, whichever way it went; of one alone, what it takes. engine is
// whose times they are, "" for Pare's.
func Verdict(ns []*Network, d *dataset.Data, engine string) []string {
	first := ns[0]
	if len(ns) == 1 {
		return append([]string{alone(first, d, engine)}, warned(ns, d)...)
	}
	var out []string
	for i, n := range ns[1:] {
		t := engine
		if i > 0 {
			t = "" // it is said above
		}
		out = append(out, fmt.Sprintf("%s against %s: %s; %s; %s%s.", n.Name, first.Name, sizeVerdict(n, first), timeVerdict(&n.Single, "one sample", t), scoreVerdict(n.Metrics, first.Metrics, d), n.Course.said()))
	}
	return append(out, warned(ns, d)...)
}

// warned are the warnings as sentences.
func warned(ns []*Network, d *dataset.Data) []string {
	out := Warnings(ns, d)
	for i, w := range out {
		out[i] = "Warning: " + w + "."
	}
	return out
}

// alone says what one network is like.
func alone(n *Network, d *dataset.Data, engine string) string {
	acc := "accuracy not measured, for no data was given"
	if m := n.Metrics; m != nil {
		acc = fmt.Sprintf("%s %s on the %s set, %s samples", m.Main().Metric, m.Main().Show(), d.Eval().Name, report.Count(int64(m.N)).Text)
	}
	size := report.Count(n.Size.Params).Text + " parameters"
	if n.OnDisk > 0 {
		size = report.Bytes(n.OnDisk).Text + " on disk"
	}
	time := "time not measured"
	if n.Single.measured() {
		time = fmt.Sprintf("one sample takes %s on %s", n.Single.Seconds.Millis().Text, engine)
	}
	return fmt.Sprintf("%s: %s; %s; %s%s.", n.Name, acc, size, time, n.Course.said())
}

// sizeVerdict compares the files as they lie on disk; where one has none, its ONNX
// form.
func sizeVerdict(n, first *Network) string {
	now, was, where := n.OnDisk, first.OnDisk, "on disk"
	if now == 0 || was == 0 {
		now, was, where = n.Size.Bytes, first.Size.Bytes, "as an ONNX file"
	}
	if was == 0 {
		return "size not known"
	}
	a, b := report.Bytes(now).Text, report.Bytes(was).Text
	r := float64(now) / float64(was)
	t := fmt.Sprintf("as large %s (%s)", where, b)
	switch {
	case r < .995:
		t = fmt.Sprintf("smaller %s by %s (%s instead of %s)", where, percent(1-r), a, b)
	case r > 1.005:
		t = fmt.Sprintf("larger %s by %s (%s instead of %s)", where, percent(r-1), a, b)
	}
	if s := n.Size.SparseBytes; n.sparser() {
		t += fmt.Sprintf(", but %s in Pare's sparse form", report.Bytes(s).Text)
	}
	return t
}

// sparser says whether the sparse form is worth a word beside the file.
func (n *Network) sparser() bool {
	file := n.Size.Bytes
	if n.OnDisk > 0 {
		file = n.OnDisk
	}
	return n.Size.Sparsity() > .01 && float64(n.Size.SparseBytes) < .9*float64(file)
}

// measured says whether the network was run at all.
func (s *Speed) measured() bool { return s.Ratio.Median > 0 }

// noise is the least difference of times that is called one, as a share.
const noise = .03

// timeVerdict says how much faster or slower, unless the rounds differ by as much.
func timeVerdict(s *Speed, what, engine string) string {
	r, half := s.Ratio.Median, s.Ratio.Half
	where := what
	if engine != "" {
		where += " on " + engine
	}
	times := fmt.Sprintf("%s of the time, %s", report.Ratio(r, half).Text, where)
	switch {
	case !s.measured():
		return "time not measured"
	case math.Abs(r-1) <= max(noise, half):
		return fmt.Sprintf("as fast within the spread of the measurement (%s)", times)
	case r < 1:
		return fmt.Sprintf("faster by %s (%s)", percent(1-r), times)
	}
	return fmt.Sprintf("slower by %s (%s)", percent(r-1), times)
}

// scoreVerdict compares scores, and says where the samples are too few to tell shares of
// them apart: where the difference is below two standard errors of it.
func scoreVerdict(m, was *train.Metrics, d *dataset.Data) string {
	if m == nil || was == nil || d == nil {
		return "accuracy not measured, for no data was given"
	}
	x, y := m.Main(), was.Main()
	diff := x.Value - y.Value
	on := fmt.Sprintf("on the %s set", d.Eval().Name)
	if d.Eval() == d.Train {
		on += ", for there is no other"
	}
	both := fmt.Sprintf("%s instead of %s %s", x.Show(), y.Show(), on)
	if x.Show() == y.Show() || x.Unit == "%" && math.Abs(diff) < .00005 {
		return fmt.Sprintf("%s the same (%s %s)", x.Metric, x.Show(), on)
	}
	word := "higher"
	if diff < 0 {
		word = "lower"
	}
	t := fmt.Sprintf("%s %s %s (%s", x.Metric, x.By(math.Abs(diff)), word, both)
	if e := errorOf(x, y, m.N); e > 0 && math.Abs(diff) < 2*e {
		t += fmt.Sprintf("; %s samples cannot tell that from chance", report.Count(int64(m.N)).Text)
	}
	return t + ")"
}

// percent writes a share briefly: "89 %", "0.4 %".
func percent(x float64) string {
	if x < .095 {
		return strings.TrimSuffix(fmt.Sprintf("%.1f", 100*x), ".0") + " %"
	}
	return fmt.Sprintf("%.0f %%", 100*x)
}
