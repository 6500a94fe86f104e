package engine

import (
	"reflect"
	"runtime"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Every rule is named as its function is, which is the name that profiles show, and
// no operator has two.
func TestRules(t *testing.T) {
	seen := map[string]string{}
	for _, r := range rules {
		full := runtime.FuncForPC(reflect.ValueOf(r.lower).Pointer()).Name()
		if name := full[strings.LastIndex(full, ".")+1:]; name != r.name {
			t.Errorf("the rule %s is the function %s", r.name, name)
		}
		for _, o := range r.ops {
			if seen[o] != "" {
				t.Errorf("%s has the rules %s and %s", o, seen[o], r.name)
			}
			seen[o] = r.name
			domain, name := "", o
			if i := strings.LastIndexByte(o, '.'); i >= 0 {
				domain, name = o[:i], o[i+1:]
			}
			if op.Lookup(domain, name) == nil {
				t.Errorf("%s is for %q, which is no operator", r.name, o)
			}
		}
	}
	for name := range unaries {
		if seen[name] != "lowerUnary" {
			t.Errorf("no rule for %s", name)
		}
	}
	for name := range shaped {
		if seen[name] != "lowerUnary" || unaries[name] != nil {
			t.Errorf("%s has no rule, or two functions", name)
		}
	}
	for name := range arithmetics {
		if seen[name] != "lowerArithmetic" {
			t.Errorf("no rule for %s", name)
		}
	}
}

// What has no kernel says why.
func TestExplain(t *testing.T) {
	for want, f := range map[string]func(b *op.Builder, x *graph.Value) *graph.Value{
		"there is no kernel for Not":   func(b *op.Builder, x *graph.Value) *graph.Value { return b.Op("Not", b.Op("IsNaN", x)) },
		"number by number Sin":         func(b *op.Builder, x *graph.Value) *graph.Value { return b.Op("Sin", x) },
		"elementwise Relu":             func(b *op.Builder, x *graph.Value) *graph.Value { return b.Op("Relu", x) },
		"pad an axis":                  func(b *op.Builder, x *graph.Value) *graph.Value { return padded(b, x, "reflect") },
		"): pad":                       func(b *op.Builder, x *graph.Value) *graph.Value { return padded(b, x, "constant") },
		"kernels compute in float32":   func(b *op.Builder, x *graph.Value) *graph.Value { return b.Op("Relu", double(b, x)) },
		"which depends on data":        func(b *op.Builder, x *graph.Value) *graph.Value { return b.Op("NonZero", x) },
		"both are repeated, or empty":  func(b *op.Builder, x *graph.Value) *graph.Value { return b.Op("Add", x, column3(b)) },
		"is not a comparison with a n": func(b *op.Builder, x *graph.Value) *graph.Value { return b.Op("Where", b.Op("IsNaN", x), x, x) },
	} {
		g := graph.New("explained", 17)
		x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(1, 4)}
		g.Inputs = []*graph.Value{x}
		b := op.NewBuilder(g, "t")
		g.Outputs = []*graph.Value{f(b, x)}
		if b.Err() != nil {
			t.Fatal(want, b.Err())
		}
		var passes []string
		p, err := Compile(g, nil, Options{Threads: 1, Trace: func(pass string, _ *graph.Graph) { passes = append(passes, pass) }})
		if err != nil {
			t.Fatal(want, err)
		}
		if lines := strings.Join(p.Explain(), "\n"); !strings.Contains(lines, want) {
			t.Errorf("want %q in:\n%s", want, lines)
		}
		if len(passes) != len(training) || passes[0] != training[0].name {
			t.Errorf("traced the passes %q, not all of %d", passes, len(training))
		}
		p.Close()
	}
}

func padded(b *op.Builder, x *graph.Value, mode string) *graph.Value {
	return b.Attr("Pad", []graph.Attr{graph.MakeAttr("mode", mode)}, x, b.Ints(0, 1, 0, 1))
}

func double(b *op.Builder, x *graph.Value) *graph.Value {
	return b.Attr("Cast", []graph.Attr{graph.MakeAttr("to", int(tensor.Float64))}, x)
}

func column3(b *op.Builder) *graph.Value {
	return b.G.Const("c", tensor.From([]float32{1, 2, 3}, 3, 1), graph.Param)
}
