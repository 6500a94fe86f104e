package run

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pare/graph"
	"pare/zoo"
)

type outcome struct {
	Key string `json:"key"`
	X   int    `json:"x"`
}

func ledger(path string) (*Ledger[outcome], error) {
	return OpenLedger(path, func(o *outcome) string { return o.Key })
}

// Lines that are no outcomes are named.
func TestLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	for _, b := range []string{"{}\n", "no\n{}\n", "{\"key\":1}\n"} {
		if err := os.WriteFile(path, []byte(b), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ledger(path); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%q: %v", b, err)
		}
	}
	if err := os.WriteFile(path, []byte("{\"key\":\"a\"}\n\nno\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger(path); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Error(err)
	}
}

// What is added is there again, the last line of a key counts, and half a line of a
// run that was killed is taken off.
func TestLedgerAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	l, err := ledger(path)
	if err != nil || l.Find("a") != nil {
		t.Fatalf("of no file: %v, %v", l, err)
	}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if err := l.Add(&outcome{fmt.Sprint(i), i}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := l.Add(&outcome{"7", 70}); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"key":"half","x`) //nolint:errcheck // the next lines fail then
	f.Close()
	for range 2 {
		if l, err = ledger(path); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			want := i
			if i == 7 {
				want = 70
			}
			if o := l.Find(fmt.Sprint(i)); o == nil || o.X != want {
				t.Errorf("%d: %+v", i, o)
			}
		}
		if l.Find("half") != nil {
			t.Error("half a line counts")
		}
	}
	if err := l.Add(&outcome{"half", 1}); err != nil {
		t.Fatal(err)
	}
	if l, err = ledger(path); err != nil || l.Find("half") == nil {
		t.Errorf("a line after the torn one: %v", err)
	}
}

// Trainings are numbered from 1, one alone has the run's name, and progress counts on
// through all of them, of as many steps as are known.
func TestSeries(t *testing.T) {
	var told []string
	s := &Series{Save: "c", N: 3, Steps: 30, OnStep: func(step, total int, loss float64) {
		told = append(told, fmt.Sprint(step, "/", total, " ", loss))
	}}
	for i, steps := range []int{10, 15, 20} {
		save, on := s.Next(steps)
		if want := fmt.Sprint("c.", i+1); save != want {
			t.Errorf("training %d is saved in %s, want %s", i+1, save, want)
		}
		on(1, steps, .5)
		on(steps, steps, .25)
	}
	if want := []string{"1/30 0.5", "10/30 0.25", "11/30 0.5", "25/30 0.25", "26/45 0.5", "45/45 0.25"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	one := &Series{Save: "c", N: 1}
	if save, on := one.Next(5); save != "c" || on != nil {
		t.Errorf("a single training is saved in %s, and tells: %v", save, on != nil)
	}
	none := &Series{N: 2}
	if save, _ := none.Next(5); save != "" {
		t.Errorf("what saves nothing is saved in %q", save)
	}
}

// Cleaning takes a run's checkpoints and nothing else; of a run that saves nothing,
// nothing.
func TestClean(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	names := []string{"run", "run.1", "run.2", "run.4", "run.txt", "runs", ".1", ".2"}
	for _, n := range names {
		if err := os.WriteFile(n, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	left := func() []string {
		var out []string
		es, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range es {
			out = append(out, e.Name())
		}
		return out
	}
	Clean("")
	if got := left(); len(got) != len(names) {
		t.Errorf("without a name %v are left", got)
	}
	Clean("run")
	if got := left(); !slices.Equal(got, []string{".1", ".2", "run.4", "run.txt", "runs"}) {
		t.Errorf("%v are left", got)
	}
	Clean("nosuch")
}

// A digest is of all that a network is.
func TestDigest(t *testing.T) {
	digest := func(name string, seed uint64, change func(x []float32)) string {
		g, err := zoo.New(name, zoo.Options{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(g.Params()[0].Const.F32())
		}
		return Digest(g)
	}
	a := digest("mlp:8-4", 1, nil)
	if len(a) != 16 || strings.Trim(a, "0123456789abcdef") != "" || a != digest("mlp:8-4", 1, func([]float32) {}) {
		t.Errorf("digest %q, again %q", a, digest("mlp:8-4", 1, nil))
	}
	for what, b := range map[string]string{
		"another seed": digest("mlp:8-4", 2, nil), "another shape": digest("mlp:4-8", 1, nil),
		"another number": digest("mlp:8-4", 1, func(x []float32) { x[31]++ }), "another sign of zero": digest("mlp:8-4", 1, func(x []float32) { x[0] = 0 }),
	} {
		if a == b {
			t.Errorf("%s has the same digest", what)
		}
	}
	base, err := zoo.New("mlp:8-4-2", zoo.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	was := Digest(base)
	for what, change := range map[string]func(g *graph.Graph){
		"operator": func(g *graph.Graph) { g.Nodes[1].Op = "Tanh" }, "node's name": func(g *graph.Graph) { g.Nodes[1].Name = "x" },
		"attribute": func(g *graph.Graph) { g.Nodes[0].Attrs[0].I++; g.Nodes[0].Attrs[0].F++ }, "new attribute": func(g *graph.Graph) { g.Nodes[1].Attrs = append(g.Nodes[1].Attrs, graph.MakeAttr("x", 1)) },
		"domain": func(g *graph.Graph) { g.Nodes[1].Domain = "x" }, "opset": func(g *graph.Graph) { g.Opset[""]++ }, "input's name": func(g *graph.Graph) { g.Inputs[0].Name = "x" },
		"operands": func(g *graph.Graph) { g.Nodes[0].Inputs = g.Nodes[0].Inputs[:2] }, "order of weights": func(g *graph.Graph) { in := g.Nodes[0].Inputs; in[1], in[2] = in[2], in[1] },
		"output": func(g *graph.Graph) { g.Outputs[0] = g.Nodes[0].Outputs[0] }, "role": func(g *graph.Graph) { g.Params()[0].Role = graph.Frozen },
		"producer": func(g *graph.Graph) { g.Meta.Producer = "x" }, "property": func(g *graph.Graph) { g.Meta.Props = []graph.Prop{{Key: "a", Value: "b"}} },
		"name": func(g *graph.Graph) { g.Name = "x" }, "remark": func(g *graph.Graph) { g.Nodes[0].Doc = "x" }, "shape of the input": func(g *graph.Graph) { g.Inputs[0].Shape[0] = graph.N(3) },
		"what is unknown": func(g *graph.Graph) { g.Nodes[0].Unknown = []byte{1} },
	} {
		g, _ := base.Clone(true)
		if Digest(g) != was {
			t.Fatal("a copy has another digest")
		}
		if change(g); Digest(g) == was {
			t.Errorf("another %s has the same digest", what)
		}
	}
	zero, minus := digest("mlp:8-4", 1, func(x []float32) { x[0] = 0 }), digest("mlp:8-4", 1, func(x []float32) { x[0] = 0; x[0] = -x[0] })
	if zero == minus {
		t.Error("0 and -0 have the same digest")
	}
}

func TestKey(t *testing.T) {
	var k Key
	k.Add("seed", 3)
	k.AddAll(map[string]string{"b": "2", "c": "x y", "a": ""})
	if !slices.Equal(k, Key{"seed=3", "a=", "b=2", "c=x y"}) {
		t.Errorf("%q", k)
	}
}

// The program that runs is its file.
func TestExecutable(t *testing.T) {
	got, err := Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%x", sha256.Sum256(b))[:16]; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
