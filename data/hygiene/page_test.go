package hygiene

import (
	"bytes"
	"context"
	"image/png"
	"strings"
	"testing"

	"pare/neighbours"
)

// The page shows what was found, with the samples, and is a page that loads nothing.
func TestPage(t *testing.T) {
	f, err := Inspect(context.Background(), small(), Options{Within: .5, K: 3, Metric: neighbours.L2, Rows: neighbours.Matrix{X: []float32{1, 2, 3, 3, 1, 2, 5, 6, 0, 0, 1, 2, 900, 9, 5, 6, 1, 2, 900, 9}, Width: 2}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Page(context.Background(), "csv:a.csv?<b>")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.HTML(&b); err != nil {
		t.Fatal(err)
	}
	s := b.String()
	for _, want := range []string{"Seen in training", "The same", "Samples of each class, training", "test:1, class 0", "<code>5 6</code>", "csv:a.csv?&lt;b&gt;", "2 samples of later sets are in an earlier one, 2 of them the same."} {
		if !strings.Contains(s, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(s, "http") || strings.Contains(s, "<b>") {
		t.Error("the page loads something, or lets a name through")
	}
	pictures := Corpus{images("training", func(y, x int) float64 { return float64(8 * x) }, func(y, x int) float64 { return float64(8 * x) })}
	if f, err = Inspect(context.Background(), pictures, Options{Within: 4}); err != nil {
		t.Fatal(err)
	}
	if r, err = f.Page(context.Background(), "x"); err != nil {
		t.Fatal(err)
	}
	p := r.Sections[1].Gallery[0][1]
	m, err := png.Decode(bytes.NewReader(p.PNG))
	if err != nil || m.Bounds().Dx() != 32 || p.Caption != "training:1, class 0" {
		t.Fatalf("%q, %v", p.Caption, err)
	}
	if v, _, _, _ := m.At(10, 3).RGBA(); v>>8 != 80 {
		t.Errorf("the pixel is %d", v>>8)
	}
	if len(r.Sections) != 2 {
		t.Error("what is the same is shown as nearly the same too")
	}
}

// Blank samples, classes without samples and sets that lean to a class are said.
func TestStatistics(t *testing.T) {
	x := make([][]float32, 23)
	labels := make([]int32, 23)
	for i := range x {
		x[i] = []float32{float32(i), 1}
		labels[i] = int32(i / 21)
	}
	c := Corpus{numbersSet("training", x, labels, 3)}
	s, err := Statistics(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if s[0].Counts[0] != 21 || s[0].Counts[1] != 2 || len(s[0].Constant) != 1 || s[0].Constant[0] != 1 || *s[0].Means != (Spread{.5, 6, 11.5}) {
		t.Errorf("%+v %+v", s[0], s[0].Means)
	}
	got := strings.Join(Remarks(s), "|")
	want := "the training set has no sample of class 2|the training set has 21 samples of class 0 and 2 of class 1|1 samples of the training set have one value everywhere"
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
