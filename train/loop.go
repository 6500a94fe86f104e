// Package train moves the weights of a network against a loss: losses,
// optimisers, learning-rate schedules, the loop, hooks, and checkpoints from
// which a killed run continues to the same bytes.
package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"pare/engine"
	"pare/graph"
)

// Config is what a training run is.
type Config struct {
	Graph *graph.Graph // its weights are moved in place
	Train Source       // batches to learn from
	Val   *Eval        // evaluated after each epoch; may be nil

	Epochs    int
	From      int // optimiser steps regarded as done: rates, epochs and the order of samples go on there, the optimiser begins anew
	Until     int // the step that it ends at, in the middle of an epoch too, while rates are those of the whole; 0: the last one
	Optimizer Optimizer
	Rate      Rate
	Find      *RangeTest // in place of Rate: it is found before the first step
	Loss      Loss
	Clip      float64 // largest norm of the whole gradient; 0: not limited; Adaptive: by the norms so far
	NoDecay   bool    // exempt biases and normalisation parameters from weight decay

	Returns int     // times that a training which explodes goes back to lower its rate; 0: it is an error
	Guess   float64 // loss of who knows nothing, below which nothing has exploded; 0: not known
	Best    bool    // the weights of the epoch that was best on Val are kept, not those of the last

	Hooks   []Hook
	Engine  engine.Options
	Save    string   // checkpoint file; "" saves nothing
	Every   int      // steps between checkpoints beside those at the end of an epoch; 0: none
	Resume  bool     // continue from Save where it exists
	Key     []string // what the run is, a line a fact: a checkpoint of other facts is not continued
	OnStep  func(step int, loss float64)
	OnEpoch func(Epoch)
	Say     func(format string, a ...any) // what the training decides by itself; may be nil
}

// Source gives the batches of an epoch, the same for the same epoch.
type Source interface {
	Steps() int // batches an epoch
	Batch() int // samples a batch; all are full
	// Fill writes batch i of an epoch into the network's input and labels.
	Fill(epoch, i int, s *Step) error
	Close()
}

// Epoch is what one pass over the data came to.
type Epoch struct {
	Epoch   int     `json:"epoch"` // from 1
	Step    int     `json:"step"`  // optimiser steps so far
	Loss    float64 `json:"loss"`  // mean training loss
	Rate    float64 `json:"rate"`  // of the last step
	ValLoss float64 `json:"val_loss"`
	Score   Score   `json:"score"` // on Val, by the metric that decides; without Val empty

	// Waiting is the share of the time of its steps in which they waited for data, from
	// 0 to 1: told to OnEpoch alone, as it is another every time.
	Waiting float64 `json:"-"`
}

// waiting is the time of an epoch's steps, and what of it they waited for data.
type waiting struct {
	began time.Time
	data  time.Duration
}

func (r *Run) waited() time.Duration {
	if d, ok := r.Train.(*Data); ok {
		return d.Waited()
	}
	return 0
}

// ErrDiverged begins the error of a run whose loss is no longer finite.
var ErrDiverged = errors.New("the loss became")

// ErrInterrupted is returned when the context ends a run that has saved its state.
var ErrInterrupted = errors.New("training was interrupted; its state is saved")

// Fit trains. When ctx ends it saves a checkpoint (where Save is set) and
// returns an error that wraps ErrInterrupted.
func Fit(ctx context.Context, cfg *Config) (*Run, error) {
	if err := check(cfg); err != nil {
		return nil, err
	}
	loss := cfg.Loss
	loss.scored = looksAtScores(cfg.Hooks)
	pass, err := newStep(cfg.Graph, samplesOf(cfg.Train), cfg.Train.Batch(), loss, cfg.Engine, nil)
	if err != nil {
		return nil, err
	}
	defer pass.Close()
	defer cfg.Train.Close()
	r := &Run{Config: cfg, saved: -1, factor: 1, Params: pass.Params, pass: pass, Total: cfg.Epochs * cfg.Train.Steps()}
	for _, n := range pass.norms {
		r.Stats = append(r.Stats, n.mean, n.vari)
	}
	for _, h := range cfg.Hooks {
		if s, ok := h.(Reparametrised); ok {
			if r.Params, err = s.Reparametrise(r.Params); err != nil {
				return nil, err
			}
		}
	}
	for _, p := range r.Params {
		p.Decay = !cfg.NoDecay || len(p.Shape) > 1
		for range cfg.Optimizer.Buffers() {
			p.State = append(p.State, make([]float32, len(p.W)))
		}
	}
	r.Step, r.Epoch = cfg.From, cfg.From/cfg.Train.Steps()
	if cfg.Resume && cfg.Save != "" {
		if err := r.load(cfg.Save); err != nil {
			return nil, err
		}
	}
	r.setRate()
	if err := r.start(); err != nil {
		return nil, err
	}
	if err := r.begin(ctx); err != nil {
		return r, err
	}
	if err := r.epochs(ctx); err != nil {
		return r, err
	}
	return r, r.keepBest()
}

// begin finds the rate, and keeps the state to go back to, where a checkpoint has not
// given both.
func (r *Run) begin(ctx context.Context) error {
	if err := r.find(ctx); ctx.Err() != nil {
		return r.interrupted(ctx)
	} else if err != nil {
		return err
	}
	if r.setRate(); r.Find != nil && r.Find.Found != nil {
		r.Find.Found(r.Peak, r.Tested)
	}
	if r.good == nil {
		return r.settle()
	}
	return nil
}

// setRate makes the rate of the peak, which is the usual one until it is found.
func (r *Run) setRate() {
	rate := r.Config.Rate
	if r.Find != nil {
		rate = r.Find.Rate(cmp.Or(r.Peak, r.Find.Usual))
	}
	r.Rate = func(step int) float64 { return r.factor * rate(step) }
}

func check(cfg *Config) error {
	switch {
	case cfg.Epochs < 1:
		return fmt.Errorf("%d epochs: at least 1 is needed", cfg.Epochs)
	case cfg.Train == nil || cfg.Train.Steps() < 1:
		return errors.New("the training set has fewer samples than one batch")
	case cfg.From < 0 || cfg.From > cfg.Epochs*cfg.Train.Steps():
		return fmt.Errorf("training cannot go on at step %d: it has %d steps", cfg.From, cfg.Epochs*cfg.Train.Steps())
	case cfg.Until != 0 && (cfg.Until <= cfg.From || cfg.Until > cfg.Epochs*cfg.Train.Steps()):
		return fmt.Errorf("training that begins at step %d cannot end at step %d: it has %d steps", cfg.From, cfg.Until, cfg.Epochs*cfg.Train.Steps())
	case cfg.Optimizer == nil || cfg.Rate == nil && cfg.Find == nil:
		return errors.New("training needs an optimiser and a learning rate")
	case cfg.Clip < 0 && cfg.Clip != Adaptive:
		return fmt.Errorf("gradient limit %v is negative", cfg.Clip)
	}
	for _, v := range cfg.Graph.Consts() {
		if i := v.Const.Finite(); i >= 0 && v.Role != graph.Frozen {
			return fmt.Errorf("weight %q has a NaN or infinity at entry %d before training", v.Name, i)
		}
	}
	return nil
}

// grace is how long a step that has begun may take to its end when the context ends:
// the state is saved between steps.
const grace = 10 * time.Second

// late gives a context that ends a while after another.
func late(ctx context.Context, after time.Duration) (context.Context, func()) {
	l, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(after)
		defer t.Stop()
		select {
		case <-t.C:
			end()
		case <-l.Done():
		}
	})
	return l, func() { stop(); end() }
}

func (r *Run) epochs(ctx context.Context) error {
	soon, end := late(ctx, grace)
	defer end()
	if d, ok := r.Train.(*Data); ok {
		if d.ctx = soon; d.Threads == 0 {
			d.Threads = r.Engine.Threads
		}
	}
	steps := r.Train.Steps()
training:
	for r.Epoch < r.Epochs && !r.ended() {
		r.wait = waiting{time.Now(), r.waited()}
		for i := r.Step - r.Epoch*steps; i < steps && (r.Until == 0 || r.Step < r.Until); i++ {
			if ctx.Err() != nil {
				return r.interrupted(ctx)
			}
			if err := r.step(soon, i); err != nil {
				if err = r.goBack(err); err == nil {
					continue training
				}
				return r.broken(ctx, err)
			}
			if r.Step%backEvery == 0 && i+1 < steps {
				if err := r.settle(); err != nil {
					return err
				}
			}
			if r.Every > 0 && r.Step%r.Every == 0 && r.Save != "" && i+1 < steps {
				if err := r.save(r.Save); err != nil {
					return err
				}
			}
		}
		if err := r.endEpoch(ctx); err != nil {
			if err = r.goBack(err); err != nil {
				return err
			}
		}
	}
	return nil
}

// ended says whether the run has come to the step that it ends at, and has been judged
// there.
func (r *Run) ended() bool {
	n := len(r.Past)
	return r.Until > 0 && n > 0 && r.Past[n-1].Step == r.Until
}

// interrupted saves the state where there is a place for it.
func (r *Run) interrupted(ctx context.Context) error {
	if r.Save == "" {
		return ctx.Err()
	}
	if err := r.save(r.Save); err != nil {
		return err
	}
	return fmt.Errorf("%w in %s (step %d of %d)", ErrInterrupted, r.Save, r.Step, r.Total)
}

// broken says of a step that the context has ended in its middle from where the run
// goes on: hooks may have moved on, so that the last checkpoint stands.
func (r *Run) broken(ctx context.Context, err error) error {
	if ctx.Err() == nil || !errors.Is(err, context.Canceled) || r.saved < 0 {
		return err
	}
	return fmt.Errorf("%w in %s (step %d of %d)", ErrInterrupted, r.Save, r.saved, r.Total)
}

// step runs one batch: forward, backward, hooks, weights, statistics.
func (r *Run) step(ctx context.Context, i int) error {
	r.Index = i
	if err := r.Train.Fill(r.Epoch, i, r.pass); err != nil {
		return err
	}
	for _, h := range r.Hooks {
		if err := h.BeforeStep(r); err != nil {
			return err
		}
	}
	loss, err := r.pass.RunContext(ctx)
	if err != nil {
		return err
	}
	if err := r.exploded(loss); err != nil {
		return err
	}
	r.Loss = loss
	r.sum += loss
	for _, h := range r.Hooks {
		if err := h.AfterGrad(r); err != nil {
			return err
		}
	}
	if r.Clip != 0 {
		r.clip()
	}
	lr := r.Rate(r.Step)
	for _, p := range r.Params {
		r.Optimizer.Step(p, lr, r.Step-r.From)
	}
	r.pass.MoveStats()
	r.Step++
	for _, h := range r.Hooks {
		if err := h.AfterStep(r); err != nil {
			return err
		}
	}
	if r.OnStep != nil {
		r.OnStep(r.Step, loss)
	}
	return nil
}

func (r *Run) endEpoch(ctx context.Context) error {
	share := float64(r.waited()-r.wait.data) / float64(max(1, time.Since(r.wait.began)))
	e := Epoch{Epoch: r.Epoch + 1, Step: r.Step, Loss: r.sum / float64(max(1, r.Step-max(r.From, r.Epoch*r.Train.Steps()))), Rate: r.Rate(r.Step - 1)}
	if err := r.unsound(); err != nil {
		return err
	}
	if r.Val != nil {
		m, err := r.Val.Run(ctx, r.Graph)
		if ctx.Err() != nil {
			return r.interrupted(ctx) // after the last step of the epoch: it is evaluated again
		}
		if err != nil {
			return err
		}
		e.Score, e.ValLoss = m.Main(), m.Loss
	}
	r.sum = 0
	if r.Step == (r.Epoch+1)*r.Train.Steps() { // else it ends within the epoch
		r.Epoch++
	}
	r.Past = append(r.Past, e)
	for _, h := range r.Hooks {
		if err := h.AfterEpoch(r, e); err != nil {
			return err
		}
	}
	if err := r.judge(e); err != nil {
		return err
	}
	if r.Save != "" {
		if err := r.save(r.Save); err != nil {
			return err
		}
	}
	if r.OnEpoch != nil {
		e.Waiting = share
		r.OnEpoch(e)
	}
	return nil
}
