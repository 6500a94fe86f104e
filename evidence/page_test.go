package evidence

import (
	"context"
	"strings"
	"testing"
)

// The page has a verdict for each claim and a table for each trial, in which arms of
// one sparsity stand together and only shares are percentages.
func TestPage(t *testing.T) {
	e := &Experiment{ID: "00", Name: "toy", About: "A toy.", Seeds: 2,
		Run: func(_ context.Context, seed uint64, put func(string, float64)) error {
			put("b 0.5", .5)
			put("a 0.9", .25)
			put("a 0.5", .75+float64(seed)/100)
			put("speed (ms)", 12)
			return nil
		},
		Claims: []Claim{Beats("a beats b", "a 0.5", "b 0.5", 10, "b 0.5"), Near("a is b", "a 0.5", "b 0.5", 1, "b 0.5")},
		Asks:   []Comparison{{"of a", "a 0.5", "b 0.5"}}}
	x, err := e.Try(context.Background(), 1, 0, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, failed := Verdicts([]*Trial{x}); failed != 1 {
		t.Errorf("%d claims fail, want 1", failed)
	}
	var b strings.Builder
	if err := Page(Run{"toy", []*Trial{x}}, []Run{{"other toy", []*Trial{x}}}).Markdown(&b, "", nil); err != nil {
		t.Fatal(err)
	}
	at := -1
	for _, want := range []string{"1 of 2 claims do not hold.", "| a beats b |", "| NO |", "| of a | a 0.5 | b 0.5 | +26.5 ± 6.4 pp | helps |", "| other toy | 1 |", "| b 0.5: +0.0 ± 0.0 pp |", "## toy (00)", "A toy. 2 seeds from 1, 0.0 s.", "| speed (ms) | 12 |", "| a 0.5 | 76.50 % |", "| b 0.5 |", "| a 0.9 | 25.00 % |"} {
		i := strings.Index(b.String(), want)
		if i < 0 {
			t.Errorf("no %q in\n%s", want, b.String())
		}
		if strings.HasPrefix(want, "| speed") {
			at = i
		}
	}
	if i, j, k := strings.LastIndex(b.String(), "| a 0.5"), strings.LastIndex(b.String(), "| b 0.5"), strings.LastIndex(b.String(), "| a 0.9"); !(at < i && i < j && j < k) {
		t.Errorf("order:\n%s", b.String())
	}
}
