package measure

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strconv"

	"pare/catalog"
	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/report"
	"pare/tensor"
)

// Bind gives sizes to the symbols in the shapes of a network's inputs: those of the
// arrays that are given for some inputs, else those of the network's usage, batch for
// first axes, and assumed ones for others, which the notes say. It returns an error
// where an array does not fit its input.
func Bind(g *graph.Graph, given map[string]*tensor.Tensor, batch int) (map[string]int, []catalog.Text, error) {
	sizes := maps.Clone(g.Usage.Sizes)
	if sizes == nil {
		sizes = map[string]int{}
	}
	for _, v := range g.Inputs {
		t := given[v.Name]
		if t == nil {
			continue
		}
		if v.Shape != nil && len(t.Shape) != len(v.Shape) {
			return nil, nil, fmt.Errorf("input %q has shape %v, not %v", v.Name, v.Shape, t.Shape)
		}
		for i, d := range v.Shape {
			if _, set := sizes[d.Sym]; !d.Known() && d.Mul == 1 && !set { // 0, too: a cache may be empty
				sizes[d.Sym] = t.Shape[i]
			}
			if k := d.Bind(sizes); k != graph.N(t.Shape[i]) {
				return nil, nil, fmt.Errorf("input %q has shape %v, which %v does not fit", v.Name, v.Shape, t.Shape)
			}
		}
	}
	c, _ := g.Clone(false)
	c.Usage.Sizes = maps.Clone(sizes)
	for _, v := range g.Inputs {
		if len(v.Shape) > 0 && !v.Shape[0].Known() && sizes[v.Shape[0].Sym] == 0 {
			sizes[v.Shape[0].Sym] = batch
		}
	}
	notes, err := Settle(c)
	if err != nil {
		return nil, nil, err
	}
	for s, n := range c.Usage.Sizes {
		if _, set := sizes[s]; !set {
			sizes[s] = n
		}
	}
	return sizes, notes, nil
}

// Feed fills the inputs of a program: with the arrays that are given, and the others
// at random by seed, with normal numbers, or zeros and ones where they are not
// floating-point. Strings stay empty.
func Feed(p *engine.Program, given map[string]*tensor.Tensor, seed uint64) error {
	for i, name := range p.InputNames() {
		to, from := p.Input(name), given[name]
		var err error
		switch {
		case from == nil && to.DType == tensor.String:
			continue
		case from == nil:
			from, err = random(to, rand.New(rand.NewPCG(seed, uint64(i))))
		}
		if err == nil {
			err = to.Copy(from)
		}
		if err != nil {
			return fmt.Errorf("input %q: %w", name, err)
		}
	}
	return nil
}

// random draws an array of the type and shape of another.
func random(like *tensor.Tensor, r *rand.Rand) (*tensor.Tensor, error) {
	t := tensor.New(tensor.Float64, like.Shape...)
	x := tensor.Of[float64](t)
	for i := range x {
		if like.DType.IsFloat() {
			x[i] = r.NormFloat64()
		} else {
			x[i] = float64(r.IntN(2))
		}
	}
	return op.Convert(t, like.DType)
}

// Values say what the numbers of an array are like.
type Values struct {
	Name      string  `json:"name"`
	Type      string  `json:"type"`
	Shape     []int   `json:"shape"`
	Min       float64 `json:"min"` // this and the next two over the finite ones
	Mean      float64 `json:"mean"`
	Max       float64 `json:"max"`
	NotFinite int     `json:"not_finite"` // how many are NaN or infinite
}

// ValuesOf summarises an array of numbers.
func ValuesOf(name string, t *tensor.Tensor) (*Values, error) {
	v := &Values{Name: name, Type: t.DType.String(), Shape: t.Shape, Min: math.Inf(1), Max: math.Inf(-1)}
	xs, err := t.Float64s()
	if err != nil {
		return nil, err
	}
	n := 0
	for _, x := range xs {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			v.NotFinite++
			continue
		}
		n++
		v.Min, v.Max, v.Mean = min(v.Min, x), max(v.Max, x), v.Mean+(x-v.Mean)/float64(n)
	}
	if n == 0 {
		v.Min, v.Max = 0, 0
	}
	return v, nil
}

// ValuesTable has a row for each array.
func ValuesTable(vs []*Values) *report.Table {
	t := &report.Table{Columns: []string{"output", "type", "shape", "least", "mean", "largest", "not finite"}}
	for _, v := range vs {
		t.Rows = append(t.Rows, []report.Cell{report.Text(printable(v.Name)), report.Text(v.Type), report.Text(fmt.Sprint(v.Shape)), report.Number(v.Min), report.Number(v.Mean),
			report.Number(v.Max), report.Count(int64(v.NotFinite))})
	}
	return t
}

// printable is a name that cannot steer a terminal.
func printable(s string) string {
	if q := strconv.Quote(s); q[1:len(q)-1] != s {
		return q
	}
	return s
}
