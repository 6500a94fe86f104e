package train

import (
	"fmt"
	"slices"
	"strings"

	"pare/catalog"
	"pare/dataset"
	"pare/train/metric"
	"pare/train/objective"
)

// bindMetrics finds what the metrics are to be given.
func (e *Eval) bindMetrics(v *View) ([]measured, error) {
	uses := e.Metrics
	if uses == nil {
		uses = e.suggestMetrics(v)
	}
	var out []measured
	for _, u := range uses {
		m := measured{Use: u, name: u.Metric.Name}
		if slices.ContainsFunc(uses, func(w metric.Use) bool { return w.Metric == u.Metric && w.String() != u.String() }) {
			m.name = u.String() // which of them it is
		}
		if err := e.bindMetric(v, &m); err != nil {
			return nil, err
		}
		var err error
		if m.of, err = m.New(); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// bindMetric finds the outputs and targets of a metric: those that are named, else those
// that a term of the loss compares.
func (e *Eval) bindMetric(v *View, u *measured) error {
	field := func(name string) int {
		return slices.IndexFunc(e.Loader.Set.Fields, func(f *dataset.Field) bool { return f.Name == name })
	}
	if u.Metric.Inputs != nil {
		for _, name := range u.Metric.Inputs {
			o, k := v.natural(name), field(name)
			if o == nil && k < 0 {
				return fmt.Errorf("metric %s: its input %q is no output of the network, which are %s, and no field of the samples, which are %s", u.Metric.Name, name, described(v.Natural), fields(e.Loader.Set))
			}
			if u.inputs = append(u.inputs, o != nil); o != nil {
				u.outputs = append(u.outputs, o)
			} else {
				u.targets = append(u.targets, k)
			}
		}
		return nil
	}
	if u.Metric.Target == metric.None && e.Reference == nil {
		return catalog.Errorf("metric %s compares with another network, and there is none: give {Reference}", u.Metric.Name)
	}
	c := v.comparing(u)
	for i := range u.Metric.Outputs {
		name := u.Arg(i)
		if name == "" && c != nil && i == 0 {
			name = c.Output
		}
		if name == "" && len(v.Natural) == 1 && i == 0 {
			name = v.Natural[0].Name
		}
		if name == "" && optional(u.Metric.Outputs[i]) {
			continue
		}
		o := v.natural(name)
		if o == nil {
			return fmt.Errorf("metric %s takes an output (%s), and %q is none: the outputs are %s; name it, as in %s", u.Metric.Name, strings.TrimSuffix(u.Metric.Outputs[i], "?"), name, described(v.Natural), u.Metric.Form())
		}
		u.outputs = append(u.outputs, o)
	}
	if u.Metric.Target == metric.None {
		return nil
	}
	for i := range u.Metric.Targets {
		name := u.Arg(len(u.Metric.Outputs) + i)
		k := field(name)
		if all := v.targets(); name == "" && i == 0 {
			if c != nil && len(c.Target) > 0 {
				k = c.Target[0]
			} else if len(all) == 1 {
				k = all[0]
			}
		}
		if role := u.Metric.Targets[i]; name == "" && optional(role) {
			if k = field(role[:len(role)-1]); k < 0 || v.isInput(k) {
				k = -1 // it is left out
			}
			u.targets = append(u.targets, k)
			continue
		}
		if name == "" && k < 0 {
			return fmt.Errorf("metric %s takes a target (%s), which no field is known to be: the fields are %s; name it, as in %s", u.Metric.Name, strings.TrimSuffix(u.Metric.Targets[i], "?"), fields(e.Loader.Set), u.Metric.Form())
		}
		if k < 0 || v.isInput(k) {
			return fmt.Errorf("metric %s takes a target (%s), and %q is none: the fields are %s; name it, as in %s", u.Metric.Name, strings.TrimSuffix(u.Metric.Targets[i], "?"), name, fields(e.Loader.Set), u.Metric.Form())
		}
		u.targets = append(u.targets, k)
	}
	e.settle(v, u, c)
	return nil
}

func optional(role string) bool { return role[len(role)-1] == '?' }

// comparing is the term of the loss that compares what a metric's arguments name; the
// first where they name nothing; nil: none does.
func (v *View) comparing(u *measured) *Compared {
	for i := range v.Terms {
		c := &v.Terms[i]
		if c.Loss != objective.File && len(c.Target) > 0 && (u.Arg(0) == "" || u.Arg(0) == c.Output) {
			return c
		}
	}
	return nil
}

// settle sets parameters that network and data decide.
func (e *Eval) settle(v *View, u *measured, c *Compared) {
	if len(u.outputs) == 0 || len(u.targets) == 0 {
		return
	}
	o, f := u.outputs[0], e.Loader.Set.Fields[u.targets[0]]
	s, ok := o.Shape.Ints()
	if !ok {
		return
	}
	if axis, ok := metric.ClassAxis(s, append([]int{v.Batch}, f.Shape...)); ok {
		u.Use = u.Bind("axis", fmt.Sprint(axis))
	}
	for k := len(s) - 1; k >= 1; k-- {
		if _, prob := probability(v.Graph, o, s[k]); prob != nil && !prob.Is("LogSoftmax") {
			u.Use = u.Bind("scores", "probabilities")
			break
		}
	}
	if c != nil && c.Params.Has("ignore") {
		u.Use = u.Bind("ignore", fmt.Sprint(c.Params.Int("ignore")))
	}
	if f.Bytes != nil && len(f.Shape) == 3 {
		u.Use = u.Bind("range", "255")
	}
}

// suggestMetrics are those that go with the terms of the loss; without a term, fidelity.
func (e *Eval) suggestMetrics(v *View) (out []metric.Use) {
	use := func(name string, args ...string) {
		u := metric.Use{Metric: metric.Find(name), Args: args}
		if !slices.ContainsFunc(out, func(w metric.Use) bool { return w.String() == u.String() }) {
			out = append(out, u)
		}
	}
	for _, c := range v.Terms {
		if c.Loss == objective.File || len(c.Target) == 0 {
			continue
		}
		name := suited(&c, e.Loader.Set.Fields[c.Target[0]])
		if name == "" {
			continue
		}
		if len(v.Terms) == 1 {
			use(name)
		} else {
			use(name, c.Output, e.Loader.Set.Fields[c.Target[0]].Name)
		}
	}
	if out != nil || e.Reference == nil || len(v.Terms) > 0 {
		return out
	}
	for _, o := range v.Natural {
		switch t := likeness(v.Graph, o, 1); t.Loss {
		case objective.MatchKL:
			use("agreement", o.Name)
		case objective.MatchCosine:
			use("cosine", o.Name)
		default:
			use("relative-error", o.Name)
		}
	}
	return out
}

// suited is the metric that goes with a loss and a target; "" where none does.
func suited(c *Compared, f *dataset.Field) string {
	switch c.Loss {
	case objective.CrossEntropy, objective.NLL, objective.MSEClasses, objective.DiceClasses:
		if len(f.Shape) > 1 {
			return "iou"
		}
		return "accuracy"
	case objective.BCE, objective.Dice:
		if len(squeezed(f.Shape)) > 1 {
			return "iou"
		}
		if f.Floats != nil && !whole01(f) {
			return "mae"
		}
		if f.Size() == 1 {
			return "auroc"
		}
		return "average-precision"
	case objective.MSE, objective.L1, objective.SmoothL1, objective.Huber:
		if len(f.Shape) == 3 {
			return "psnr"
		}
		return "r2"
	case objective.Cosine:
		return "r2"
	case objective.Triplet, objective.Contrastive:
		return "recall-at-k"
	case objective.NextToken:
		return "perplexity"
	case objective.CTC:
		return "cer"
	}
	return ""
}

// whole01 says whether all numbers are 0 or 1.
func whole01(f *dataset.Field) bool {
	return !slices.ContainsFunc(f.Floats, func(x float32) bool { return x != 0 && x != 1 })
}
