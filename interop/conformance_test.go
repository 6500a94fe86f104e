package interop

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"sort"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/model"
	"pare/onnx"
	"pare/tensor"
)

var (
	only   = flag.String("case", "", "run only the conformance cases whose names contain this")
	update = flag.Bool("update", false, "write docs/conformance.md")
)

// maxReference bounds the multiply-accumulates of a network that the plain
// evaluation is asked for; larger ones run in the engine alone.
const maxReference = 2e8

// verdict is what became of a case.
type verdict struct {
	*confCase
	status string // passed, failed, not supported, left out
	why    string
}

// Pare gives the outputs that ONNX's own cases ask for, within ONNX's own
// tolerance: read, inferred, evaluated plainly, run by the engine as it is and
// simplified, and once more after it was written and read again.
func TestConformance(t *testing.T) {
	cases, source := conformance(t)
	var all []verdict
	for i := range cases {
		c := &cases[i]
		if !strings.Contains(c.Name, *only) {
			continue
		}
		v := verdict{confCase: c, status: "passed"}
		if why := c.leftOut(); why != "" {
			v.status, v.why = "left out", why
		} else if err := c.run(); err != nil {
			v.status, v.why = "failed", err.Error()
			var u *op.Unsupported
			if errors.As(err, &u) {
				v.status = "not supported"
			}
		}
		all = append(all, v)
		if v.status == "failed" || v.status == "not supported" {
			t.Logf("%s: %s/%s: %s", v.status, c.Kind, c.Name, v.why)
		}
	}
	t.Logf("%s\n%s", source, totals(all))
	if *only != "" {
		return
	}
	for _, k := range kinds {
		share := 1.0
		if k == "node" {
			share = .95
		}
		n := count(all, k)
		if tried := n["passed"] + n["failed"] + n["not supported"]; float64(n["passed"]) < share*float64(tried) {
			t.Errorf("%s: %d of %d cases pass, %.0f %% should", k, n["passed"], tried, 100*share)
		}
		if n["failed"] > 0 {
			t.Errorf("%s: %d cases fail", k, n["failed"])
		}
	}
	if now, err := os.ReadFile("../docs/conformance.md"); !*update && os.Getenv("PARE_ONNX_CASES") == "" && (err != nil || string(now) != page(all, source)) {
		t.Errorf("docs/conformance.md is out of date: write it with -args -update (%v)", err)
	}
	if *update {
		if err := os.WriteFile("../docs/conformance.md", []byte(page(all, source)), 0o644); err != nil {
			t.Error(err)
		}
	}
}

func count(all []verdict, kind string) map[string]int {
	n := map[string]int{}
	for _, v := range all {
		if v.Kind == kind {
			n[v.status]++
		}
	}
	return n
}

func totals(all []verdict) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-18s %8s %8s %14s %9s\n", "", "passed", "failed", "not supported", "left out")
	for _, k := range kinds {
		n := count(all, k)
		fmt.Fprintf(&b, "%-18s %8d %8d %14d %9d\n", k, n["passed"], n["failed"], n["not supported"], n["left out"])
	}
	return b.String()
}

// run tries a case in every way.
func (c *confCase) run() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	g, err := onnx.Decode(c.bytes, c.Dir)
	if err != nil {
		return fmt.Errorf("reading: %w", err)
	}
	sets, err := c.dataSets(g)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	if err := op.InferAll(g); err != nil {
		return fmt.Errorf("inference: %w", err)
	}
	for _, s := range sets {
		if macsOf(g) < maxReference {
			got, err := op.Run(g, s.in)
			if err := c.compare(g, got, err, s.want); err != nil {
				return fmt.Errorf("reference: %w", err)
			}
			b, err := onnx.Encode(g, onnx.Options{})
			if err != nil {
				return fmt.Errorf("writing: %w", err)
			}
			again, err := onnx.Decode(b, "")
			if err != nil {
				return fmt.Errorf("reading again: %w", err)
			}
			got, err = op.Run(again, s.in)
			if err := c.compare(again, got, err, s.want); err != nil {
				return fmt.Errorf("written and read again: %w", err)
			}
		}
		if err := c.prepared(g, s.in, s.want); err != nil {
			return fmt.Errorf("prepared, written and read again: %w", err)
		}
		for _, freeze := range []bool{false, true} {
			got, err := runEngine(g, s.in, freeze)
			if err := c.compare(g, got, err, s.want); err != nil {
				return fmt.Errorf("engine (freeze %v): %w", freeze, err)
			}
		}
	}
	return nil
}

// growth is what a file may grow by where a network is read and written: whole numbers
// of eight bytes each, for those that take as many as they need.
func growth(g *graph.Graph) int { return 256 + 32*len(g.Nodes) }

// prepared checks that a network that was made ready to be pruned is written in the
// types that it had, is not larger than it was, and computes the same.
func (c *confCase) prepared(g *graph.Graph, in map[string]*tensor.Tensor, want []*tensor.Tensor) error {
	plain, err := onnx.Encode(g, onnx.Options{})
	if err != nil {
		return err
	}
	if n := len(c.bytes) + growth(g); len(plain) > n && len(c.model.Functions) == 0 && g.Version("") >= 7 {
		return fmt.Errorf("%d bytes became %d as they are", len(c.bytes), len(plain))
	}
	h, _ := g.Clone(true)
	if _, err := model.Prepare(h); err != nil {
		if c.model.Graph.Node[0].GetOpType() == "BitCast" {
			return nil // the bits of float64 are not those of float32
		}
		return err
	}
	b, err := onnx.Encode(h, onnx.Options{})
	if err != nil {
		return err
	}
	if len(b) > len(plain)+256 {
		return fmt.Errorf("%d bytes became %d", len(plain), len(b))
	}
	again, err := onnx.Decode(b, "")
	if err != nil {
		return err
	}
	for i, v := range g.Inputs {
		if w := again.Inputs[i]; w.DType != v.DType {
			return fmt.Errorf("input %q was %v and is %v", v.Name, v.DType, w.DType)
		}
	}
	if macsOf(g) >= maxReference {
		return nil
	}
	got, err := op.Run(again, in)
	return c.compare(again, got, err, want)
}

// runEngine runs a network for the sizes that its inputs have.
func runEngine(g *graph.Graph, in map[string]*tensor.Tensor, freeze bool) (map[string]*tensor.Tensor, error) {
	g, _ = g.Clone(false)
	for _, v := range g.Inputs {
		if x := in[v.Name]; v.Shape == nil || len(v.Shape) == x.Rank() {
			v.Shape = graph.Dims(x.Shape...)
		}
	}
	p, err := engine.Compile(g, nil, engine.Options{Freeze: freeze})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	for name, x := range in {
		if err := assign(p.Input(name), x); err != nil {
			return nil, err
		}
	}
	if err := p.Run(); err != nil {
		return nil, err
	}
	out := map[string]*tensor.Tensor{}
	for _, name := range p.OutputNames() {
		out[name] = p.Output(name)
	}
	return out, nil
}

// assign copies the elements of a tensor.
func assign(to, from *tensor.Tensor) error {
	if to.DType != from.DType || to.Len() != from.Len() {
		return fmt.Errorf("an input is %v, not %v", from, to)
	}
	switch d := to.Data.(type) {
	case []float32:
		copy(d, from.F32())
	default:
		to.Data = from.Clone().Data
	}
	return nil
}

// compare checks types, shapes and numbers as ONNX's runner does, and the
// shapes that inference told.
func (c *confCase) compare(g *graph.Graph, got map[string]*tensor.Tensor, err error, want []*tensor.Tensor) error {
	if err != nil {
		return err
	}
	if len(want) != len(g.Outputs) {
		return fmt.Errorf("%d outputs are expected of a graph that has %d", len(want), len(g.Outputs))
	}
	for i, w := range want {
		o := g.Outputs[i]
		x := got[o.Name]
		if x == nil {
			return fmt.Errorf("output %q has no value", o.Name)
		}
		if x.DType != w.DType || fmt.Sprint(x.Shape) != fmt.Sprint(w.Shape) {
			return fmt.Errorf("output %q is %v, want %v", o.Name, x, w)
		}
		if o.DType != w.DType {
			return fmt.Errorf("output %q: the inferred type is %v, not %v", o.Name, o.DType, w.DType)
		}
		if o.Shape != nil && len(o.Shape) != w.Rank() {
			return fmt.Errorf("output %q: the inferred shape is %v, not %v", o.Name, o.Shape, w.Shape)
		}
		for d, s := range o.Shape {
			if s.Known() && s.Mul != w.Shape[d] {
				return fmt.Errorf("output %q: the inferred shape is %v, not %v", o.Name, o.Shape, w.Shape)
			}
		}
		if c.unseeded() {
			continue
		}
		if err := c.within(x, w); err != nil {
			return fmt.Errorf("output %q: %w", o.Name, err)
		}
	}
	return nil
}

// unseeded says whether a case draws numbers of which its maker says that they
// need not be those of another implementation: types and shapes are compared.
func (c *confCase) unseeded() bool { return strings.HasPrefix(c.Name, "test_bernoulli") }

// looser are absolute tolerances where the numbers of a case were themselves
// made in float32: at exact zeros they hold its rounding.
var looser = map[string]float64{"test_dft_inverse": 1e-6, "test_dft_inverse_opset19": 1e-6}

func (c *confCase) within(x, w *tensor.Tensor) error {
	if !w.DType.IsFloat() {
		if fmt.Sprint(x.Data) != fmt.Sprint(w.Data) {
			return fmt.Errorf("%.200s, want %.200s", fmt.Sprint(x.Data), fmt.Sprint(w.Data))
		}
		return nil
	}
	a, err := x.Float64s()
	if err != nil {
		return err
	}
	b, err := w.Float64s()
	if err != nil {
		return err
	}
	rtol, atol := c.RTol, max(c.ATol, looser[c.Name])
	if w.DType == tensor.BFloat16 {
		rtol = max(rtol, 1./64)
	}
	wrong, worst, at := 0, 0.0, 0
	for i := range b {
		if a[i] == b[i] || math.IsNaN(a[i]) && math.IsNaN(b[i]) {
			continue
		}
		if d := math.Abs(a[i] - b[i]); !(d <= atol+rtol*math.Abs(b[i])) || math.IsInf(a[i], 0) {
			if wrong++; wrong == 1 || d > worst {
				worst, at = d, i
			}
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d elements differ, element %d most: %g, want %g", wrong, len(b), at, a[at], b[at])
	}
	return nil
}

// page is docs/conformance.md.
func page(all []verdict, source string) string {
	var b strings.Builder
	b.WriteString("# Conformance\n\n<!-- Written by the command below. -->\n\n")
	fmt.Fprintf(&b, "ONNX's own cases (%s), each read, inferred, evaluated plainly, written and read again, and run by the engine, as it is and\n"+
		"simplified; every output within ONNX's tolerance (1e-3 relative, 1e-7 absolute).\n\n", source)
	b.WriteString("```\nPARE_PYTHON=PYTHON go test -count=1 -run Conformance ./interop -args -update\n```\n\n")
	b.WriteString("| group | passed | failed | not supported | left out |\n|---|---|---|---|---|\n")
	for _, k := range kinds {
		n := count(all, k)
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d |\n", k, n["passed"], n["failed"], n["not supported"], n["left out"])
	}
	fmt.Fprintf(&b, "\nNetworks of more than %g multiply-accumulates run in the engine alone. ", maxReference)
	b.WriteString("Of the draws of Bernoulli only type and shape are\n" +
		"compared. The cases of the inverse DFT hold the rounding of float32 where zeros belong: 1e-6 absolute.\n")
	reasons := map[string][]string{}
	for _, v := range all {
		switch v.status {
		case "left out":
			reasons["Left out: "+v.why] = append(reasons["Left out: "+v.why], v.Name)
		case "failed", "not supported":
			reasons[strings.ToUpper(v.status[:1])+v.status[1:]] = append(reasons[strings.ToUpper(v.status[:1])+v.status[1:]], v.Name+" ("+v.why+")")
		}
	}
	var keys []string
	for k := range reasons {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		fmt.Fprintf(&b, "\n## %s\n\n%d cases: %s.\n", k, len(reasons[k]), strings.Join(reasons[k], ", "))
	}
	return b.String()
}
