package report

import (
	"cmp"
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"
)

// Diagram is a drawing of nodes that lead to others, from above to below.
type Diagram struct {
	Nodes  []DiagramNode
	Edges  []DiagramEdge // in the order of the nodes that they lead to
	Groups []DiagramGroup
	ID     int // tells several diagrams of one page apart
}

// DiagramNode is a box with two lines of text. Group is the group whose colour
// it has, or -1; Fill is a share to show as a bar, or negative for none.
type DiagramNode struct {
	Label  string
	Detail string
	Hint   string // shown on pointing at it
	Group  int
	Fill   float64
	Plain  bool // drawn without a box of its own
}

// DiagramEdge leads from a node to another; Group as for nodes.
type DiagramEdge struct {
	From  int
	To    int
	Group int
}

// DiagramGroup is an entry of the legend.
type DiagramGroup struct {
	Name string
	Text string
}

// Hue is the colour of a group on the colour circle, in degrees: neighbours
// are a golden angle apart.
func Hue(group int) int { return int(211+137.508*float64(group)) % 360 }

// SVG draws the diagram.
func (d *Diagram) SVG() string {
	layers, routes := d.layout()
	y := func(s *spot) float64 { return float64(s.layer)*(nodeHeight+layerGap) + nodeHeight/2 + 2 }
	right := 0.0
	for _, l := range layers {
		for _, s := range l {
			right = max(right, s.x+s.width()/2)
		}
	}
	var w strings.Builder
	height := float64(len(layers))*(nodeHeight+layerGap) - layerGap + 4
	fmt.Fprintf(&w, `<svg class="diagram" width="%.0f" height="%.0f" viewBox="-2 0 %.0f %.0f" role="img">`, right+4, height, right+4, height)
	for i, r := range routes {
		fmt.Fprintf(&w, `<path %s d="M%.1f %.1f`, paint("edge", d.Edges[i].Group), r[0].x, y(r[0])+nodeHeight/2)
		for k := 1; k < len(r); k++ {
			a, b := r[k-1], r[k]
			top, bottom := y(a)+nodeHeight/2, y(b)-nodeHeight/2
			mid := (top + bottom) / 2
			fmt.Fprintf(&w, ` C%.1f %.1f %.1f %.1f %.1f %.1f`, a.x, mid, b.x, mid, b.x, bottom)
			if b.node < 0 {
				fmt.Fprintf(&w, ` V%.1f`, bottom+nodeHeight)
			}
		}
		w.WriteString(`"/>`)
	}
	for _, l := range layers {
		for _, s := range l {
			if s.node >= 0 {
				d.Nodes[s.node].draw(&w, s.x-nodeWidth/2, y(s)-nodeHeight/2)
			}
		}
	}
	w.WriteString(`</svg>`)
	return w.String()
}

// Modules are the parts that the names of nodes tell, "layer1" and "layer1.0" of
// "layer1.0.conv1", sorted.
func (d *Diagram) Modules() []string {
	seen := map[string]bool{}
	for _, n := range d.Nodes {
		for _, name := range []string{n.Label, n.Detail} {
			if strings.ContainsAny(name, " []") {
				continue
			}
			for i, r := range name {
				if r == '.' && i > 0 {
					seen[name[:i]] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// paint is the class and colour of a part of a group.
func paint(class string, group int) string {
	if group < 0 {
		return fmt.Sprintf(`class="%s"`, class)
	}
	return fmt.Sprintf(`class="%s in" data-g="%d" style="--h:%d"`, class, group, Hue(group))
}

func (n *DiagramNode) draw(w *strings.Builder, x, y float64) {
	class := "node"
	if n.Plain {
		class = "node plain"
	}
	fmt.Fprintf(w, `<g %s transform="translate(%.1f %.1f)">`, paint(class, n.Group), x, y)
	fmt.Fprintf(w, `<title>%s</title>`, html.EscapeString(cmp.Or(n.Hint, n.Label))) // the search looks here too: labels are shortened
	fmt.Fprintf(w, `<rect class="box" width="%d" height="%d" rx="6"/><rect class="stripe" width="6" height="%d" rx="3"/>`, nodeWidth, nodeHeight, nodeHeight)
	fmt.Fprintf(w, `<text class="name" x="14" y="19">%s</text>`, html.EscapeString(cutMiddle(n.Label, 22)))
	fmt.Fprintf(w, `<text class="what" x="14" y="35">%s</text>`, html.EscapeString(cutMiddle(n.Detail, 30)))
	if n.Fill >= 0 {
		const room = nodeWidth - 20
		fmt.Fprintf(w, `<rect class="rail" x="14" y="40" width="%d" height="3"/><rect class="bar" x="14" y="40" width="%.1f" height="3"/>`, room, room*n.Fill)
	}
	w.WriteString(`</g>`)
}

// cutMiddle shortens a text to n characters; the end says more than the
// start.
func cutMiddle(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	h := (n - 1) / 3
	return string(r[:h]) + "…" + string(r[len(r)-(n-1-h):])
}
