package schedule

import (
	"fmt"
	"math"
)

// Exchange says when, and how much of, a sparse layer's weights are exchanged
// for others while training. The share falls along half a cosine (Evci et al.
// 2020, section 3; Liu et al. 2021, section 4):
//
//	r_t = Least + (Rate-Least) * (1+cos(pi*t/Over)) / 2
type Exchange struct {
	Rate  float64 // share at step 0, in [0,1)
	Least float64 // share from step Over on, at most Rate
	Over  int     // steps of the fall; 0: the share stays at Rate
	Begin int     // no event before this step
	End   int     // events are before this step
	Every int     // steps between events, counted from Begin
}

// Check returns an error that names the first field out of range. steps is the
// length of the training.
func (e Exchange) Check(steps int) error {
	switch {
	case !(e.Rate >= 0 && e.Rate < 1):
		return fmt.Errorf("an exchange of %v of the weights is outside [0,1)", e.Rate)
	case !(e.Least >= 0 && e.Least <= e.Rate):
		return fmt.Errorf("the least exchange of %v is outside [0,%v]", e.Least, e.Rate)
	case e.Over < 0:
		return fmt.Errorf("the exchange falls over %d steps: that is negative", e.Over)
	case e.Begin < 0:
		return fmt.Errorf("the exchange begins at step %d, before the first", e.Begin)
	case e.Every < 1:
		return fmt.Errorf("%d steps between exchanges: at least 1 is needed", e.Every)
	case e.End > steps:
		return fmt.Errorf("the exchange ends at step %d, but training has %d steps", e.End, steps)
	case e.Count() == 0:
		return fmt.Errorf("%d steps between exchanges from step %d to %d: there would be none; exchange more often, or train longer", e.Every, e.Begin, e.End)
	}
	return nil
}

// At is the share of a layer's weights that is exchanged at step t.
func (e Exchange) At(t int) float64 {
	if e.Over == 0 {
		return e.Rate
	}
	x := float64(min(t, e.Over)) / float64(e.Over)
	return e.Least + (e.Rate-e.Least)*(1+math.Cos(math.Pi*x))/2
}

// Event says whether weights are exchanged at step t. Step 0 is none: nothing is
// trained yet.
func (e Exchange) Event(t int) bool {
	return t > 0 && t >= e.Begin && t < e.End && (t-e.Begin)%e.Every == 0
}

// Count is the number of events.
func (e Exchange) Count() int {
	first := e.Begin
	if first == 0 {
		first = e.Every
	}
	if e.Every < 1 || first >= e.End {
		return 0
	}
	return (e.End-1-first)/e.Every + 1
}
