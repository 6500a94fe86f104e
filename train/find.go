package train

import (
	"context"
	"math"
	"slices"
	"strconv"
)

// RangeTest finds the peak learning rate of a training before its first step (Smith
// 2017, arXiv 1506.01186, section 3.3): the weights are trained for a few steps at a
// rate that rises exponentially from Least to Most, and put back. The rate is a third
// of that from which on a step makes the loss of its own batch larger, and a third of
// Most at most.
//
// A test of a few dozen steps tells rates apart by a factor of about two: a rate that
// is as near to Usual, which is proven, is taken for it.
//
// Smith looks at the loss from batch to batch. It differs by more than a step changes
// it, and what was learnt at low rates hides for a while what is lost at high ones. So
// half of the steps measure: each batch is looked at before its step and after.
type RangeTest struct {
	Least, Most float64
	Steps       int                            // of the test; fewer than LeastTest, or none, and the rate is Usual
	Usual       float64                        // the rate of who has not tested
	Rate        func(peak float64) Rate        // the schedule of a peak
	Found       func(peak float64, tested int) // is told; may be nil
}

const (
	// LeastTest is the number of steps below which a test shows too little.
	LeastTest = 20
	testKeeps = .5  // share of the smoothed change of the loss that stays at a step
	testOver  = .05 // a smoothed change, as a share of the loss, from which on nothing is learnt
	testLost  = 1   // a change that counts as no more than this
	testFirst = 5   // losses whose mean is that at first
	testEnd   = 10  // times that, the test ends
	testNear  = 2   // a rate by less than this factor from the usual one is the usual one
	testSafe  = 3   // what the rate at which learning ends is divided by
)

// find sets the peak rate, by a test where one is worth its steps.
func (r *Run) find(ctx context.Context) error {
	t := r.Find
	if t == nil || r.Peak > 0 {
		return nil
	}
	if t.Steps < LeastTest {
		r.Peak = t.Usual
		return nil
	}
	rates, change, err := r.ramp(ctx)
	if err != nil {
		return err
	}
	r.Peak, r.Tested = t.pick(rates, change), t.Steps
	return nil
}

// ramp trains at rising rates, and gives for each by how much a step changes the loss of
// its batch, as a share of it. It ends early where the loss is lost. Weights and
// optimiser are as they were when it returns; hooks that look on, or change masks, do
// not take part.
func (r *Run) ramp(ctx context.Context) (rates, change []float64, err error) {
	t := r.Find
	was := make([][]float32, len(r.Params))
	for i, p := range r.Params {
		was[i] = slices.Clone(p.W)
	}
	defer func() {
		for i, p := range r.Params {
			copy(p.W, was[i])
			for _, s := range p.State {
				clear(s)
			}
		}
		if e := r.each(Hook.AfterStep); err == nil {
			err = e
		}
	}()
	first, n := 0.0, t.Steps/2
	for k := range n {
		loss, err := r.trial(ctx, k)
		if err != nil {
			return nil, nil, err
		}
		if !finite(loss) || k >= testFirst && math.Abs(loss) > testEnd*first {
			break
		}
		if k < testFirst {
			first += (math.Abs(loss) - first) / float64(k+1)
		}
		lr := t.Least * math.Pow(t.Most/t.Least, float64(k)/float64(n-1))
		for _, p := range r.Params {
			r.Optimizer.Step(p, lr, k)
		}
		if err := r.each(Hook.AfterStep); err != nil {
			return nil, nil, err
		}
		after, err := r.trial(ctx, k)
		if err != nil {
			return nil, nil, err
		}
		x := (after - loss) / math.Max(math.Abs(loss), first/1000)
		if !finite(x) || x > testLost {
			x = testLost
		}
		rates, change = append(rates, lr), append(change, x)
	}
	return rates, change, nil
}

// trial computes loss and gradients of a batch of the test.
func (r *Run) trial(ctx context.Context, b int) (float64, error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	loss, err := r.Gradient(r.Epoch, b%r.Train.Steps())
	if err == nil {
		err = r.each(Hook.AfterGrad)
	}
	return loss, err
}

// each asks the hooks that train numbers of their own in the place of weights.
func (r *Run) each(f func(Hook, *Run) error) error {
	for _, h := range r.Hooks {
		if _, ok := h.(Reparametrised); ok {
			if err := f(h, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// pick takes a third of the rate from which on steps do harm. A test that has ended early
// did harm at its last rate.
func (t *RangeTest) pick(rates, change []float64) float64 {
	if len(change) == 0 {
		return t.Usual
	}
	end, smooth := t.Most, 0.0
	if len(rates) < t.Steps/2 {
		end = rates[len(rates)-1]
	}
	for k, x := range change {
		if smooth = testKeeps*smooth + (1-testKeeps)*x; smooth > testOver {
			for ; k > 0 && change[k-1] > 0; k-- { // where it began
			}
			end = rates[k]
			break
		}
	}
	if rate := end / testSafe; rate < testNear*t.Usual && rate > t.Usual/testNear {
		return t.Usual
	}
	rate, _ := strconv.ParseFloat(strconv.FormatFloat(math.Max(t.Least, end/testSafe), 'g', 3, 64), 64) // of a written number
	return rate
}
