package train

import (
	"errors"
	"fmt"
	"math"
)

// Back is a return to an earlier state of a training that had exploded.
type Back struct {
	At   int     `json:"at"`   // optimiser steps done
	To   int     `json:"to"`   // those it went back to
	Rate float64 `json:"rate"` // share of the learning rate that is taken from then on
}

const (
	backDivides = 4   // what the rate is divided by at each return
	backEvery   = 200 // steps between states to go back to, beside those at the end of an epoch

	farAbove  = 4   // a loss that is so many times the best
	farSteps  = 5   // for so many steps has exploded
	above     = 1.1 // and so has one that is so many times the best, where guess is known,
	longSteps = 40  // for so many
	lossKeeps = .9  // share of the smoothed loss that stays when one comes to it
)

// errExploded begins the error of a loss that is finite and far above what it was.
var errExploded = errors.New("the loss exploded to")

// watch looks for losses that explode.
type watch struct {
	smooth, best float64
	seen         int
	over, long   int // steps in a row
}

// see takes a loss, and says whether training has exploded: the smoothed loss has
// been above guess, the loss of who knows nothing, and above four times its best for
// five steps, or, where guess is known, above its best by a tenth for 40.
func (w *watch) see(loss, guess float64) bool {
	w.seen++
	w.smooth += (loss - w.smooth) * max(1-lossKeeps, 1/float64(w.seen))
	if w.seen == 1 || w.smooth < w.best {
		w.best = w.smooth
	}
	count(&w.over, w.smooth > farAbove*math.Abs(w.best) && w.smooth > guess)
	count(&w.long, guess > 0 && w.smooth > above*math.Abs(w.best) && w.smooth > guess)
	return w.over >= farSteps || w.long >= longSteps
}

func count(n *int, more bool) {
	if *n++; !more {
		*n = 0
	}
}

// calm says whether the present state is one to go back to: the smoothed loss is at
// most twice its best, or half of guess.
func (w *watch) calm(guess float64) bool {
	return w.over == 0 && w.long == 0 && w.smooth <= math.Max(2*math.Abs(w.best), guess/2)
}

// mayGoBack says whether the run may go back once more.
func (r *Run) mayGoBack() bool { return r.good != nil && len(r.Backs) < r.Returns }

// exploded looks at the loss of a step before the weights are moved by it. Hooks that
// train masks of their own move the loss as they like: then only what is not finite
// counts.
func (r *Run) exploded(loss float64) error {
	if !finite(loss) {
		again := ""
		if n := len(r.Backs); n > 0 {
			again = fmt.Sprintf(", after going back %d times to lower rates", n)
		}
		return fmt.Errorf("%w %v at step %d (learning rate %.4g)%s: lower the learning rate, warm it up, or clip the gradient", ErrDiverged, loss, r.Step, r.Rate(r.Step), again)
	}
	if r.Returns == 0 {
		return nil
	}
	if r.watch.see(loss, r.Guess) && r.mayGoBack() && r.safe() {
		return fmt.Errorf("%w %.4g, from %.4g,", errExploded, r.watch.smooth, r.watch.best)
	}
	return nil
}

// unsound returns an error where weights are no longer finite: the last step of an
// epoch is followed by no loss that says so.
func (r *Run) unsound() error {
	for _, p := range r.Params {
		for i, x := range p.W {
			if !finite(float64(x)) {
				return fmt.Errorf("%w what is not finite: entry %d of weight %q is %v after step %d (learning rate %.4g): lower the learning rate, warm it up, or clip the gradient", ErrDiverged, i, p.Name, x, r.Step, r.Rate(r.Step-1))
			}
		}
	}
	return nil
}

// settle keeps the present state to go back to, where nothing speaks against it.
func (r *Run) settle() error {
	if r.Returns == 0 || !r.watch.calm(r.Guess) {
		return nil
	}
	var err error
	r.good, err = r.state(r.good, true)
	return err
}

// goBack puts the run back to the last good state, with a lower rate. It returns the
// error that it is given where the run may not, or cannot.
func (r *Run) goBack(why error) error {
	if !errors.Is(why, ErrDiverged) && !errors.Is(why, errExploded) || !r.mayGoBack() {
		return why
	}
	at, backs := r.Step, r.Backs
	if err := r.restore(r.good, true); err != nil {
		return fmt.Errorf("%w (it cannot go back: %w)", why, err)
	}
	r.factor /= backDivides
	r.Backs = append(backs, Back{At: at, To: r.Step, Rate: r.factor})
	if err := r.start(); err != nil {
		return err
	}
	r.say("%v at step %d: back to step %d, with a quarter of the learning rate from there (%.4g)", firstOf(why), at, r.Step, r.Rate(r.Step))
	return nil
}

// firstOf is an explosion in few words.
func firstOf(err error) string {
	if errors.Is(err, ErrDiverged) {
		return ErrDiverged.Error() + " infinite"
	}
	return err.Error()
}
