package search

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/internal/modeltest"
	"pare/model"
	"pare/prune"
	"pare/prune/structure"
	"pare/tensor"
	"pare/train"
	"pare/zoo"
)

// supernet is a job on one of the zoo.
func supernet(t *testing.T, epochs int) *model.Job {
	t.Helper()
	g, err := zoo.New("supernet-4", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	tr, te := dataset.Glyph(2, .4, 200, 100, 1)
	return &model.Job{Graph: g, Data: &dataset.Data{Train: tr, Test: te, Norm: dataset.Raw}, Seed: 3, Engine: engine.Options{Threads: 1},
		Recipe: model.Recipe{Epochs: epochs, Batch: 20, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 1e-3}}
}

// The price of a unit is what its branch costs a channel, over the mean; the penalty rises
// linearly; and the ladder climbs by tenths.
func TestTicketSchedules(t *testing.T) {
	if p := relative([]float64{9, 25}, []int{8, 8}); p[0] != 9./17 || p[1] != 25./17 {
		t.Errorf("prices %v", p)
	}
	for _, c := range [][2]float64{{pressure(.4, 50, 0, 100), .2}, {pressure(.4, 100, 0, 100), .4}, {pressure(.4, 9, 10, 20), 0}, {pressure(.4, 15, 10, 20), .2}, {pressure(.4, 0, 0, 0), .4}} {
		if math.Abs(c[0]-c[1]) > 1e-15 {
			t.Errorf("a pressure of %v, want %v", c[0], c[1])
		}
	}
	var got []float64
	for k := 1; k <= 10; k++ {
		got = append(got, ladder(k, .85))
	}
	if want := []float64{.1, .2, .3, .4, .5, .6, .7, .8, .85, .85}; !slices.Equal(got, want) {
		t.Errorf("ladder %v", got)
	}
	for target, want := range map[float64]int{0: 0, .1: 1, .3: 3, .85: 9, .9: 9, .95: 10} {
		if got := rungs(target); got != want {
			t.Errorf("%v is reached after %d prunings, want %d", target, got, want)
		}
	}
}

// weightsOf are linear weights of given numbers.
func weightsOf(x ...float32) []*prune.Weight {
	v := &graph.Value{Name: "w", DType: tensor.Float32, Shape: graph.Dims(1, len(x)), Const: tensor.From(x, 1, len(x))}
	return []*prune.Weight{{Value: v, Kind: prune.Linear}}
}

// Exactly ⌊share n⌋ weights are masked, ties too; a masked weight returns when another has
// become smaller.
func TestLowest(t *testing.T) {
	x := []float32{.1, .5, .3, .4, .2, .9, .8, .7, .6, 1}
	ws := weightsOf(x...)
	gone := func(share float64) (out []int) {
		m, err := lowest(ws, [][]float32{x}, nil, share)
		if err != nil {
			t.Fatal(err)
		}
		for i := range x {
			if !m.Mask[0].Kept(i) {
				out = append(out, i)
			}
		}
		return out
	}
	if got := gone(.1); !slices.Equal(got, []int{0}) {
		t.Errorf("masked %v, want the first", got)
	}
	x[4] = .05
	if got := gone(.1); !slices.Equal(got, []int{4}) {
		t.Errorf("masked %v, want the fifth", got)
	}
	for i := range x {
		x[i] = 1
	}
	for k := 1; k <= 10; k++ {
		if share := ladder(k, .85); len(gone(share)) != int(math.Floor(share*10+1e-9)) {
			t.Errorf("%v: %d of 10 equal weights are masked", share, len(gone(share)))
		}
	}
	v := &graph.Value{Name: "d", DType: tensor.Float32, Shape: graph.Dims(3, 1, 1, 2), Const: tensor.New(tensor.Float32, 3, 1, 1, 2)}
	deep := []*prune.Weight{{Value: v, Kind: prune.Depthwise}}
	there := prune.NewMask(6, true)
	there.Set(4, false)
	there.Set(5, false)
	m, err := lowest(deep, [][]float32{{.1, .2, -4, 3, 9, 9}}, []*prune.Mask{there}, .5)
	if err != nil {
		t.Fatal(err)
	}
	if m.Mask[0].Bits[0] != 1<<1|1<<2 {
		t.Errorf("filters of a depthwise convolution keep %b, want one each of those that are there", m.Mask[0].Bits[0])
	}
}

// Without a penalty and a sparsity the supernet is trained as by the recipe alone.
func TestTicketsOfNothing(t *testing.T) {
	j := supernet(t, 2)
	plain := supernet(t, 2)
	if _, err := plain.Fit(t.Context(), plain.Graph); err != nil {
		t.Fatal(err)
	}
	s := NewSuperTickets()
	s.Sparsity, s.Rho = 0, 0
	r := modeltest.Run(t, s, j)
	if !bytes.Equal(modeltest.Bits(r.Graph), modeltest.Bits(plain.Graph)) {
		t.Error("another network than the plain training gives")
	}
	f := r.Facts.(*SuperTicketsFacts)
	if f.Dead != 0 || f.Of != 1 || f.MACs != 1 {
		t.Errorf("%+v", f)
	}
}

// dying is a supernet some of whose units have scales of zero, and shifts.
func dying(t *testing.T, shift float32) (*model.Job, *units) {
	j := supernet(t, 1)
	u := unitsOf(j.Graph, prune.Scope{})
	r := rand.New(rand.NewPCG(2, 3))
	for _, v := range j.Graph.Consts() {
		if x := v.Const.F32(); len(v.Shape) == 1 && v.Role != graph.Frozen {
			for i := range x {
				x[i] += .3 * r.Float32()
			}
		}
	}
	for i, grp := range u.groups {
		for _, k := range u.scales[i] {
			v := grp.Axes[k].Value
			if !strings.Contains(v.Name, "branch") {
				continue
			}
			n := reader(j.Graph, v)
			for c := 0; c < v.Const.Len(); c += 2 {
				u.alive[i].Set(c, false)
				v.Const.F32()[c], n.In(2).Const.F32()[c] = 0, shift*float32(1+c)
			}
		}
	}
	return j, u
}

// A unit of scale zero whose shift sends nothing can be cut; of one whose shift sends
// something that goes into the layers that read it first.
func TestDeadUnits(t *testing.T) {
	for _, shift := range []float32{-.1, .1} {
		j, u := dying(t, shift)
		want := slices.Clone(outputs(t, j.Graph))
		h := &drawing{graph: j.Graph, units: u}
		if shift > 0 {
			cut, err := structure.Cut(j.Graph, u.groups, u.alive)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Equal(outputs(t, cut), want) {
				t.Error("the shifts send nothing")
			}
		}
		if err := h.fold(); err != nil {
			t.Fatal(err)
		}
		cut, err := structure.Cut(j.Graph, u.groups, u.alive)
		if err != nil {
			t.Fatal(err)
		}
		alike(t, fmt.Sprintf("shift %v", shift), outputs(t, cut), want)
	}
}

// Once units are dead the others are trained as in the network that is small from the start:
// weights and moments agree, and so does every further step; masks are cut with them.
func TestDeadIsCut(t *testing.T) {
	for _, optimizer := range []string{"sgd", "adam"} {
		j, u := dying(t, -.1)
		j.Recipe.Optimizer, j.Recipe.Batch = optimizer, 200 // one step: a later one differs where rounding opens a ReLU
		ws, err := prune.Weights(j.Graph, prune.Scope{})
		if err != nil {
			t.Fatal(err)
		}
		h := &drawing{graph: j.Graph, ws: ws, units: u, masked: "frozen", rho: .02, warm: 1, every: 1, total: 1, target: .4, keep: .9, tau: -1}
		if err := h.fold(); err != nil {
			t.Fatal(err)
		}
		cut, err := structure.Cut(j.Graph, u.groups, u.alive)
		if err != nil {
			t.Fatal(err)
		}
		kept := structure.KeptBy(u.groups, u.alive)
		small := *j
		small.Graph = cut
		cs, err := prune.Weights(cut, prune.Scope{})
		if err != nil {
			t.Fatal(err)
		}
		own := unitsOf(cut, prune.Scope{})
		price := u.prices()
		k := &drawing{graph: cut, ws: cs, units: own, masked: "frozen", rho: .02, warm: 1, every: 1, total: 1, target: .4, keep: .9, tau: -1}
		for i, p := range own.prices() {
			if len(own.scales[i]) > 0 && math.Abs(p-price[i]) > 1e-9 {
				t.Errorf("the price of %s is %v, and %v in the small network", own.groups[i].Name, price[i], p)
			}
		}
		state := map[string][]float32{}
		watch := &modeltest.Watcher{F: func(r *train.Run) {
			for _, p := range r.Params {
				for i, s := range append([][]float32{p.W}, p.State...) {
					state[fmt.Sprint(p.Name, r.Step, i)] = kept.Take(p.Name, tensor.From(slices.Clone(s), p.Const.Shape...)).F32()
				}
			}
		}}
		if _, err := j.Fit(t.Context(), j.Graph, h, watch); err != nil {
			t.Fatal(err)
		}
		same := 0
		check := &modeltest.Watcher{F: func(r *train.Run) {
			for _, p := range r.Params {
				for i, s := range append([][]float32{p.W}, p.State...) {
					want := state[fmt.Sprint(p.Name, r.Step, i)]
					if len(want) != len(s) {
						t.Fatalf("%s has %d numbers, want %d", p.Name, len(s), len(want))
					}
					for e, x := range s {
						if math.Abs(float64(x-want[e])) > 2e-5*math.Max(.1, math.Abs(float64(want[e]))) {
							t.Fatalf("%s, step %d: %s[%d] (%d) is %v, want %v", optimizer, r.Step, p.Name, e, i, x, want[e])
						}
						same++
					}
				}
			}
		}}
		if _, err := small.Fit(t.Context(), cut, k, check); err != nil {
			t.Fatal(err)
		}
		if same == 0 {
			t.Error("nothing was compared")
		}
		for l, w := range ws {
			bits := tensor.New(tensor.Float32, w.Const.Shape...)
			for i := range bits.F32() {
				if h.masks.Mask[l].Kept(i) {
					bits.F32()[i] = 1
				}
			}
			for i, x := range kept.Take(w.Name, bits).F32() {
				if k.masks.Mask[l].Kept(i) != (x == 1) {
					t.Fatalf("%s: the mask of %s differs at %d", optimizer, w.Name, i)
				}
			}
		}
	}
}

// What becomes of masked weights: frozen ones are zero at every step between prunings and
// keep their values, reactivated ones begin at zero and move, released ones are never zero
// before the end. At the end exactly as many are masked as are asked for.
func TestMasked(t *testing.T) {
	for _, masked := range []string{"frozen", "reactivated", "released"} {
		j := supernet(t, 3)
		ws, err := prune.Weights(j.Graph, prune.Scope{})
		if err != nil {
			t.Fatal(err)
		}
		h := &drawing{graph: j.Graph, ws: ws, units: unitsOf(j.Graph, prune.Scope{}), masked: masked, every: 5, total: 30, target: .45, keep: .9, tau: -1}
		n := prune.Total(ws)
		zeros := map[int]int{}
		stored := map[int]float32{}
		var first int
		watch := &modeltest.Watcher{F: func(r *train.Run) {
			for _, w := range ws {
				for _, x := range w.Data() {
					if x == 0 {
						zeros[r.Step]++
					}
				}
			}
			if h.masks == nil {
				return
			}
			if r.Step == 5 {
				first = 0
				for h.masks.Mask[0].Kept(first) {
					first++
				}
			}
			stored[r.Step] = h.theta[0][first]
		}}
		if _, err := j.Fit(t.Context(), j.Graph, h, watch); err != nil {
			t.Fatal(err)
		}
		for step := 1; step <= 30; step++ {
			want := 0
			switch {
			case step == 30:
				want = int(.45 * float64(n))
			case masked == "frozen" && step >= 5:
				want = int(math.Floor(ladder(step/5, .45)*float64(n) + 1e-9))
			case masked == "reactivated" && step%5 == 0:
				want = int(math.Floor(ladder(step/5, .45)*float64(n) + 1e-9))
			}
			if zeros[step] != want {
				t.Errorf("%s, step %d: %d of %d are zero, want %d", masked, step, zeros[step], n, want)
			}
		}
		if masked == "frozen" {
			decay := 1.0
			for step := 6; step < 10; step++ {
				lr := .05 * (1 + math.Cos(math.Pi*float64(step-1)/30)) / 2
				decay *= 1 - 1e-3*lr // its momentum is off
			}
			if a, b := stored[5], stored[9]; a == 0 || math.Abs(float64(b)-float64(a)*decay) > 1e-6 {
				t.Errorf("a frozen weight goes from %v to %v in four steps, want %v", a, b, float64(a)*decay)
			}
		}
	}
}

// Units die once both their scale and its average are small, at the end by the average
// alone; one unit of a group stays; and few of them wait.
func TestShrink(t *testing.T) {
	mk := func() *drawing {
		j := supernet(t, 1)
		h := &drawing{graph: j.Graph, units: unitsOf(j.Graph, prune.Scope{}), tau: .01, masked: "frozen", every: 5, total: 10, keep: .9}
		if _, err := j.Fit(t.Context(), j.Graph, h); err != nil {
			t.Fatal(err)
		}
		for _, m := range h.units.alive {
			for c := range m.Len {
				m.Set(c, true)
			}
		}
		for k, s := range h.scale {
			for e := range s.scale.W {
				s.scale.W[e], h.average[k][e] = 1, 1
			}
		}
		h.deaths = 0
		return h
	}
	dead := func(h *drawing) (n int) {
		for _, x := range h.gone {
			n += x.Len - x.Count()
		}
		n = 0
		for _, x := range h.units.gone() {
			n += int(x)
		}
		return n
	}
	branch := func(h *drawing) (int, *scaled) {
		for k, s := range h.scale {
			if strings.Contains(s.name, "blocks.4.branch7") {
				return k, s
			}
		}
		t.Fatal("no branch")
		return 0, nil
	}
	for _, c := range []struct {
		scale, average float32
		last           bool
		want           int
	}{{.001, .001, false, 3}, {.5, .001, false, 0}, {.001, .5, false, 0}, {.5, .001, true, 3}, {.001, .5, true, 0}, {-.001, -.001, false, 3}} {
		h := mk()
		k, s := branch(h)
		for e := range 3 {
			s.scale.W[e], h.average[k][e] = c.scale, c.average
		}
		if err := h.shrink(c.last); err != nil {
			t.Fatal(err)
		}
		if got := dead(h); got != c.want {
			t.Errorf("%+v: %d units die", c, got)
		}
	}
	h := mk()
	k, s := branch(h)
	for e := range s.scale.W {
		s.scale.W[e], h.average[k][e] = .001, .001
	}
	h.average[k][4] = .002
	if err := h.shrink(false); err != nil {
		t.Fatal(err)
	}
	if dead(h) != len(s.scale.W)-1 || !h.units.alive[s.group].Kept(4) {
		t.Errorf("%d of %d units die", dead(h), len(s.scale.W))
	}
	for _, p := range []*train.Param{s.scale, s.shift} { // whatever the layers behind make of zero
		for e := range p.W {
			p.W[e], p.G[e], p.State[0][e] = 1, 1, 1
		}
	}
	if err := h.AfterGrad(&train.Run{}); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*train.Param{s.scale, s.shift} {
		for e := range p.W {
			if want := map[bool]float32{true: 1}[e == 4]; p.W[e] != want || p.G[e] != want || p.State[0][e] != want {
				t.Errorf("unit %d has %v, with a gradient of %v and momentum %v", e, p.W[e], p.G[e], p.State[0][e])
			}
		}
	}
	h = mk()
	k, s = branch(h)
	s.scale.W[0], h.average[k][0], h.least = 0, 0, .5
	if err := h.shrink(false); err != nil || dead(h) != 0 {
		t.Errorf("%d units die, which save less than is worth a cut (%v)", dead(h), err)
	}
	if err := h.shrink(true); err != nil || dead(h) != 1 {
		t.Errorf("%d units die at the end (%v)", dead(h), err)
	}
}

// The gradient of a scale gets the pressure times the price of its unit.
func TestPenalty(t *testing.T) {
	grads := func(rho float64) map[string][]float32 {
		j := supernet(t, 1)
		h := &drawing{graph: j.Graph, units: unitsOf(j.Graph, prune.Scope{}), rho: rho, masked: "frozen", every: 5, total: 10, keep: .9, tau: -1}
		out := map[string][]float32{}
		if _, err := j.Fit(t.Context(), j.Graph, h, &modeltest.Watcher{F: func(r *train.Run) {
			for _, s := range h.scale {
				if r.Step == 1 {
					out[s.name] = append(slices.Clone(s.scale.G), float32(h.prices[s.group]))
				}
			}
		}}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	with, without := grads(.1), grads(0)
	seen := map[float32]bool{}
	for name, g := range with {
		n := len(g) - 1
		seen[g[n]] = true
		for e := range n {
			if want := without[name][e] + .1*g[n]; math.Abs(float64(g[e]-want)) > 1e-6 {
				t.Fatalf("%s[%d]: %v, want %v", name, e, g[e], want)
			}
		}
	}
	if len(seen) < 4 {
		t.Errorf("%d different prices", len(seen))
	}
}

// A ticket that is drawn and resumed is the same, for all ways with masked weights; budgets
// hold; and a branch that sends nothing disappears.
func TestTicketsResume(t *testing.T) {
	for _, masked := range []string{"frozen", "reactivated"} {
		r := modeltest.Resumes(t, masked, func() (model.Method, *model.Job) {
			s := NewSuperTickets()
			s.Masked, s.Rho, s.Tau, s.Tune, s.Average = masked, .3, .3, 1, .5
			return s, supernet(t, 3)
		}, 40, 17, 33)
		f := r.Facts.(*SuperTicketsFacts)
		if f.Dead == 0 || f.Nonzero != f.Weights-int(math.Floor(.8*float64(f.Weights)+1e-9)) || f.MACs >= 1 {
			t.Errorf("%s: %+v", masked, f)
		}
	}
	j := supernet(t, 1)
	whole := structure.CostOf(j.Graph).MACs
	s := NewSuperTickets()
	s.MACs, s.Sparsity = .5, .5
	r := modeltest.Run(t, s, j)
	f := r.Facts.(*SuperTicketsFacts)
	if got := float64(structure.CostOf(r.Graph).MACs) / float64(whole); got > .5 || got < .4 || math.Abs(got-f.MACs) > 1e-9 || f.Cut == 0 {
		t.Errorf("%v of the cost: %+v", got, f)
	}
}

// halfScaled is a chain of which one of two groups of channels is scaled.
func halfScaled(t *testing.T) *graph.Graph {
	g := network(t, "cnn-8", 1)
	u := unitsOf(g, prune.Scope{})
	for _, k := range u.scales[0] {
		u.groups[0].Axes[k].Value.Role = graph.Frozen
	}
	return g
}

// What is asked for in shares is of the supernet, though many of its units have died; and as
// many units live as are to stay.
func TestTicketsShares(t *testing.T) {
	run := func(change func(*SuperTickets)) (j *model.Job, r *model.Result) {
		j = supernet(t, 3)
		s := NewSuperTickets()
		s.Rho, s.Tau, s.Average, s.Sparsity, s.Round = .1, .7, .5, .5, 1
		s.Activations = 1
		change(s)
		return j, modeltest.Run(t, s, j)
	}
	j, r := run(func(*SuperTickets) {})
	f, whole := r.Facts.(*SuperTicketsFacts), structure.CostOf(j.Graph)
	if f.Dead < f.Units/4 || f.Cut != 0 {
		t.Fatalf("%+v", f)
	}
	for name, change := range map[string]func(*SuperTickets){
		"bytes":       func(s *SuperTickets) { s.Bytes = .9 },
		"activations": func(s *SuperTickets) { s.Activations = .95 },
		"macs":        func(s *SuperTickets) { s.MACs = .9 },
		"number":      func(s *SuperTickets) { s.MACs = model.Count(whole.MACs) },
		"all but one": func(s *SuperTickets) { s.Rho = 3 },
	} {
		if _, r := run(change); r.Facts.(*SuperTicketsFacts).Cut != 0 {
			t.Errorf("%s: %+v, though what died is enough", name, r.Facts)
		}
	}
	for name, change := range map[string]func(*SuperTickets){
		"least":    func(s *SuperTickets) { s.Least = .5 },
		"at least": func(s *SuperTickets) { s.AtLeast = []string{"*=0.5"} },
		"widths":   func(s *SuperTickets) { s.Widths = []string{"*=0.5"} },
	} {
		j, r := run(change)
		groups, _ := structure.Groups(j.Graph)
		for i, m := range r.Kept.Selection(groups) {
			if n := (m.Len + 1) / 2; m.Count() < n || name == "widths" && m.Count() != n {
				t.Errorf("%s: %d of %d channels of %s", name, m.Count(), m.Len, groups[i].Name)
			}
		}
	}
}

// A branch of one unit that sends nothing is taken out of its sum; the outputs stay.
func TestBranches(t *testing.T) {
	j := supernet(t, 1)
	u := unitsOf(j.Graph, prune.Scope{})
	for i, grp := range u.groups {
		if strings.Contains(grp.Name, "blocks.1.branch5") || strings.Contains(grp.Name, "blocks.2.branch3") {
			for c := 1; c < len(grp.Channels); c++ {
				u.alive[i].Set(c, false)
			}
		}
	}
	g, err := structure.Cut(j.Graph, u.groups, u.alive)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"blocks.1.branch5", "blocks.2.branch3"} {
		g.Value(name + ".norm.weight").Const.F32()[0] = 0
	}
	want := slices.Clone(outputs(t, g))
	g.Value("blocks.2.branch3.norm.bias").Const.F32()[0] = .5 // it sends something
	if n, err := dropBranches(g, .01); n != 1 || err != nil || g.Value("blocks.1.branch5.project.weight") != nil {
		t.Errorf("%d branches disappear (%v)", n, err)
	}
	g.Value("blocks.2.branch3.norm.bias").Const.F32()[0] = 0
	if n, err := dropBranches(g, .01); n != 1 || err != nil || g.Value("blocks.2.branch3.project.weight") != nil {
		t.Errorf("%d branches disappear (%v)", n, err)
	}
	alike(t, "without branches", outputs(t, g), want)
	if n, err := dropBranches(g, .01); n != 0 || err != nil {
		t.Errorf("%d branches disappear of those that send something (%v)", n, err)
	}
	if err := op.InferAll(g); err != nil {
		t.Error(err)
	}
}

// A ticket is trained on another task with its zeros where they are, and a new, dense head.
func TestTransfer(t *testing.T) {
	j := supernet(t, 1)
	s := NewSuperTickets()
	r := modeltest.Run(t, s, j)
	r.Graph.Value("head.bias").Const.F32()[3] = 5
	before, _ := r.Graph.Clone(true)
	next := supernet(t, 1)
	next.Graph = r.Graph
	next.Recipe.LR = 1e-9
	s = NewSuperTickets()
	s.Head = []string{"head.weight"}
	again := modeltest.Run(t, s, next)
	if x := again.Graph.Value("head.bias").Const.F32()[3]; math.Abs(float64(x)) > 1e-3 {
		t.Errorf("the head's bias is not new: %v", x)
	}
	for l, w := range again.Masks.Weights {
		was := before.Value(w.Name).Const.F32()
		for i, x := range w.Data() {
			switch {
			case w.Name == "head.weight" && (x == was[i] || x == 0 || !again.Masks.Mask[l].Kept(i)):
				t.Fatalf("the head is not new and dense: %v at %d", x, i)
			case w.Name != "head.weight" && (was[i] == 0) != (x == 0):
				t.Fatalf("%s[%d] was %v and is %v", w.Name, i, was[i], x)
			case w.Name != "head.weight" && math.Abs(float64(x-was[i])) > 1e-4:
				t.Fatalf("%s[%d] does not begin with its value", w.Name, i)
			}
		}
	}
}

// What cannot be drawn is refused before any training.
func TestTicketsRefuse(t *testing.T) {
	for want, change := range map[string]func(*SuperTickets, *model.Job){
		"the training has 7 steps":      func(_ *SuperTickets, j *model.Job) { j.Recipe.Batch = 28 },
		"is reached by tenths after 8":  func(s *SuperTickets, _ *model.Job) { s.Every = train.At{X: 3} },
		"that could be cut":             func(s *SuperTickets, j *model.Job) { s.MACs = .5; j.Graph = network(t, "mlp:64-20-10", 1) },
		"give an earlier Free":          func(s *SuperTickets, _ *model.Job) { s.Free = train.Share(.5) },
		"the network is no ticket":      func(s *SuperTickets, _ *model.Job) { s.Head = []string{"head.weight"} },
		"budgets of channels do not go": func(s *SuperTickets, _ *model.Job) { s.Head, s.MACs = []string{"head.weight"}, .5 },
		"matches no weight":             func(s *SuperTickets, _ *model.Job) { s.Head = []string{"nosuch"} },
		"give Data":                     func(_ *SuperTickets, j *model.Job) { j.Recipe.Epochs = 0 },
		"there is no budget":            func(s *SuperTickets, _ *model.Job) { s.Even = true },
		"which no batch normalisation":  func(s *SuperTickets, j *model.Job) { s.MACs, s.Even, j.Graph = .5, true, halfScaled(t) },
		"in the place of Tune":          func(s *SuperTickets, _ *model.Job) { s.Head, s.Tune = []string{"head.weight"}, 1 },
		"AtLeast":                       func(s *SuperTickets, _ *model.Job) { s.AtLeast = []string{"nosuch=3"} },
		"no cut of channels reaches":    func(s *SuperTickets, _ *model.Job) { s.MACs = .0001 },
	} {
		j := supernet(t, 1)
		s := NewSuperTickets()
		change(s, j)
		j.OnStep = func(step, _ int, _ float64) { t.Fatalf("%s: step %d was made", want, step) }
		modeltest.Refused(t, s, j, want)
	}
}
