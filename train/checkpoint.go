package train

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"slices"

	"pare/graph"
)

// checkpoint is the state of a run: everything that the next step depends on.
// The order of the data is a function of the epoch, and the learning rate of
// the step, so both counters stand for them.
type checkpoint struct {
	Key         []string
	Step, Epoch int
	Sum         float64
	Past        []Epoch
	Names       []string
	Weights     [][]float32
	State       [][][]float32
	StatNames   []string
	Stats       [][]float32
	Hooks       map[string][]byte
	Watch       watch
	Norms       norms

	// of a file alone
	Peak, Factor float64
	Tested       int
	Backs        []Back
	Good, Best   *checkpoint
	Chosen       chosen
}

// state copies weights, statistics, hooks' state and position, with whole what the
// optimiser knows too. It writes over a state that is no longer wanted, or nil.
func (r *Run) state(over *checkpoint, whole bool) (*checkpoint, error) {
	c := over
	if c == nil {
		c = &checkpoint{Weights: make([][]float32, len(r.Params)), State: make([][][]float32, len(r.Params)), Stats: make([][]float32, len(r.Stats))}
		for _, p := range r.Params {
			c.Names = append(c.Names, p.Name)
		}
		for _, v := range r.Stats {
			c.StatNames = append(c.StatNames, v.Name)
		}
	}
	c.Step, c.Epoch, c.Sum, c.Past = r.Step, r.Epoch, r.sum, append(c.Past[:0], r.Past...)
	c.Watch, c.Norms = r.watch, r.norms
	for i, p := range r.Params {
		c.Weights[i] = append(c.Weights[i][:0], p.W...)
		if c.State[i] == nil && whole {
			c.State[i] = make([][]float32, len(p.State))
		}
		for k := range c.State[i] {
			c.State[i][k] = append(c.State[i][k][:0], p.State[k]...)
		}
	}
	for i, v := range r.Stats {
		c.Stats[i] = append(c.Stats[i][:0], v.Const.F32()...)
	}
	c.Hooks = map[string][]byte{}
	for name, h := range r.stateful() {
		b, err := h.MarshalBinary()
		if err != nil {
			return nil, err
		}
		c.Hooks[name] = b
	}
	return c, nil
}

// stateful gives the hooks whose state is saved, in their order, each under a name
// of its own: the second of a name is "name#2".
func (r *Run) stateful() iter.Seq2[string, Stateful] {
	return func(yield func(string, Stateful) bool) {
		seen := map[string]int{}
		for _, h := range r.Hooks {
			s, ok := h.(Stateful)
			if !ok {
				continue
			}
			name := s.Name()
			if seen[name]++; seen[name] > 1 {
				name = fmt.Sprintf("%s#%d", name, seen[name])
			}
			if !yield(name, s) {
				return
			}
		}
	}
}

// restore puts a state back, with whole the optimiser, the position and what is
// watched too.
func (r *Run) restore(c *checkpoint, whole bool) error {
	if err := r.fits(c, whole); err != nil {
		return err
	}
	for name, h := range r.stateful() {
		if err := h.UnmarshalBinary(c.Hooks[name]); err != nil {
			return err
		}
	}
	for i, p := range r.Params {
		copy(p.W, c.Weights[i])
		for k := range c.State[i] {
			copy(p.State[k], c.State[i][k])
		}
	}
	for i, v := range r.Stats {
		copy(v.Const.F32(), c.Stats[i])
	}
	if whole {
		r.Step, r.Epoch, r.sum, r.Past = c.Step, c.Epoch, c.Sum, slices.Clone(c.Past)
		r.watch, r.norms = c.Watch, c.Norms
	}
	return nil
}

// fits returns an error where a state is not of this run's network, optimiser, hooks
// and length.
func (r *Run) fits(c *checkpoint, whole bool) error {
	if len(c.Names) != len(r.Params) || len(c.StatNames) != len(r.Stats) || len(c.Weights) != len(c.Names) ||
		len(c.State) != len(c.Names) || len(c.Stats) != len(c.StatNames) {
		return fmt.Errorf("the checkpoint has %d parameters and %d statistics, the network %d and %d: it belongs to another network",
			len(c.Names), len(c.StatNames), len(r.Params), len(r.Stats))
	}
	for i, p := range r.Params {
		if c.Names[i] != p.Name || len(c.Weights[i]) != len(p.W) || len(c.State[i]) != len(p.State) && (whole || len(c.State[i]) > 0) {
			return fmt.Errorf("the checkpoint's parameter %q does not fit %q of the network or its optimiser", c.Names[i], p.Name)
		}
		for k, b := range c.State[i] {
			if len(b) != len(p.State[k]) {
				return fmt.Errorf("the checkpoint's optimiser state of %q does not fit", p.Name)
			}
		}
	}
	for i, v := range r.Stats {
		if c.StatNames[i] != v.Name || len(c.Stats[i]) != len(v.Const.F32()) {
			return fmt.Errorf("the checkpoint's statistic %q does not fit %q of the network", c.StatNames[i], v.Name)
		}
	}
	steps := r.Train.Steps()
	if c.Step < 0 || c.Epoch < 0 || c.Epoch > r.Epochs || c.Step < c.Epoch*steps || c.Step > (c.Epoch+1)*steps {
		return fmt.Errorf("the checkpoint stands at step %d of epoch %d, which this run of %d epochs of %d steps does not have", c.Step, c.Epoch, r.Epochs, steps)
	}
	for name := range r.stateful() {
		if _, ok := c.Hooks[name]; !ok {
			return fmt.Errorf("the checkpoint has no state of %q: it belongs to another method", name)
		}
	}
	return nil
}

// resume takes over a checkpoint.
func (r *Run) resume(c *checkpoint) error {
	for _, x := range []struct {
		*checkpoint
		whole bool
	}{{c.Good, true}, {c.Best, false}} {
		if x.checkpoint != nil {
			if err := r.fits(x.checkpoint, x.whole); err != nil {
				return err
			}
		}
	}
	if err := r.restore(c, true); err != nil {
		return err
	}
	r.saved = c.Step
	r.Peak, r.Tested, r.factor, r.Backs = c.Peak, c.Tested, c.Factor, c.Backs
	r.good, r.best, r.chosen = c.Good, c.Best, c.Chosen
	return nil
}

// load continues from a file; one that does not exist starts afresh.
func (r *Run) load(path string) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := decode(b)
	if err != nil {
		return fmt.Errorf("checkpoint %s: %w", path, err)
	}
	err = sameKey(c.Key, r.Key)
	if err == nil {
		err = r.resume(c)
	}
	if err != nil {
		return fmt.Errorf("checkpoint %s: %w", path, err)
	}
	return nil
}

// sameKey names the first fact in which two runs differ.
func sameKey(was, is []string) error {
	for i := range max(len(was), len(is)) {
		a, b := "nothing", "nothing"
		if i < len(was) {
			a = was[i]
		}
		if i < len(is) {
			b = is[i]
		}
		if a != b {
			return fmt.Errorf("it was begun with %s, this run has %s: repeat what began it, or remove the checkpoint to begin anew", a, b)
		}
	}
	return nil
}

// CopyWeights copies weights and statistics by name from one network to
// another of the same architecture.
func CopyWeights(dst, src *graph.Graph) error {
	from := map[string]*graph.Value{}
	for _, v := range src.Consts() {
		from[v.Name] = v
	}
	for _, v := range dst.Consts() {
		s := from[v.Name]
		if v.Role == graph.Frozen {
			continue
		}
		if s == nil || !s.Shape.Equal(v.Shape) || s.DType != v.DType {
			return fmt.Errorf("weight %q has no counterpart of its shape %v", v.Name, v.Shape)
		}
		copy(v.Const.F32(), s.Const.F32())
	}
	return nil
}
