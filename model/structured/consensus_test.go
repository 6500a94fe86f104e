package structured

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/modeltest"
	"pare/internal/oracle"
	"pare/model"
	"pare/prune/structure"
	"pare/tensor"
	"pare/train"
)

// gatedGradient is the mean loss of a batch of a chain whose hidden units are multiplied by
// gates [layer][sample][unit], and the gradients of parameters and gates.
func gatedGradient(n *oracle.Net, b oracle.Batch, g [][][]float64) (loss float64, gates [][][]float64) {
	size := float64(len(b.X))
	gates = make([][][]float64, len(g))
	for _, p := range n.Tensors() {
		clear(p.G)
	}
	for s, x := range b.X {
		var in, open [][]float64 // what goes into a layer, and units before their gates
		for l, layer := range n.Layers {
			in = append(in, x)
			y := make([]float64, layer.Out)
			for o := range y {
				y[o] = layer.B.X[o]
				for k, u := range x {
					y[o] += layer.W.X[o*layer.In+k] * u
				}
				if l < len(g) {
					y[o] = math.Max(0, y[o])
				}
			}
			open = append(open, y)
			x = slices.Clone(y)
			for o := range x {
				if l < len(g) {
					x[o] *= g[l][s][o]
				}
			}
		}
		most, sum := slices.Max(x), 0.0
		for _, v := range x {
			sum += math.Exp(v - most)
		}
		d := make([]float64, len(x))
		for c, v := range x {
			p := math.Exp(v-most) / sum
			if d[c] = p / size; c == b.Y[s] {
				d[c] -= 1 / size
				loss -= math.Log(p) / size
			}
		}
		for l := len(n.Layers) - 1; l >= 0; l-- {
			layer := n.Layers[l]
			back := make([]float64, layer.In)
			for o, e := range d {
				layer.B.G[o] += e
				for k, u := range in[l] {
					layer.W.G[o*layer.In+k] += e * u
					back[k] += e * layer.W.X[o*layer.In+k]
				}
			}
			if l == 0 {
				break
			}
			row := make([]float64, layer.In)
			for k := range back {
				row[k] = back[k] * open[l-1][k]
				if back[k] *= g[l-1][s][k]; open[l-1][k] <= 0 {
					back[k] = 0
				}
			}
			gates[l-1] = append(gates[l-1], row)
			d = back
		}
	}
	return loss, gates
}

// consensusByHand is the method in plain loops on a chain: gates of every hidden unit, drawn
// for every sample.
func consensusByHand(t *testing.T, j *model.Job, s *Consensus) (*oracle.Training, [2][]float64) {
	n := oracle.Read(t, j.Graph)
	stream := oracle.Trained(t, j)
	r := &oracle.Training{Net: n, Stream: stream, Recipe: j.Recipe, Steps: j.Recipe.Epochs * stream.Steps()}
	units := [2]int{n.Layers[0].Out, n.Layers[1].Out}
	logit, velocity := [2][]float64{}, [2][]float64{}
	for l := range 2 {
		logit[l], velocity[l] = slices.Repeat([]float64{s.Begin}, units[l]), make([]float64, units[l])
	}
	for step := range r.Steps {
		draw := rand.New(rand.NewPCG(j.Seed, 0x6a<<48|uint64(step)))
		b := r.Batch(step)
		size := float64(len(b.X))
		g, slope := make([][][]float64, 2), make([][][]float64, 2)
		q := [2][]float64{make([]float64, units[0]), make([]float64, units[1])}
		for range b.X {
			for l := range 2 {
				row, by := make([]float64, units[l]), make([]float64, units[l])
				var z []float64
				for u := range row {
					x := draw.Float64()
					z = append(z, logit[l][u]+math.Log(x)-math.Log(1-x))
					p := 1 / (1 + math.Exp(-z[u]/s.Tau))
					by[u] = p * (1 - p) / s.Tau
					if p > .5 {
						row[u] = 1
					}
				}
				if slices.Max(row) == 0 {
					row[slices.Index(z, slices.Max(z))] = 1
				}
				for u := range row {
					q[l][u] += row[u] / size
				}
				g[l], slope[l] = append(g[l], row), append(slope[l], by)
			}
		}
		loss, dg := gatedGradient(n, b, g)
		a, c := 0.0, 0.0
		for _, p := range q[0] {
			a += p
		}
		for _, p := range q[1] {
			c += p
		}
		over := 2 * ((10*a+a*c+3*c)/210 - .5) / 210
		byUnit := [2]float64{10 + c, a + 3}
		beta := s.Beta * math.Min(1, float64(step+1)/math.Max(1, s.Warm*float64(r.Steps)))
		for l := range 2 {
			for u, p := range q[l] {
				by := s.Alpha*over*byUnit[l] + beta*(1-2*p)/float64(units[0]+units[1])
				d := 0.0
				for i := range b.X {
					d += (dg[l][i][u] + by/size) * slope[l][i][u]
				}
				velocity[l][u] = .9*velocity[l][u] + d
				logit[l][u] -= s.GatesLR * r.Rate(step) * velocity[l][u]
			}
		}
		for _, p := range n.Tensors() {
			r.Move(p, step)
		}
		r.Frames = append(r.Frames, n.Frame(loss))
	}
	for l, keep := range ranked(t, [][]float64{logit[0], logit[1]}, s.Least, [2]int{1, 1}) {
		n.Narrow(l, keep)
	}
	return r, logit
}

// The method is the one by hand, after every step.
func TestConsensusOracle(t *testing.T) {
	for _, beta := range []float64{0, 3} {
		j := oracle.Job(t, sizes, 200, 20, 3, 4)
		s := NewConsensus()
		s.Round, s.Alpha, s.Beta, s.Begin, s.GatesLR, s.Tau = 1, 10, beta, 1, 5, .8
		hand, logit := consensusByHand(t, j, s)
		f := hand.Follow(t, s, j).Facts.(*ConsensusFacts)
		on, apart := 0, 0.0
		for _, of := range logit {
			for _, x := range of {
				if x > 0 {
					on++
				}
				q := 1 / (1 + math.Exp(-x))
				apart += q * (1 - q) / 18
			}
		}
		if f.Gates != 18 || f.On != on || math.Abs(f.Disagreement-apart) > 1e-5 {
			t.Errorf("%+v, want %d on and %v", f, on, apart)
		}
	}
}

// gatesOf are gates on a network, drawn for a batch of n samples.
func gatesOf(t *testing.T, name string, n int) (*model.Job, *gumbel, map[string]*tensor.Tensor, func(*tensor.Tensor) []float32) {
	t.Helper()
	j := modeltest.ConvJob(t, name)
	j.Recipe.Batch = n
	s := NewConsensus()
	g, h, err := s.gates(j)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(9, 9))
	x := tensor.New(tensor.Float32, n, 1, 8, 8)
	for i := range x.F32() {
		x.F32()[i] = float32(r.NormFloat64())
	}
	in := map[string]*tensor.Tensor{g.Inputs[0].Name: x}
	return j, h, in, func(gates *tensor.Tensor) []float32 {
		copy(h.Gates.Const.F32(), gates.F32())
		out, err := op.Run(g, in)
		if err != nil {
			t.Fatal(err)
		}
		return out[g.Outputs[0].Name].F32()
	}
}

// With all gates on the network is the plain one; where the gates of all samples agree it is
// the one that is cut; and a gate of one sample leaves the others alone.
func TestConsensusFolds(t *testing.T) {
	for _, name := range []string{"resnet8", "cnn-8"} {
		j, h, in, run := gatesOf(t, name, 3)
		u := len(h.Logit)
		gates := tensor.From(slices.Repeat([]float32{1}, 3*(u+1)), 3, u+1)
		plain, err := op.Run(j.Graph, in)
		if err != nil {
			t.Fatal(err)
		}
		on := run(gates)
		if want := plain[j.Graph.Outputs[0].Name].F32(); !slices.Equal(on, want) {
			t.Errorf("%s: with all gates on the network is another", name)
		}
		for c := range u / 2 {
			gates.F32()[2*c] = 0 // of the first sample alone
		}
		one := run(gates)
		if classes := len(on) / 3; slices.Equal(on[:classes], one[:classes]) || !slices.Equal(on[classes:], one[classes:]) {
			t.Errorf("%s: gates of one sample touch others, or not that one", name)
		}
		groups, _ := structure.Groups(j.Graph)
		sel := structure.All(groups)
		for _, of := range h.Layers {
			for c := range of.N {
				off := c%3 == 1
				sel[of.Group].Set(c, !off)
				for b := range 3 {
					if gates.F32()[b*(u+1)+of.First+c] = 1; off {
						gates.F32()[b*(u+1)+of.First+c] = 0
					}
				}
			}
		}
		want := run(gates)
		cut, err := structure.Cut(j.Graph, groups, sel)
		if err != nil {
			t.Fatal(err)
		}
		got, err := op.Run(cut, in)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range got[cut.Outputs[0].Name].F32() {
			if math.Abs(float64(x-want[i])) > 1e-5*math.Max(1, math.Abs(float64(want[i]))) {
				t.Fatalf("%s: output %d of the cut network is %v, gated %v", name, i, x, want[i])
			}
		}
	}
}

// The polarisation is 0 for gates that agree and 1/4 where half of the samples have them on;
// its slope, and that of the cost, are those of finite differences.
func TestPolarisation(t *testing.T) {
	d := make([]float64, 4)
	if x := polarisation([]float64{0, 1, 1, 0}, 1, d); x != 0 {
		t.Errorf("%v for gates that agree", x)
	}
	if x := polarisation([]float64{.5, .5, .5, .5}, 1, d); x != .25 {
		t.Errorf("%v for gates that do not", x)
	}
	_, h, _, _ := gatesOf(t, "resnet8", 2)
	h.Targets = [2]float64{.4, .3}
	h.gone, h.d = make([]float64, h.Costs.Groups()), make([]float64, h.Costs.Groups())
	r := rand.New(rand.NewPCG(1, 1))
	q := make([]float64, len(h.Logit))
	for u := range q {
		q[u] = r.Float64()
	}
	spare := make([]float64, len(q))
	f := func() float64 { return 3*h.cost(q, 0, spare) + 2*polarisation(q, 0, spare) }
	got := make([]float64, len(q))
	h.cost(q, 3, got)
	polarisation(q, 2, got)
	for u := range q {
		was := q[u]
		q[u] = was + 1e-5
		up := f()
		q[u] = was - 1e-5
		if want := (up - f()) / 2e-5; math.Abs(got[u]-want) > 1e-6*math.Max(1, math.Abs(want)) {
			t.Errorf("slope %v by gate %d, want %v", got[u], u, want)
		}
		q[u] = was
	}
}

// A gate is on as often as its logit says, and its slope is that of the relaxed gate.
func TestGumbel(t *testing.T) {
	_, h, _, _ := gatesOf(t, "cnn-8", 2000)
	for c := range h.Logit {
		h.Logit[c] = float64(c%5) - 2
	}
	p := &train.Param{Value: h.Gates, W: h.Gates.Const.F32()}
	if rest, err := h.Reparametrise([]*train.Param{p}); err != nil || len(rest) != 0 {
		t.Fatal(rest, err)
	}
	if err := h.BeforeStep(&train.Run{Step: 7}); err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(p.W)
	for c, q := range h.q {
		if want := 1 / (1 + math.Exp(-h.Logit[c])); math.Abs(q-want) > .05 {
			t.Errorf("a gate of logit %v is on in %v of the samples", h.Logit[c], q)
		}
	}
	if err := h.BeforeStep(&train.Run{Step: 8}); err != nil || slices.Equal(before, p.W) {
		t.Error("two steps draw the same gates", err)
	}
	if err := h.BeforeStep(&train.Run{Step: 7}); err != nil || !slices.Equal(before, p.W) {
		t.Error("a step draws other gates the second time", err)
	}
	for c := range h.Logit { // all off: the one nearest to being on stays
		h.Logit[c] = -60
	}
	if err := h.BeforeStep(&train.Run{Step: 7}); err != nil {
		t.Fatal(err)
	}
	u := len(h.Logit)
	for _, of := range h.Layers {
		for b := range 2000 {
			n := float32(0)
			for c := of.First; c < of.First+of.N; c++ {
				n += p.W[b*(u+1)+c]
			}
			if n != 1 {
				t.Fatalf("%v gates of a layer are on", n)
			}
		}
	}
}

// The target is met within two per cent, and what is to be known is said.
func TestConsensus(t *testing.T) {
	j := modeltest.ConvJob(t, "cnn-32")
	s := NewConsensus()
	s.Round, s.Tune = 1, 1
	before := structure.CostOf(j.Graph).MACs
	r := modeltest.Run(t, s, j)
	if share := float64(structure.CostOf(r.Graph).MACs) / float64(before); share > .5 || share < .48 || len(r.Epochs) != 2 {
		t.Errorf("%.4f of the computation is left after %d epochs", share, len(r.Epochs))
	}
	if !strings.Contains(modeltest.Said(r), "do not agree yet") || r.Graph.Value("gates") != nil {
		t.Errorf("said %s", modeltest.Said(r))
	}
	j = modeltest.ConvJob(t, "cnn-8") // statistics are those of the cut network
	r = modeltest.Run(t, NewConsensus(), j)
	again, _ := r.Graph.Clone(true)
	if err := j.Recalibrate(t.Context(), again, j.Recipe.Batch); err != nil {
		t.Fatal(err)
	}
	for i, v := range r.Graph.Consts() {
		if v.Role == graph.Stat && !slices.Equal(v.Const.F32(), again.Consts()[i].Const.F32()) {
			t.Errorf("%s is not that of the cut network", v.Name)
		}
	}
	j = modeltest.Job(t, 1)
	j.Recipe.Batch, j.Recipe.LR, j.Data.Train = 1, .001, j.Data.Train.First(20)
	if said := modeltest.Said(modeltest.Run(t, NewConsensus(), j)); !strings.Contains(said, "there was no polarisation: give a larger Recipe.Batch") {
		t.Errorf("said %s", said)
	}
}

// Where no share of computation is asked for nothing moves the gates towards one, which is
// said; the other budgets hold.
func TestConsensusUnsteered(t *testing.T) {
	s := NewConsensus()
	s.MACs, s.Widths = 0, []string{"*=4"}
	r := modeltest.Run(t, s, modeltest.Job(t, 1))
	if said := modeltest.Said(r); !strings.Contains(said, "the gates learned no budget") {
		t.Errorf("said %s", said)
	}
	if n := r.Graph.Consts()[0].Const.Shape; slices.Max(n) != 64 || slices.Min(n) != 4 {
		t.Errorf("the first layer is %v", n)
	}
}

func TestConsensusBadInput(t *testing.T) {
	for want, f := range map[string]func(*Consensus, *model.Job){
		"no cut of channels":            func(s *Consensus, _ *model.Job) { s.MACs = 1e-9 },
		"no target: give MACs, Params,": func(s *Consensus, _ *model.Job) { s.MACs = 0 },
		"MACs 1.5: a share is at most":  func(s *Consensus, _ *model.Job) { s.MACs = 1.5 },
		"Tau 0: a number":               func(s *Consensus, _ *model.Job) { s.Tau = 0 },
		"gates are learned by training": func(_ *Consensus, j *model.Job) { j.Recipe.Epochs = 0 },
		"nosuch":                        func(s *Consensus, _ *model.Job) { s.Include = []string{"nosuch*"} },
	} {
		s, j := NewConsensus(), modeltest.Job(t, 1)
		f(s, j)
		j.OnStep = func(step, _ int, _ float64) { t.Fatalf("%s: step %d was made", want, step) }
		modeltest.Refused(t, s, j, want)
	}
}
