package interop

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/onnx"
	"pare/prune/structure"
	"pare/tensor"
)

var (
	table   = flag.String("table", "", "write the table of architectures to this file")
	netOnly = flag.String("net", "", "test only the architectures whose file's name this matches")
)

// exported is a network that architectures.py wrote.
type exported struct {
	Name     string                  `json:"name"`
	Family   string                  `json:"family"`
	File     string                  `json:"file"`
	Exporter string                  `json:"exporter"`
	Opset    int                     `json:"opset"`
	Batch    string                  `json:"batch"`
	Norm     string                  `json:"norm"`
	Inputs   map[string]exportedFeed `json:"inputs"`
	Error    string                  `json:"error"` // the exporter refused
}

type exportedFeed struct {
	Shape     []int  `json:"shape"`
	Type      string `json:"type"`
	Low, High int
}

// judged is what became of a network; a nil error is a pass.
type judged struct {
	net                                      exported
	loads, infers, runs, trains, same, halve error
	nodes, groups, channels                  int
	whole                                    []string // weights that cannot be cut, and why
	share                                    float64  // of the MACs that were left

	path      string
	in        map[string]*tensor.Tensor
	got, half [][]float32
	ran, cut  int // numbers of the runs in ONNX Runtime
}

// notPrunable are architectures of which half of the multiply-accumulates
// cannot be cut, and why.
var notPrunable = map[string]string{
	"timm_nfnet": "its convolutions standardise their weights over the channels that they read, while running",
}

// Every exported architecture loads, runs as in ONNX Runtime, can be trained
// by a step, computes the same with any of its groups zeroed or cut, and is
// still the same network to ONNX Runtime and Pare with half of its
// multiply-accumulates removed. PARE_ARCHITECTURES names the folder that
// architectures.sh wrote.
func TestArchitectures(t *testing.T) {
	dir := os.Getenv("PARE_ARCHITECTURES")
	if dir == "" {
		t.Skip("PARE_ARCHITECTURES is not set: it names the folder that interop/architectures.sh writes")
	}
	py := python(t, "numpy", "onnx", "onnxruntime")
	b, err := os.ReadFile(filepath.Join(dir, "architectures.json"))
	if err != nil {
		t.Fatal(err)
	}
	var nets []exported
	if err := json.Unmarshal(b, &nets); err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(*netOnly)
	var all []*judged
	for _, n := range nets {
		if n.Error == "" && pattern.MatchString(n.File) {
			all = append(all, &judged{net: n, path: filepath.Join(dir, n.File), ran: -1, cut: -1})
		}
	}
	r := &ortRuns{dir: t.TempDir()}
	t.Run("pare", func(t *testing.T) {
		for _, v := range all {
			t.Run(v.net.File, func(t *testing.T) {
				t.Parallel()
				v.judge(filepath.Join(r.dir, v.net.File))
			})
		}
	})
	for _, v := range all {
		if v.in == nil {
			continue
		}
		v.ran = r.add(t, v.path, v.in)
		if v.half != nil {
			v.cut = r.add(t, filepath.Join(r.dir, v.net.File), v.in)
		}
	}
	if len(r.jobs) > 0 {
		r.run(t, py)
	}
	for _, v := range all {
		v.compare(t, r)
		if why := notPrunable[v.net.Name]; why != "" && v.halve != nil {
			t.Logf("%s: %s (%v)", v.net.File, why, v.halve)
			v.halve = errLeft{fmt.Errorf("%w: %s", v.halve, why)}
		}
		for _, e := range []error{v.loads, v.infers, v.runs, v.trains, v.same, v.halve} {
			if _, left := e.(errLeft); e != nil && !left {
				t.Errorf("%s: %v", v.net.File, e)
			}
		}
	}
	if *table != "" {
		if err := os.WriteFile(*table, []byte(architecturesPage(all, nets)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// errLeft is a failure that is known, and listed.
type errLeft struct{ error }

// judge does all that needs no other runtime; it writes the network with half
// of its multiply-accumulates to path.
func (v *judged) judge(path string) {
	g, err := onnx.Load(v.path)
	if err == nil {
		err = op.Check(g)
	}
	if v.loads = err; err != nil {
		return
	}
	v.in = v.inputs(1)
	if v.infers = inferred(g); v.infers == nil {
		v.got, v.runs = v.run(g)
	}
	if v.runs == nil {
		v.runs = v.depends(g)
	}
	if _, err := op.Simplify(g); err != nil {
		v.same = err
		return
	}
	op.Classify(g)
	v.nodes = len(g.Nodes)
	v.trains = v.step(g)
	groups, whole := structure.Groups(g)
	v.groups = len(groups)
	for _, x := range groups {
		v.channels += len(x.Channels)
	}
	for _, p := range whole {
		v.whole = append(v.whole, p.Value.Name+": "+p.Why)
	}
	v.same = v.zeroed(g, groups)
	c, err := cutHalf(g)
	if err == nil {
		v.share = float64(structure.CostOf(c).MACs) / float64(structure.CostOf(g).MACs)
		v.half, err = v.run(c)
	}
	if err == nil {
		err = onnx.Write(path, c, onnx.Options{})
	}
	v.halve = err
}

// compare judges what ONNX Runtime answered.
func (v *judged) compare(t *testing.T, r *ortRuns) {
	const tol = 1e-3
	if v.ran >= 0 && v.got != nil {
		want, err := r.outputs(t, v.ran)
		if err == nil {
			err = differ(v.got, want, tol)
		}
		v.runs = errors.Join(v.runs, err)
	}
	if v.cut >= 0 {
		want, err := r.outputs(t, v.cut)
		if err == nil {
			err = differ(v.half, want, tol)
		}
		if err != nil {
			v.halve = fmt.Errorf("half of the MACs: %w", err)
		}
	}
}

// inferred says whether every value of a network has a type and a shape.
func inferred(g *graph.Graph) error {
	if err := op.InferAll(g); err != nil {
		return err
	}
	for _, x := range g.Values() {
		if x.Shape == nil || x.DType == tensor.Undefined {
			return fmt.Errorf("%s has type %v and shape %v", x.Name, x.DType, x.Shape)
		}
	}
	return nil
}

// inputs are samples for the network.
func (v *judged) inputs(seed uint64) map[string]*tensor.Tensor {
	in := map[string]*tensor.Tensor{}
	for name, f := range v.net.Inputs {
		r := rand.New(rand.NewPCG(seed, uint64(len(name))))
		if f.Type == "int64" {
			x := tensor.New(tensor.Int64, f.Shape...)
			for i := range tensor.Of[int64](x) {
				tensor.Of[int64](x)[i] = int64(f.Low + r.IntN(f.High-f.Low))
			}
			in[name] = x
			continue
		}
		x := tensor.New(tensor.Float32, f.Shape...)
		for i := range x.F32() {
			x.F32()[i] = float32(r.NormFloat64())
		}
		in[name] = x
	}
	return in
}

// bound are the sizes of the network's symbols.
func (v *judged) bound(g *graph.Graph) map[string]int {
	s := map[string]int{}
	for _, in := range g.Inputs {
		for d, k := range in.Shape {
			if f := v.net.Inputs[in.Name]; !k.Known() && d < len(f.Shape) {
				s[k.Sym] = f.Shape[d]
			}
		}
	}
	return s
}

func (v *judged) run(g *graph.Graph) ([][]float32, error) { return v.runOn(g, v.in) }

func (v *judged) runOn(g *graph.Graph, in map[string]*tensor.Tensor) ([][]float32, error) {
	p, err := engine.Compile(g, v.bound(g), engine.Options{Threads: 1, Freeze: true})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	feedAll(p, in)
	if err := p.Run(); err != nil {
		return nil, err
	}
	var outs [][]float32
	for _, name := range p.OutputNames() {
		x, err := p.Output(name).ToFloat32()
		if err != nil {
			return nil, err
		}
		outs = append(outs, append([]float32{}, x.F32()...))
	}
	return outs, nil
}

func feedAll(p *engine.Program, in map[string]*tensor.Tensor) {
	for name, x := range in {
		to := p.Input(name)
		if to == nil {
			continue // the network does not read it
		}
		switch d := x.Data.(type) {
		case []float32:
			copy(tensor.Of[float32](to), d)
		case []int64:
			copy(tensor.Of[int64](to), d)
		}
	}
}

// depends says that another input gives another output: were they alike, their
// equality to ONNX Runtime's would say little.
func (v *judged) depends(g *graph.Graph) error {
	other, err := v.runOn(g, v.inputs(2))
	if err != nil {
		return err
	}
	for i := range other {
		if apart(other[i], v.got[i]) > 1e-3 {
			return nil
		}
	}
	return errors.New("the outputs hardly depend on the input")
}

// zeroed compares the network with a third of each group's channels zeroed and
// cut, and then with half of all.
func (v *judged) zeroed(g *graph.Graph, groups []*structure.Group) error {
	r := rand.New(rand.NewPCG(7, 7))
	check := func(what string, s structure.Selection) error {
		c, err := structure.Cut(g, groups, s)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		a, err := v.run(structure.Zero(g, groups, s))
		if err != nil {
			return fmt.Errorf("%s zeroed: %w", what, err)
		}
		b, err := v.run(c)
		if err != nil {
			return fmt.Errorf("%s cut: %w", what, err)
		}
		if err := differ(b, a, 1e-4); err != nil {
			return fmt.Errorf("%s, cut and zeroed: %w", what, err)
		}
		if a, b := structure.CostOf(g), structure.CostOf(c); b.Params >= a.Params {
			return fmt.Errorf("%s: %d parameters after cutting, %d before", what, b.Params, a.Params)
		}
		return nil
	}
	every := structure.All(groups)
	for i, grp := range groups {
		s := structure.All(groups)
		for k := range max(1, len(grp.Channels)/3) {
			s[i].Set((k*3+r.IntN(3))%len(grp.Channels), false)
		}
		for k := range len(grp.Channels) / 2 {
			every[i].Set(2*k+r.IntN(2), false)
		}
		if err := check("group "+grp.Name, s); err != nil {
			return err
		}
	}
	if len(groups) > 0 {
		return check("all groups", every)
	}
	return nil
}
