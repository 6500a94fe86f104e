package lowbit

import (
	"context"
	"fmt"

	"pare/catalog"
	"pare/graph"
	"pare/graph/op"
	"pare/internal/printable"
	"pare/model"
	"pare/prune"
	"pare/prune/calibrate"
	"pare/prune/hook"
	"pare/prune/quantise"
	"pare/tensor"
	"pare/train"
)

// Facts are what came of it, for machines.
type Facts struct {
	Mode      string       `json:"mode"`
	Layers    []LayerFacts `json:"layers"`         // whose weights are integers
	Left      []prune.Skip `json:"left"`           // weights that stay in float, and why
	Tensors   int          `json:"tensors"`        // activations that are integers
	Samples   int          `json:"samples"`        // that ranges were found on
	Equalised int          `json:"equalised"`      // pairs of layers
	Corrected int          `json:"corrected"`      // channels whose bias was moved
	Drop      *Drop        `json:"drop,omitempty"` // where a budget was asked for
}

// LayerFacts are those of one layer.
type LayerFacts struct {
	Weight  string         `json:"weight"`
	Op      string         `json:"op"`
	Entries int            `json:"entries"`
	Input   quantise.Scale `json:"input"`
}

// Run makes integers of the job's network, which it takes over.
func (s *Settings) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := s.Check(j); err != nil {
		return nil, err
	}
	if err := op.Check(j.Graph); err != nil {
		return nil, fmt.Errorf("%w: a network that is not run cannot be quantised", err)
	}
	p, err := quantise.NewPlan(j.Graph, s.options())
	if err != nil {
		return nil, err
	}
	m := &making{Settings: s, j: j, plan: p, res: &model.Result{}, facts: &Facts{Mode: s.Mode}}
	var g *graph.Graph
	if s.static() {
		g, err = m.withSamples(ctx)
	} else {
		g, err = m.noSamples(ctx)
	}
	if err != nil {
		return nil, err
	}
	m.res.Graph, m.res.Facts = g, m.facts
	m.tell()
	return m.res, nil
}

// making is one run.
type making struct {
	*Settings
	j     *model.Job
	plan  *quantise.Plan
	res   *model.Result
	facts *Facts

	batches calibrate.Batches
	dense   *graph.Graph // in float, before anything was moved; nil: nobody asks
}

// noSamples makes what needs no samples.
func (m *making) noSamples(ctx context.Context) (*graph.Graph, error) {
	if m.j.MaxDrop != nil {
		m.dense, _ = m.plan.Graph.Clone(true)
	}
	m.plan.ChooseSteps(m.weightRule())
	switch {
	case m.Mode == "dynamic":
		m.plan = m.plan.Without(m.plan.Convolutions(), "is the kernel of a convolution, whose input runtimes do not take as integers by a range of its own")
	case m.Bits < 8:
		m.plan = m.plan.Without(m.plan.Convolutions(), "is the kernel of a convolution, which is stored in 8 bits at least: {Bits} 8 takes it too")
	}
	if len(m.plan.Layers) == 0 {
		return nil, catalog.Errorf("{Mode} %s makes integers of matrices, and the network has only convolutions: give {Mode} static, or {Mode} weights with {Bits} 8", m.Mode)
	}
	write := func(p *quantise.Plan) (*graph.Graph, error) {
		if m.Mode == "weights" {
			return p.WeightOnly(quantise.Groups{Bits: m.Bits, Size: m.Group})
		}
		return p.Dynamic()
	}
	if m.j.MaxDrop != nil {
		if err := m.within(ctx, write); err != nil {
			return nil, err
		}
	}
	return write(m.plan)
}

// withSamples makes what ranges of activations are found for.
func (m *making) withSamples(ctx context.Context) (*graph.Graph, error) {
	if m.j.MaxDrop != nil {
		m.dense, _ = m.plan.Graph.Clone(true)
	}
	if m.Equalise {
		if m.facts.Equalised = m.plan.Equalise(); m.facts.Equalised == 0 {
			m.res.Note("{Equalise}: no two layers stand behind one another with nothing but ReLU and pooling between; nothing was equalised")
		}
	}
	m.plan.ChooseSteps(m.weightRule())
	if err := m.ranges(ctx); err != nil {
		return nil, err
	}
	if m.QAT {
		if err := m.train(ctx); err != nil {
			return nil, err
		}
	}
	if m.j.MaxDrop != nil {
		if err := m.within(ctx, (*quantise.Plan).Fake); err != nil {
			return nil, err
		}
	} else if err := m.correct(ctx); err != nil {
		return nil, err
	}
	return m.plan.Network()
}

// mostTogether bounds the bytes of the largest activation of the samples that run at once.
const mostTogether = 64 << 20

// ranges finds those of activations on samples.
func (m *making) ranges(ctx context.Context) error {
	rule, _ := quantise.ParseRule(m.Ranges) // Check has said what is wrong
	j := *m.j
	j.Together = together(m.plan)
	var err error
	if m.batches, err = j.Calibration(m.Samples); err != nil {
		return err
	}
	n := 0
	counted := func(yield func(map[string]*tensor.Tensor) error) error {
		n = 0
		return m.batches(func(in map[string]*tensor.Tensor) error {
			n += calibrate.Samples(in)
			return yield(in)
		})
	}
	if err := m.plan.Calibrate(ctx, counted, rule, m.look()); err != nil {
		return err
	}
	if m.facts.Samples = n; n < leastSamples {
		return catalog.Errorf("ranges of activations were found on %d samples, and at least %d are needed: give more {Data}", n, leastSamples)
	}
	if n < m.Samples {
		m.res.Note("ranges of activations are found on %d samples: there are no more", n)
	}
	return nil
}

// look is how samples run through the network.
func (m *making) look() calibrate.Options { return calibrate.Options{Engine: m.j.Engine} }

// together is how many samples run at once, so that none of their activations is too large.
func together(p *quantise.Plan) int {
	most := 1
	for _, v := range p.Graph.Values() {
		if v.Const != nil {
			continue
		}
		n := 4
		for i, d := range v.Shape {
			if d.Known() && i > 0 {
				n *= max(1, d.Mul)
			}
		}
		most = max(most, n)
	}
	return max(1, min(64, mostTogether/most))
}

// correct moves biases, where that is asked for.
func (m *making) correct(ctx context.Context) (err error) {
	if m.Correct && m.static() && !m.QAT { // a training has moved them
		m.facts.Corrected, err = m.plan.CorrectBias(ctx, m.batches, m.look())
	}
	return err
}

// train trains on with rounding in the network.
func (m *making) train(ctx context.Context) error {
	t, err := m.plan.Trainable()
	if err != nil {
		return err
	}
	k := m.j.On(t.Graph)
	k.Recipe.Renorm = "off" // normalisation is folded, and the rounding stands at what it makes
	if k.Dense == nil {
		k.Dense, _ = m.plan.Graph.Clone(true)
	}
	if masks := t.Masks(); masks != nil {
		k.Watch = append([]train.Hook{&hook.Hold{Masks: masks}}, k.Watch...)
		m.res.Note("%d of %d entries of weights are zero, and stay so while it trains", prune.Total(masks.Weights)-masks.Count(), prune.Total(masks.Weights))
	}
	res, err := k.Train(ctx)
	if err != nil {
		return err
	}
	m.res.Epochs, m.res.Course = res.Epochs, res.Course
	m.res.Notes = append(m.res.Notes, res.Notes...)
	t.Learned()
	return nil
}

// tell leaves what became integers, and what did not, in facts and notes.
func (m *making) tell() {
	p := m.plan
	left := map[string]bool{}
	for _, l := range p.Left {
		left[l.Name] = true
	}
	m.facts.Left = append([]prune.Skip{}, p.Left...)
	n, names := 0, map[string]bool{}
	for _, l := range p.Layers {
		if left[l.Weight.Name] {
			continue
		}
		f := LayerFacts{Weight: l.Weight.Name, Op: l.Node.Op, Entries: l.Weight.Const.Len()}
		if l.In != nil && m.static() {
			f.Input = l.In.Scale
		}
		if m.facts.Layers = append(m.facts.Layers, f); !names[f.Weight] {
			n, names[f.Weight] = n+f.Entries, true
		}
	}
	what := "int8, a step for each output channel"
	if m.Mode == "weights" {
		what = fmt.Sprintf("%d bits, a step for each %d inputs of an output", m.Bits, m.Group)
	}
	m.res.Note("%d weights of %d layers are %s", n, len(m.facts.Layers), what)
	if m.static() {
		m.facts.Tensors = len(p.Tensors)
		m.res.Note("%d activations are %s, by %s on %d samples", len(p.Tensors), m.Activations, m.Ranges, m.facts.Samples)
	}
	if m.facts.Corrected > 0 {
		m.res.Note("the biases of %d channels were moved", m.facts.Corrected)
	}
	m.noteLeft()
}

// noteLeft says what stays in float, a line for each reason.
func (m *making) noteLeft() {
	var reasons []string
	by := map[string][]prune.Skip{}
	for _, s := range m.facts.Left {
		if by[s.Why] == nil {
			reasons = append(reasons, s.Why)
		}
		by[s.Why] = append(by[s.Why], s)
	}
	for _, why := range reasons {
		n, names := 0, []string{}
		for _, s := range by[why] {
			n, names = n+s.Len, append(names, s.Name)
		}
		m.res.Note("%d weights stay in float: %s %s", n, printable.Few(names), why)
	}
}
