package main

import (
	"cmp"
	"fmt"
	"strings"

	"pare/graph"
	"pare/measure"
	"pare/onnx"
	"pare/prune/structure"
	"pare/report"

	"github.com/spf13/cobra"
)

func (c *cli) inspect() *cobra.Command {
	var page string
	cmd := &cobra.Command{Use: "inspect FILE", Short: "Show layers, sizes, sparsity and the channels that go together", Args: args("FILE"),
		Example: "  pare model inspect net.onnx\n  pare model inspect net.onnx --html net.html   # the network drawn, with its groups\n  pare model inspect net.onnx --json",
		RunE: func(cmd *cobra.Command, a []string) error {
			if page != "" {
				if err := onnx.CheckWritable(page); err != nil {
					return err
				}
			}
			g, err := c.load(a[0])
			if err != nil {
				return err
			}
			size, layers, err := measure.Of(g)
			if err != nil {
				return err
			}
			n := &inspection{g: g, size: size, layers: layers, even: uneven(g, layers)}
			n.groups, n.whole = structure.Groups(g)
			n.explained = structure.Explain(g, n.groups)
			if page != "" {
				r := n.report(-1)
				r.Title, r.Subtitle = cmp.Or(g.Name, "network"), a[0]
				r.Sections = append([]report.Section{{Heading: "The network", Text: drawingHelp, Diagram: n.diagram()}}, r.Sections...)
				if err := writePage(page, r); err != nil {
					return err
				}
			}
			if c.json {
				return c.printJSON(n.json())
			}
			n.report(3).Print(c.out, c.width())
			return nil
		}}
	cmd.Flags().StringVar(&page, "html", "", "write a page that draws the network, its groups and its sparsity")
	return cmd
}

const drawingHelp = `Boxes are layers that hold weights, and grey ones join what others computed. A colour is a group of channels that
can only be cut together, on the layers that make them and the lines that carry them; grey lines and stripes carry channels that are never
cut. The bar in a box is the share of its weights that are not zero. A click in the list shows one group alone.`

// inspection is all that is known of a network.
type inspection struct {
	g         *graph.Graph
	size      measure.Size
	layers    []measure.Layer
	groups    []*structure.Group
	explained []structure.Explanation
	whole     []structure.Protected
	even      map[string]unevenness
}

// unevenness says how compressible the weights of a layer that are not zero
// still are: their PQ index with p 1/2 and q 1, and their Gini index.
type unevenness struct {
	PQ   float64 `json:"pq_index"`
	Gini float64 `json:"gini_index"`
}

// uneven measures the layers whose weights are finite float32 numbers.
func uneven(g *graph.Graph, layers []measure.Layer) map[string]unevenness {
	out := map[string]unevenness{}
	for _, l := range layers {
		v := g.Value(l.Name)
		if v == nil || v.Const.F32() == nil || v.Const.Finite() >= 0 {
			continue
		}
		var x []float32
		for _, w := range v.Const.F32() {
			if w != 0 {
				x = append(x, w)
			}
		}
		out[l.Name] = unevenness{measure.PQ(x, .5, 1), measure.Gini(x)}
	}
	return out
}

// report writes tables; lists of names end after the first few, unless that is
// negative.
func (n *inspection) report(few int) *report.Report {
	r := &report.Report{}
	t := &report.Table{Columns: []string{"layer", "operator", "weight", "output", "parameters", "MACs", "zeros", "PQ index", "Gini index"}}
	for _, l := range n.layers {
		pq, gini := report.Missing(), report.Missing()
		if x, ok := n.even[l.Name]; ok {
			pq, gini = report.Number(x.PQ), report.Number(x.Gini)
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(l.Name), report.Text(l.Op), report.Text(fmt.Sprint(l.Shape)), report.Text(l.Output),
			report.Count(l.Params), report.Scaled(float64(l.MACs)), report.Percent(1 - float64(l.NonZero)/float64(max(1, l.Params))), pq, gini})
	}
	r.Add(report.Section{Heading: fmt.Sprintf("%s: input %v, output %v, opset %d", n.g.Name, n.g.Inputs[0].Shape, n.g.Outputs[0].Shape, n.g.Opset[""]), Table: t})
	r.Add(report.Section{Heading: "Whole", Table: &report.Table{Columns: []string{"parameters", "non-zero", "MACs", "file", "sparse file"},
		Rows: [][]report.Cell{{report.Count(n.size.Params), report.Count(n.size.NonZero), report.Scaled(float64(n.size.MACs)), report.Bytes(n.size.Bytes), report.Bytes(n.size.SparseBytes)}}}})
	gt := &report.Table{Columns: []string{"group", "channels", "made by", "read by", "tied through", "parameters", "MACs"}}
	for i := range n.groups {
		e := &n.explained[i]
		gt.Rows = append(gt.Rows, []report.Cell{report.Text(fmt.Sprint(i + 1)), n.channels(i), report.Text(names(e.Made, few)), report.Text(names(e.Read, few)),
			report.Text(names(e.Through, few)), report.Percent(e.Params), report.Percent(e.MACs)})
	}
	r.Add(report.Section{Heading: "Channels that can be cut, and what goes with all but one of them", Table: gt})
	if len(n.whole) > 0 {
		wt := &report.Table{Columns: []string{"left whole because", "weights"}}
		var order []string
		by := map[string][]string{}
		for _, p := range n.whole {
			if by[p.Why] == nil {
				order = append(order, p.Why)
			}
			by[p.Why] = append(by[p.Why], p.Value.Name)
		}
		for _, why := range order {
			wt.Rows = append(wt.Rows, []report.Cell{report.Text(why), report.Text(names(by[why], few))})
		}
		r.Add(report.Section{Heading: "Left whole", Table: wt})
	}
	return r
}

// channels writes "12 × 64": twelve channels of 64 positions each.
func (n *inspection) channels(i int) report.Cell {
	c := len(n.groups[i].Channels)
	if w := n.explained[i].Wide; w > 1 {
		return report.Cell{Text: fmt.Sprintf("%d × %d", c, w), Value: float64(c), IsNum: true}
	}
	return report.Count(int64(c))
}

// names lists the first few names.
func names(s []string, few int) string {
	if few < 0 || len(s) <= few {
		return strings.Join(s, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(s[:few], ", "), len(s)-few)
}

// diagram draws the layers.
func (n *inspection) diagram() *report.Diagram {
	d := &report.Diagram{}
	stat := map[string]measure.Layer{}
	for _, l := range n.layers {
		stat[l.Name] = l
	}
	why := map[string]string{}
	for _, p := range n.whole {
		why[p.Value.Name] = p.Why
	}
	for i, l := range structure.Outline(n.g, n.groups) {
		x := report.DiagramNode{Label: l.Label, Group: l.Group, Fill: -1, Plain: true}
		switch {
		case l.Node == nil:
			x.Detail = l.Value.Shape.String()
		case l.Weight == nil:
			x.Label, x.Detail = l.Node.Op, strings.TrimSpace(l.Label)
			x.Hint = fmt.Sprintf("%s %s, output %v", l.Node.Op, l.Node.Name, l.Value.Shape)
		default:
			s, ok := stat[l.Weight.Name]
			x.Plain = false
			x.Detail = fmt.Sprintf("%s %v", l.Node.Op, l.Weight.Shape)
			x.Hint = fmt.Sprintf("%s %s, weight %s %v, output %v", l.Node.Op, l.Node.Name, l.Weight.Name, l.Weight.Shape, l.Value.Shape)
			if ok {
				x.Fill = float64(s.NonZero) / float64(max(1, s.Params))
				x.Hint += fmt.Sprintf(", %s parameters, %.1f %% zeros, %s MACs", report.Count(s.Params).Text, 100*(1-x.Fill), report.Scaled(float64(s.MACs)).Text)
			}
			if w := why[l.Weight.Name]; w != "" {
				x.Hint += "; left whole: " + w
			}
		}
		if l.Group >= 0 {
			x.Hint += fmt.Sprintf("; group %d", l.Group+1)
		}
		d.Nodes = append(d.Nodes, x)
		for _, f := range l.From {
			d.Edges = append(d.Edges, report.DiagramEdge{From: f.Layer, To: i, Group: f.Group})
		}
	}
	for i := range n.groups {
		e := &n.explained[i]
		d.Groups = append(d.Groups, report.DiagramGroup{
			Name: fmt.Sprintf("%d. %s channels, %.1f %% of parameters, %.1f %% of MACs", i+1, n.channels(i).Text, 100*e.Params, 100*e.MACs),
			Text: sentence(e),
		})
	}
	return d
}

// sentence says what ties a group; its tables list all.
func sentence(e *structure.Explanation) string {
	const few = 6
	s := "made by " + names(e.Made, few)
	if len(e.Read) > 0 {
		s += "; read by " + names(e.Read, few)
	}
	if len(e.Through) > 0 {
		s += "; tied through " + names(e.Through, few)
	}
	return s
}

func (n *inspection) json() any {
	type layer struct {
		measure.Layer
		*unevenness
	}
	type group struct {
		Name     string   `json:"name"`
		Channels int      `json:"channels"`
		Weights  []string `json:"weights"`
		Made     []string `json:"made_by"`
		Read     []string `json:"read_by"`
		Through  []string `json:"tied_through"`
		Params   float64  `json:"parameters_share"`
		MACs     float64  `json:"macs_share"`
	}
	type kept struct {
		Weight string `json:"weight"`
		Axis   int    `json:"axis"`
		Why    string `json:"why"`
	}
	out := struct {
		Name   string       `json:"name"`
		Input  string       `json:"input"`
		Output string       `json:"output"`
		Opset  int          `json:"opset"`
		Size   measure.Size `json:"size"`
		Layers []layer      `json:"layers"`
		Groups []group      `json:"groups"`
		Whole  []kept       `json:"left_whole"`
	}{Name: n.g.Name, Input: n.g.Inputs[0].Shape.String(), Output: n.g.Outputs[0].Shape.String(), Opset: n.g.Opset[""], Size: n.size}
	for _, l := range n.layers {
		x := layer{Layer: l}
		if e, ok := n.even[l.Name]; ok {
			x.unevenness = &e
		}
		out.Layers = append(out.Layers, x)
	}
	for i, x := range n.groups {
		e := &n.explained[i]
		y := group{Name: x.Name, Channels: len(x.Channels), Made: e.Made, Read: e.Read, Through: e.Through, Params: e.Params, MACs: e.MACs}
		for _, a := range x.Weights() {
			y.Weights = append(y.Weights, fmt.Sprintf("%s[%d]", a.Value.Name, a.Dim))
		}
		out.Groups = append(out.Groups, y)
	}
	for _, p := range n.whole {
		out.Whole = append(out.Whole, kept{p.Value.Name, p.Dim, p.Why})
	}
	return out
}
