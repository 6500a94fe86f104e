package sweep

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// one makes a run, with a value on the validation set.
func one(status Status, cell string, x float64, values map[string]string, curve ...float64) *Outcome {
	return &Outcome{ID: "i", Label: "l", Status: status, Cell: cell, Validation: Number(x), Test: None, Values: values, Curve: curve}
}

// Main effects are means over all runs with a value, at the end where all have come to it.
func TestEffects(t *testing.T) {
	v := func(lr, m string) map[string]string { return map[string]string{"lr": lr, "method": m} }
	s := &Results{Metric: Metric{Higher: true}, Runs: []*Outcome{
		one(Done, "a", 1, v("0.1", "x"), 9, 1), one(Done, "a", 3, v("0.1", "y"), 9, 3), one(Done, "a", 5, v("0.02", "x"), 9, 5), one(Done, "a", 11, v("0.02", "y"), 9, 11),
		one(Failed, "a", math.NaN(), v("0.1", "z")), one(Missing, "a", math.NaN(), v("0.1", "w")), one(Done, Dense, 100, v("0.1", "dense"), 100),
	}}
	es := s.effects()
	if len(es) != 2 || es[0].Factor != "lr" || es[1].Factor != "method" || es[0].Epochs != 0 {
		t.Fatalf("%+v", es)
	}
	check := func(l Level, value string, mean, sd float64, n int) {
		t.Helper()
		if l.Value != value || l.Mean != mean || math.Abs(float64(l.SD)-sd) > 1e-9 || l.Runs != n {
			t.Errorf("%+v, want %s %v %v %d", l, value, mean, sd, n)
		}
	}
	check(es[0].Levels[0], "0.02", 8, math.Sqrt(18), 2) // numbers in their order, not that of their texts
	check(es[0].Levels[1], "0.1", 2, math.Sqrt(2), 2)
	check(es[1].Levels[0], "x", 3, math.Sqrt(8), 2)
	check(es[1].Levels[1], "y", 7, math.Sqrt(32), 2)

	// Where one was dropped after an epoch, all are looked at there.
	s.Runs = append(s.Runs, one(Dropped, "a", 7, v("0.02", "x"), 7))
	es = s.effects()
	if es[0].Epochs != 1 {
		t.Fatalf("%+v", es[0])
	}
	check(es[0].Levels[0], "0.02", 25./3, math.Sqrt(4./3), 3)
	check(es[0].Levels[1], "0.1", 9, 0, 2)

	var many []string
	var xs []float64
	for i := range 40 {
		many, xs = append(many, strings.Repeat("1", 1+i)), append(xs, float64(i))
	}
	ls := levels(many, xs)
	if len(ls) != 4 || ls[0].Runs != 10 || ls[0].Mean != 4.5 || ls[3].Mean != 34.5 || !strings.Contains(ls[1].Value, " to ") {
		t.Errorf("%+v", ls)
	}
}

// The front has what no other beats in both, by the validation set.
func TestFront(t *testing.T) {
	row := func(x, kept float64) *Row {
		return &Row{Cell: "c", Done: 1, Validation: Number(x), Kept: Number(kept), Test: Number(-x)}
	}
	want := map[*Row]bool{row(.9, 100): true, row(.8, 50): true, row(.8, 60): false, row(.7, 50): false, row(.9, 101): false, row(.1, 10): true, row(.1, 10): true}
	s := &Results{Metric: Metric{Higher: true}}
	for w := range want {
		s.Rows = append(s.Rows, w)
	}
	s.Rows = append(s.Rows, &Row{Cell: "c", Validation: None, Kept: None})
	s.rank()
	for w, is := range want {
		if w.Front != is {
			t.Errorf("%+v", w)
		}
	}
	if last := s.Rows[len(s.Rows)-1]; last.Front || last.Best || last.Done > 0 || !s.Rows[0].Best || s.Rows[1].Best {
		t.Error("the order is wrong")
	}
}

// A page of results tells of all of them, whatever their texts hold.
func TestPage(t *testing.T) {
	r, f := sweeper(t, strings.Replace(halvingText, "net.onnx", "'<script>.onnx'", 1), t.TempDir(), 2)
	f.fails = func(id string) bool { return hashed(id, 0) < .1 }
	res := made(t, r)
	var b bytes.Buffer
	page := res.Page("Sweep of <b>", r.Facts(func(s string) string { return s }))
	if err := page.HTML(&b); err != nil {
		t.Fatal(err)
	}
	html := b.String()
	for _, want := range []string{"What came out", "What it costs", "What each setting does", "How they learned", "What was stopped, dropped or failed", "it broke", "after 2 epochs", "&lt;script&gt;.onnx", "gmp every"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(html, "<script>.onnx") || strings.Contains(html, "NaN") {
		t.Error("the page is not clean")
	}
	text, err := json.Marshal(res)
	if err != nil || bytes.Contains(text, []byte("NaN")) {
		t.Errorf("%v", err)
	}
	back := &Results{}
	if err := json.Unmarshal(text, back); err != nil || len(back.Runs) != len(res.Runs) || back.Runs[0].Method != res.Runs[0].Method {
		t.Error(err)
	}
}
