package structured

import (
	"math"
	"slices"
	"testing"

	"pare/graph"
	"pare/internal/modeltest"
	"pare/internal/oracle"
	"pare/model"
	"pare/prune"
	"pare/tensor"
	"pare/zoo"
)

// member is a parameter that goes with the channels of a hidden layer: which of its
// entries belong to which channel.
type member struct {
	tensor int // place among the network's tensors
	of     func(i int) int
	added  bool // it is a bias
}

// going lists the parameters of each of the two groups: the rows and the bias of a layer,
// and the columns of the one behind it.
func going(n *oracle.Net) (out [2][]member) {
	for g := range out {
		a, b := n.Layers[g].In, n.Layers[g+1].In
		out[g] = []member{
			{2 * g, func(i int) int { return i / a }, false},
			{2*g + 1, func(i int) int { return i }, true},
			{2*g + 2, func(i int) int { return i % b }, false},
		}
	}
	return out
}

// coupled are the scores of channels from those of entries, [tensor][entry].
func coupled(n *oracle.Net, entries [][]float64, s *SPA) [][]float64 {
	out := make([][]float64, 2)
	for g, members := range going(n) {
		var single [][]float64
		for _, m := range members {
			if m.added && (s.Members != "all" || s.Score == "synflow") {
				continue
			}
			sum := make([]float64, n.Layers[g].Out)
			for i, e := range entries[m.tensor] {
				sum[m.of(i)] += e
			}
			single = append(single, sum)
		}
		score := make([]float64, n.Layers[g].Out)
		by := 0.0
		for c := range score {
			x := []float64{}
			sum, prod := 0.0, 1.0
			for _, m := range single {
				x = append(x, m[c])
				sum, prod = sum+m[c], prod*m[c]
			}
			score[c] = map[string]float64{"sum": sum, "mean": sum / float64(len(x)), "max": slices.Max(x), "prod": prod}[s.Aggregate]
		}
		for _, x := range score {
			switch x = math.Abs(x); s.Normalise {
			case "mean":
				by += x / float64(len(score))
			case "sum":
				by += x
			case "max":
				by = math.Max(by, x)
			case "none":
				by = 1
			}
		}
		for c := range score {
			score[c] /= by
			if s.PerMAC {
				score[c] /= []float64{16, 15}[g]
			}
		}
		out[g] = score
	}
	return out
}

// along are the gradients of the loss on all samples at weights that are moved by h times
// a direction; those of the last bias are left out, which goes with no channel.
func along(n *oracle.Net, b oracle.Batch, temper, h float64, d [][]float64, s *SPA) [][]float64 {
	c := n.Clone()
	c.Temper = temper
	for k, p := range c.Tensors() {
		for i := range p.X {
			if d != nil {
				p.X[i] += h * d[k][i]
			}
		}
	}
	c.Gradient(b)
	var out [][]float64
	for k, p := range c.Tensors() {
		g := slices.Clone(p.G)
		if k == 5 || k%2 == 1 && s.Members != "all" {
			clear(g)
		}
		out = append(out, g)
	}
	return out
}

// entriesOf are the scores of all entries.
func entriesOf(t *testing.T, n *oracle.Net, j *model.Job, s *SPA) [][]float64 {
	b := oracle.NewStream(t, j.Data.Train, j.Data.Norm, j.Data.Train.Len(), false, 0).Batch(0, 0)
	temper := 1.0
	if s.Score == "grasp" {
		temper = 200
	}
	g := along(n, b, temper, 0, nil, s)
	norm := 0.0
	for _, x := range slices.Concat(g...) {
		norm += x * x
	}
	h := 1e-5 / math.Sqrt(norm)
	up, down := along(n, b, temper, h, g, s), along(n, b, temper, -h, g, s)
	f := squares(t, n, s.Samples)
	flow := flowOf(n)
	var out [][]float64
	for k, p := range n.Tensors() {
		e := make([]float64, len(p.X))
		for i, w := range p.X {
			hg := (up[k][i] - down[k][i]) / (2 * h)
			switch s.Score {
			case "magnitude-l1":
				e[i] = math.Abs(w)
			case "magnitude-l2":
				e[i] = w * w
			case "snip":
				e[i] = math.Abs(w * g[k][i])
			case "grasp":
				e[i] = w * hg
			case "crop":
				e[i] = math.Abs(w * hg)
			case "obd":
				e[i] = w * w * f[k][i] / 2
			case "synflow":
				if k%2 == 0 {
					e[i] = math.Abs(w) * flow[k/2][i]
				}
			}
		}
		out = append(out, e)
	}
	return out
}

// flowOf is dR/d|w| of every weight, R the sum of what ones become in the network of |w|.
func flowOf(n *oracle.Net) [][]float64 {
	in := [][]float64{slices.Repeat([]float64{1}, n.Layers[0].In)}
	for l, layer := range n.Layers {
		y := make([]float64, layer.Out)
		for i, w := range layer.W.X {
			y[i/layer.In] += math.Abs(w) * in[l][i%layer.In]
		}
		in = append(in, y)
	}
	back := slices.Repeat([]float64{1}, n.Layers[2].Out)
	out := make([][]float64, 3)
	for l := 2; l >= 0; l-- {
		layer := n.Layers[l]
		next := make([]float64, layer.In)
		for i, w := range layer.W.X {
			out[l] = append(out[l], back[i/layer.In]*in[l][i%layer.In])
			next[i%layer.In] += math.Abs(w) * back[i/layer.In]
		}
		back = next
	}
	return out
}

// SPA cuts what the plain computation of group scores cuts, and trains what is left: by
// every score, aggregation and normalisation, of trained weights and of drawn ones, at once
// and in rounds.
func TestSPAOracle(t *testing.T) {
	for name, f := range map[string]func(*SPA){
		"l1":                  func(*SPA) {},
		"l2, factors":         func(s *SPA) { s.Score, s.Members = "magnitude-l2", "factors" },
		"l1, weights, max":    func(s *SPA) { s.Members, s.Aggregate, s.Normalise = "weights", "max", "max" },
		"l2, product":         func(s *SPA) { s.Score, s.Aggregate = "magnitude-l2", "prod" },
		"l1, mean, whole":     func(s *SPA) { s.Aggregate, s.Normalise = "mean", "none" },
		"l1, by the sum":      func(s *SPA) { s.Normalise = "sum" },
		"l1, per mac":         func(s *SPA) { s.PerMAC, s.Normalise = true, "none" },
		"snip":                func(s *SPA) { s.Score = "snip" },
		"snip, weights":       func(s *SPA) { s.Score, s.Members = "snip", "weights" },
		"grasp":               func(s *SPA) { s.Score = "grasp" },
		"crop":                func(s *SPA) { s.Score = "crop" },
		"crop, weights":       func(s *SPA) { s.Score, s.Members = "crop", "weights" },
		"synflow":             func(s *SPA) { s.Score = "synflow" },
		"obd":                 func(s *SPA) { s.Score = "obd" },
		"l1, two steps":       func(s *SPA) { s.Steps = 2 },
		"snip, two steps":     func(s *SPA) { s.Score, s.Steps, s.Least = "snip", 2, .25 },
		"l1, weak, in steps":  func(s *SPA) { s.Steps, s.Least, s.MACs = 2, .6, .64 },
		"snip, fresh":         func(s *SPA) { s.Score, s.Fresh.Fresh = "snip", true },
		"l2, fresh, by least": func(s *SPA) { s.Score, s.Fresh.Fresh, s.Least = "magnitude-l2", true, .5 },
	} {
		t.Run(name, func(t *testing.T) {
			j := oracle.Job(t, sizes, 200, 20, 2, 4)
			j.Recipe.Smoothing = .1 // of the training, not of scores
			s := NewSPA()
			s.Round, s.Samples = 1, 200
			f(s)
			for k := range 8 { // of the first layer most are so weak that the least share binds
				w, next := j.Graph.Value("fc1.weight").Const.F32(), j.Graph.Value("fc2.weight").Const.F32()
				for i := 0; name == "l1, weak, in steps" && i < 10; i++ {
					w[10*k+i] *= .1
					next[12*(i%6)+k] *= .1
				}
			}
			tr := oracle.NewTraining(t, j)
			if s.Fresh.Fresh {
				g, _ := j.Graph.Clone(true)
				if err := (prune.Init{Seed: j.Seed}).Apply(g); err != nil {
					t.Fatal(err)
				}
				tr.Net = oracle.Read(t, g)
				tr.Net.Smoothing = .1
			}
			var losses []float64
			steps := max(1, s.Steps)
			for step := 1; step <= steps; step++ {
				tr.Net.Smoothing = 0
				scores := coupled(tr.Net, entriesOf(t, tr.Net, j, s), s)
				tr.Net.Smoothing = .1
				most := 210 * math.Pow(float64(s.MACs), float64(step)/float64(steps))
				cut(tr.Net, rankedTo(t, scores, [2]int{int(math.Ceil(s.Least * 12)), int(math.Ceil(s.Least * 6))}, [2]int{1, 1}, most))
				tr.Net.Begin()
				tr.Frames = nil
				tr.Run()
				for _, f := range tr.Frames {
					losses = append(losses, f.Loss)
				}
			}
			j.Recipe.Epochs *= steps
			steps = 0
			j.OnStep = func(step, all int, loss float64) {
				if steps++; step != steps || all != len(losses) || math.Abs(loss-losses[step-1]) > 2e-5 {
					t.Errorf("loss %v at step %d of %d, want %v of %d", loss, step, all, losses[steps-1], len(losses))
				}
			}
			res, err := model.Run(t.Context(), s, j)
			if err != nil {
				t.Fatal(err)
			}
			for l := range 2 {
				v := res.Graph.Value(tr.Net.Layers[l].B.Name)
				if v.Const.Shape[0] != tr.Net.Layers[l].Out || res.Kept[v.Name][0].Count() != v.Const.Shape[0] || res.Kept[v.Name][0].Len != []int{12, 6}[l] {
					t.Fatalf("%d channels of layer %d stay, want %d; %v are said to", v.Const.Shape[0], l, tr.Net.Layers[l].Out, res.Kept[v.Name])
				}
			}
			if !t.Failed() {
				tr.Net.Frame(0).Compare(t, name, tr.Steps, &model.Job{Graph: res.Graph})
			}
		})
	}
}

// What a score by gradients, rounds, or a sign that is lost need is asked for before any
// work; a network without groups says why.
func TestSPABadInput(t *testing.T) {
	for _, c := range []struct {
		f    func(s *SPA, j *model.Job)
		want string
	}{
		{func(s *SPA, j *model.Job) { s.Steps = 3 }, "Steps 3 and Recipe.Epochs 1"},
		{func(s *SPA, j *model.Job) { s.Score, s.Aggregate = "grasp", "prod" }, "Score grasp has a sign, which Aggregate prod loses"},
		{func(s *SPA, j *model.Job) { s.Score, j.Data, j.Recipe.Epochs = "snip", nil, 0 }, "Score snip takes gradients of the loss on labelled samples: give Data"},
		{func(s *SPA, j *model.Job) { s.Score, j.Data, j.Recipe.Epochs = "obd", nil, 0 }, "give Data"},
		{func(s *SPA, j *model.Job) { s.Score, j.Recipe.Loss, j.Recipe.Epochs = "crop", "none", 0 }, "give Data with labels"},
		{func(s *SPA, j *model.Job) { s.MACs = 0 }, "no target: give MACs, Params"},
		{func(s *SPA, j *model.Job) { s.MACs = 1e-6 }, "no cut of channels reaches the target"},
		{func(s *SPA, j *model.Job) { s.Least = 1 }, "Least 1"},
		{func(s *SPA, j *model.Job) {
			j.Graph, _ = zoo.New("mlp:10-3", zoo.Options{Seed: 1})
		}, "no channels can be cut from this network"},
		{func(s *SPA, j *model.Job) {
			j.Graph, j.Recipe.Epochs = idle(), 0
		}, "no channels can be cut from this network"},
		{func(s *SPA, j *model.Job) { s.Aggregate = "median" }, "Aggregate"},
	} {
		s, j := NewSPA(), oracle.Job(t, sizes, 200, 20, 1, 4)
		c.f(s, j)
		modeltest.Refused(t, s, j, c.want)
	}
}

// idle is a network without parameters.
func idle() *graph.Graph {
	g := graph.New("idle", 17)
	g.Inputs = []*graph.Value{{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(10)}}}
	g.Outputs = g.Add("Relu", "", g.Inputs, []string{"y"}).Outputs
	g.Outputs[0].DType, g.Outputs[0].Shape = tensor.Float32, g.Inputs[0].Shape
	return g
}
