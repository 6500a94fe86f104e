package report

import (
	"strings"
	"testing"
)

// A residual block and a source that is read late.
func sketch() *Diagram {
	d := &Diagram{Groups: []DiagramGroup{{Name: "1"}}}
	for _, n := range []string{"in", "late", "a", "b", "add", "out"} {
		d.Nodes = append(d.Nodes, DiagramNode{Label: n, Group: -1, Fill: -1})
	}
	for _, e := range [][2]int{{0, 2}, {2, 3}, {3, 4}, {2, 4}, {1, 4}, {4, 5}} {
		d.Edges = append(d.Edges, DiagramEdge{e[0], e[1], -1})
	}
	return d
}

// Every edge leads down a layer at a time, and nothing lies upon another.
func TestLayout(t *testing.T) {
	d := sketch()
	layers, routes := d.layout()
	for i, r := range routes {
		if r[0].node != d.Edges[i].From || r[len(r)-1].node != d.Edges[i].To {
			t.Errorf("edge %d leads from %d to %d", i, r[0].node, r[len(r)-1].node)
		}
		for k := range r[1:] {
			if r[k+1].layer != r[k].layer+1 {
				t.Errorf("edge %d goes from layer %d to %d", i, r[k].layer, r[k+1].layer)
			}
		}
	}
	seen := 0
	for k, l := range layers {
		for i, s := range l {
			if s.layer != k {
				t.Errorf("a spot of layer %d lies on layer %d", s.layer, k)
			}
			if s.node >= 0 {
				seen++
			}
			if s.x < s.width()/2-1e-6 {
				t.Errorf("layer %d: a spot at %v ends left of 0", k, s.x)
			}
			if i > 0 && s.x-l[i-1].x < (s.width()+l[i-1].width())/2+sideGap-1e-6 {
				t.Errorf("layer %d: spots at %v and %v are too near", k, l[i-1].x, s.x)
			}
		}
	}
	if seen != len(d.Nodes) {
		t.Errorf("%d of %d nodes are placed", seen, len(d.Nodes))
	}
	if late := routes[4]; late[0].layer != late[1].layer-1 || len(late) != 2 {
		t.Error("a source does not stand above its reader")
	}
}

// spread gives the least squares: two that want one place share it.
func TestSpread(t *testing.T) {
	l := []*spot{{node: -1}, {node: -1}, {node: -1}}
	want := map[*spot]float64{l[0]: 10, l[1]: 10, l[2]: 500}
	spread(l, func(s *spot) float64 { return want[s] })
	if l[0].x != -10 || l[1].x != 30 || l[2].x != 500 {
		t.Errorf("places %v %v %v, want -10 30 500", l[0].x, l[1].x, l[2].x)
	}
}

func TestDiagramEscapes(t *testing.T) {
	d := sketch()
	d.Nodes[0].Label, d.Nodes[0].Hint = `<script>`, `"&<b>`
	if s := d.SVG(); strings.Contains(s, "<script") || strings.Contains(s, "<b>") {
		t.Error("a label is not escaped")
	}
}
