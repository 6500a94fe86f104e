package measure

import (
	"fmt"
	"strings"

	"pare/report"
)

const drawingHelp = `Boxes are layers that hold weights; grey ones join what other layers computed. A colour is a group of channels that
can only be cut together, on the layers that make them and the lines that carry them; grey lines and stripes carry channels that are never
cut. The bar in a box is the share of its weights that are not zero. Click a group in the list to see it alone.
The wheel with Ctrl, a pinch or the buttons zoom; the field finds layers by name, weight, operator or module.`

// diagram draws the layers and what leads from one to another.
func (x *Inspection) diagram() *report.Diagram {
	d := &report.Diagram{}
	layers := map[string]Layer{}
	for _, l := range x.Layers {
		layers[l.Name] = l.Layer
	}
	whole := map[string]string{}
	for _, w := range x.Whole {
		whole[w.Weight] = w.Why
	}
	for i, l := range x.outline {
		b := report.DiagramNode{Label: l.Label, Group: l.Group, Fill: -1, Plain: true}
		switch {
		case l.Node == nil:
			b.Detail = l.Value.Shape.String()
		case l.Weight == nil:
			b.Label, b.Detail = l.Node.Op, strings.TrimSpace(l.Label)
			b.Hint = fmt.Sprintf("%s %s, output %v", l.Node.Op, l.Node.Name, l.Value.Shape)
		default:
			b.Plain = false
			b.Detail = fmt.Sprintf("%s %v", l.Node.Op, l.Weight.Shape)
			b.Hint = fmt.Sprintf("%s %s, weight %s %v, output %v", l.Node.Op, l.Node.Name, l.Weight.Name, l.Weight.Shape, l.Value.Shape)
			if s, ok := layers[l.Weight.Name]; ok {
				if s.title() != s.Name {
					b.Label = s.title()
				}
				b.Fill = 1 - s.zeros()
				b.Hint += fmt.Sprintf(", %s parameters, %.1f %% zeros, %s MACs", report.Count(s.Params).Text, 100*s.zeros(), report.Scaled(float64(s.MACs)).Text)
			}
			if w := whole[l.Weight.Name]; w != "" {
				b.Hint += "; left whole: " + w
			}
		}
		if l.Group >= 0 {
			b.Hint += fmt.Sprintf("; group %d", l.Group+1)
		}
		d.Nodes = append(d.Nodes, b)
		for _, f := range l.From {
			d.Edges = append(d.Edges, report.DiagramEdge{From: f.Layer, To: i, Group: f.Group})
		}
	}
	for i := range x.Groups {
		g := &x.Groups[i]
		d.Groups = append(d.Groups, report.DiagramGroup{
			Name: fmt.Sprintf("%d. %s %s, %.1f %% of parameters, %.1f %% of MACs", i+1, g.count().Text, g.Kind, 100*g.Params, 100*g.MACs),
			Text: g.ties() + x.Sensitivity.inWords(i),
		})
	}
	return d
}

// ties says in a sentence what ties a group; its table lists all.
func (g *InspectedGroup) ties() string {
	const few = 6
	s := "made by " + names(g.Made, few)
	if len(g.Read) > 0 {
		s += "; read by " + names(g.Read, few)
	}
	if len(g.Through) > 0 {
		s += "; tied through " + names(g.Through, few)
	}
	return s
}
