package measure

import (
	"math"
	"strings"
	"testing"

	"pare/train"
)

func acc(x float64) train.Score {
	return train.Score{Metric: "accuracy", Unit: "%", Higher: true, Value: x}
}

// Seeds are a mean with a deviation, those that failed are told, and a verdict says what
// chance may be.
func TestSeeds(t *testing.T) {
	a := NewSeeds("a", "0.1", []train.Score{acc(.9), acc(.92)}, 1)
	b := NewSeeds("b", "0.1", []train.Score{acc(.89), acc(.93)}, 0)
	c := NewSeeds("c", "0.1", []train.Score{acc(.5), acc(.5)}, 0)
	none := NewSeeds("d", "0.1", nil, 2)
	if math.Abs(a.Score.Value-.91) > 1e-12 || math.Abs(a.Spread-.02/math.Sqrt2) > 1e-12 || a.Cell().Text != "91.00 ± 1.41 % (1 of 3 failed)" || none.Cell().Text != "failed" {
		t.Errorf("%+v, %q", a, a.Cell().Text)
	}
	all := NewSeeds("all", "", []train.Score{acc(.95)}, 0)
	if got := a.Above(all).Text; got != "-4.00" {
		t.Errorf("%q", got)
	}
	where := func(at string) string { return "With " + at }
	got := SeedsVerdict([]*Seeds{a, c, none}, all, where)
	if len(got) != 1 || !strings.HasPrefix(got[0], "With 0.1 a is the most accurate") || !strings.Contains(got[0], "4.00 points below all") || strings.Contains(got[0], "spread") {
		t.Errorf("%q", got)
	}
	if got = SeedsVerdict([]*Seeds{b, a}, nil, where); !strings.Contains(got[0], "within the spread of the seeds") {
		t.Errorf("%q", got)
	}
	table := ScoreTable([]*Seeds{all, a, b})
	if len(table.Columns) != 3 || len(table.Rows) != 3 || table.Rows[1][1].Text != "–" || table.Rows[1][2].Text != a.Cell().Text || table.Rows[0][1].Text != "95.00 %" {
		t.Errorf("%+v", table)
	}
}
