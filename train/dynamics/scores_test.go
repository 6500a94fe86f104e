package dynamics

import (
	"math"
	"testing"
)

// logOf is a log of one sample with label 0 of two classes: its probability by epoch;
// negative where it was in no batch.
func logOf(label ...float64) *Log {
	l := &Log{About: About{Samples: 1, Stored: 1, Classes: 2}, Numbers: []int32{0}}
	for _, p := range label {
		e := newEpoch(1)
		if p >= 0 {
			e.note(0, []float32{float32(math.Log(p)), float32(math.Log(1 - p))}, 0)
		}
		l.Epochs = append(l.Epochs, e)
	}
	return l
}

func near(t *testing.T, what string, got []float64, err error, want float64) {
	t.Helper()
	if err != nil || !(math.Abs(got[0]-want) < 5e-5) && got[0] != want {
		t.Errorf("%s: %v, not %v (%v)", what, got, want, err)
	}
}

// Right, wrong, right, with margins .2, -.1 and .4; and p = (.7,.3).
func TestScoresOfThreeEpochs(t *testing.T) {
	l := logOf(.6, .45, .7)
	x, err := l.AUM()
	near(t, "AUM", x, err, .5)
	x, err = l.Forgetting()
	near(t, "forgetting", x, err, 1)
	x, err = logOf(.7).EL2N(1)
	near(t, "EL2N", x, err, math.Sqrt(.18))
	x, err = l.EL2N(2)
	near(t, "EL2N of two", x, err, (.4+.55)*math.Sqrt2/2)
}

func TestForgetting(t *testing.T) {
	for _, c := range []struct {
		p    []float64
		want float64
	}{
		{[]float64{.1, .2, .3}, math.Inf(1)}, {[]float64{.9, .9, .9}, 0}, {[]float64{.1, .9, .9}, 0}, {[]float64{.9, .1, .9, .1, .1}, 2}, {[]float64{.9, -1, .1}, 1}, {[]float64{-1, .1, .9}, 0},
	} {
		x, err := logOf(c.p...).Forgetting()
		near(t, "forgetting", x, err, c.want)
	}
}

// An epoch without the sample counts as the mean of the others.
func TestUnseen(t *testing.T) {
	x, err := logOf(.6, -1, .7).AUM()
	near(t, "AUM", x, err, .9)
	if _, err := logOf(-1, -1).AUM(); err == nil {
		t.Error("a sample that was never seen has a score")
	}
	if _, err := logOf(-1, .7).EL2N(1); err == nil {
		t.Error("a sample that was not seen in the window has a score")
	}
	if _, err := logOf(.5).EL2N(2); err == nil {
		t.Error("there are fewer epochs than the window has")
	}
}
