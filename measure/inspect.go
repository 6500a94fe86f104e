package measure

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"pare/graph"
	"pare/prune/structure"
	"pare/report"
)

// Inspection is what is in a network and what can be cut from it.
type Inspection struct {
	Name   string           `json:"name"`
	Input  string           `json:"input"`
	Output string           `json:"output"`
	Opset  int              `json:"opset"`
	Size   Size             `json:"size"`
	OnDisk int64            `json:"on_disk"` // bytes of its file, 0 where that is not known
	Layers []InspectedLayer `json:"layers"`
	Groups []InspectedGroup `json:"groups"`
	Whole  []LeftWhole      `json:"left_whole"`
	Blocks []InspectedBlock `json:"blocks"` // that can go as a whole

	Experts []InspectedMixture `json:"experts,omitempty"` // mixtures whose experts can go

	Sensitivity *Sensitivity `json:"sensitivity,omitempty"` // where it was measured

	outline []structure.Layer
}

// InspectedLayer is a layer and, where its weights are finite float32 numbers, how
// unevenly they are distributed.
type InspectedLayer struct {
	Layer
	*Unevenness
}

// Unevenness says how compressible the weights of a layer still are that are not
// zero: their PQ index with p 1/2 and q 1, and their Gini index.
type Unevenness struct {
	PQ   float64 `json:"pq_index"`
	Gini float64 `json:"gini_index"`
}

// InspectedGroup is a group of channels that can only be cut together.
type InspectedGroup struct {
	Name     string   `json:"name"`
	Kind     string   `json:"kind"` // channels, heads, grouped-query heads, head width, feed-forward width, expert width, embedding width
	Channels int      `json:"channels"`
	Wide     int      `json:"-"`       // positions that each channel takes
	Weights  []string `json:"weights"` // with the axis that the channels lie on: NAME[AXIS]
	Made     []string `json:"made_by"`
	Read     []string `json:"read_by"`
	Through  []string `json:"tied_through"`
	Params   float64  `json:"parameters_share"` // that go with all channels but one
	MACs     float64  `json:"macs_share"`
}

// LeftWhole is an axis of a weight that is never cut.
type LeftWhole struct {
	Weight string `json:"weight"`
	Axis   int    `json:"axis"`
	Why    string `json:"why"`
}

// Inspect looks into a network whose shapes are inferred.
func Inspect(g *graph.Graph) (*Inspection, error) { return InspectContext(context.Background(), g) }

// InspectContext is Inspect that the end of the context ends.
func InspectContext(ctx context.Context, g *graph.Graph) (*Inspection, error) {
	size, layers, err := OfContext(ctx, g)
	if err != nil {
		return nil, err
	}
	x := &Inspection{Name: g.Name, Input: shapes(g.Inputs), Output: shapes(g.Outputs), Opset: g.Opset[""], Size: size}
	for _, l := range layers {
		x.Layers = append(x.Layers, InspectedLayer{l, unevenness(g.Value(l.Name))})
	}
	groups, whole := structure.Groups(g)
	explained, kinds := structure.Explain(g, groups), structure.Kinds(g, groups)
	for i, group := range groups {
		e := &explained[i]
		y := InspectedGroup{Name: group.Name, Kind: string(kinds[i]), Channels: len(group.Channels), Wide: e.Wide, Made: e.Made, Read: e.Read, Through: e.Through, Params: e.Params, MACs: e.MACs}
		for _, a := range group.Weights() {
			y.Weights = append(y.Weights, fmt.Sprintf("%s[%d]", a.Value.Name, a.Dim))
		}
		x.Groups = append(x.Groups, y)
	}
	for _, p := range whole {
		x.Whole = append(x.Whole, LeftWhole{p.Value.Name, p.Dim, p.Why})
	}
	x.outline = structure.Outline(g, groups)
	x.Blocks = blocksOf(g, size)
	mixtures, left := expertsOf(g, size)
	x.Experts, x.Whole = mixtures, append(x.Whole, left...)
	return x, nil
}

// shapes writes the shape of one value, or the names and shapes of several.
func shapes(vs []*graph.Value) string {
	if len(vs) == 1 {
		return vs[0].Shape.String()
	}
	var out []string
	for _, v := range vs {
		out = append(out, fmt.Sprintf("%s %v", printable(v.Name), v.Shape))
	}
	return cmp.Or(strings.Join(out, ", "), "none")
}

// unevenness is nil for what is no weight of finite float32 numbers.
func unevenness(v *graph.Value) *Unevenness {
	if v == nil || v.Const.F32() == nil || v.Const.Finite() >= 0 {
		return nil
	}
	x := make([]float32, 0, nonZero(v.Const))
	for _, w := range v.Const.F32() {
		if w != 0 {
			x = append(x, w)
		}
	}
	return &Unevenness{PQ(x, .5, 1), Gini(x)}
}

// Report is the inspection as tables; lists of names end after the first few,
// unless that is negative.
func (x *Inspection) Report(few int) *report.Report {
	r := &report.Report{}
	r.Add(report.Section{Heading: fmt.Sprintf("%s: input %s, output %s, opset %d", x.Name, x.Input, x.Output, x.Opset), Table: x.layerTable()})
	r.Add(report.Section{Heading: "Whole", Table: x.wholeSize()})
	r.Add(report.Section{Heading: "Channels that can be cut, and what goes with all but one of them", Table: x.groupTable(few)})
	if x.Sensitivity != nil && len(x.Groups) > 0 {
		r.Add(x.Sensitivity.section(x, few))
	}
	if len(x.Blocks) > 0 {
		r.Add(report.Section{Heading: "Blocks that can go as a whole", Table: x.blockTable()})
	}
	if len(x.Experts) > 0 {
		r.Add(report.Section{Heading: "Experts that can go", Table: x.expertTable()})
	}
	if len(x.Whole) > 0 {
		r.Add(report.Section{Heading: "Left whole", Table: x.wholeTable(few)})
	}
	return r
}

// wholeSize is the size of all of it.
func (x *Inspection) wholeSize() *report.Table {
	t := &report.Table{Columns: []string{"parameters", "non-zero", "MACs", "ONNX", "sparse form"},
		Rows: [][]report.Cell{{report.Count(x.Size.Params), report.Count(x.Size.NonZero), report.Scaled(float64(x.Size.MACs)), report.Bytes(x.Size.Bytes), report.Bytes(x.Size.SparseBytes)}}}
	if x.OnDisk > 0 {
		t.Columns, t.Rows[0] = append([]string{"file"}, t.Columns...), append([]report.Cell{report.Bytes(x.OnDisk)}, t.Rows[0]...)
	}
	return t
}

// layerTable has a column for the weights where layers are called otherwise.
func (x *Inspection) layerTable() *report.Table {
	t := &report.Table{Columns: []string{"layer", "operator", "shape", "parameters", "MACs", "zeros", "output", "PQ index", "Gini index"}}
	named := slices.ContainsFunc(x.Layers, func(l InspectedLayer) bool { return l.title() != l.Name })
	if named {
		t.Columns = append(t.Columns, "weight")
	}
	for _, l := range x.Layers {
		pq, gini := report.Missing(), report.Missing()
		if l.Unevenness != nil {
			pq, gini = report.Number(l.PQ), report.Number(l.Gini)
		}
		row := []report.Cell{report.Text(l.title()), report.Text(l.Op), report.Text(fmt.Sprint(l.Shape)),
			report.Count(l.Params), report.Scaled(float64(l.MACs)), report.Percent(l.zeros()), report.Text(l.Output), pq, gini}
		if named {
			row = append(row, report.Text(l.Name))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func (x *Inspection) groupTable(few int) *report.Table {
	t := &report.Table{Columns: []string{"group", "channels", "what", "parameters", "MACs", "made by", "read by", "tied through"}}
	for i := range x.Groups {
		g := &x.Groups[i]
		t.Rows = append(t.Rows, []report.Cell{report.Text(fmt.Sprint(i + 1)), g.count(), report.Text(g.Kind), report.Percent(g.Params), report.Percent(g.MACs),
			report.Text(names(g.Made, few)), report.Text(names(g.Read, few)), report.Text(names(g.Through, few))})
	}
	return t
}

// wholeTable has a row for each reason.
func (x *Inspection) wholeTable(few int) *report.Table {
	t := &report.Table{Columns: []string{"left whole because", "weights"}}
	var order []string
	by, title := map[string][]string{}, map[string]string{}
	for _, l := range x.Layers {
		title[l.Name] = l.title()
	}
	for _, w := range x.Whole {
		if by[w.Why] == nil {
			order = append(order, w.Why)
		}
		by[w.Why] = append(by[w.Why], cmp.Or(title[w.Weight], w.Weight))
	}
	for _, why := range order {
		t.Rows = append(t.Rows, []report.Cell{report.Text(why), report.Text(names(by[why], few))})
	}
	return t
}

// count writes "12 × 64": twelve channels of 64 positions each.
func (g *InspectedGroup) count() report.Cell {
	if g.Wide > 1 {
		return report.Cell{Text: fmt.Sprintf("%d × %d", g.Channels, g.Wide), Value: float64(g.Channels), IsNum: true}
	}
	return report.Count(int64(g.Channels))
}

// names lists the first few names, all where few is negative.
func names(s []string, few int) string {
	if few < 0 || len(s) <= few {
		return strings.Join(s, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(s[:few], ", "), len(s)-few)
}

// Page is the inspection with the network drawn.
func (x *Inspection) Page(file string) *report.Report {
	r := x.Report(-1)
	r.Title, r.Subtitle = cmp.Or(x.Name, "network"), file
	r.Verdict = []string{fmt.Sprintf("%s parameters in %d layers, %s multiply-accumulates for one sample; %s.", report.Count(x.Size.Params).Text, len(x.Layers), report.Scaled(float64(x.Size.MACs)).Text, x.groupsInWords())}
	s := report.Section{Heading: "The network", Text: drawingHelp, Diagram: x.diagram()}
	if len(s.Diagram.Nodes) == 0 {
		s.Text, s.Diagram = "There is nothing to draw: no node works on an input.", nil
	}
	r.Sections = append([]report.Section{s}, r.Sections...)
	return r
}

// groupsInWords says whether channels can be cut.
func (x *Inspection) groupsInWords() string {
	switch n := len(x.Groups); n {
	case 0:
		return "no channels can be cut"
	case 1:
		return "one group of channels can be cut"
	default:
		return fmt.Sprintf("%d groups of channels can be cut", n)
	}
}
