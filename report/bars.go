package report

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// bars writes horizontal bars, one in each row; they are text, so that many rows
// stay readable on a small screen.
func (p *Plot) bars() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<div class="bars" role="img" aria-label="%s">`, html.EscapeString(p.Title))
	for _, x := range p.Bars {
		v := x.Value
		if bad(v) {
			v = 0
		}
		v = math.Max(0, math.Min(1, v))
		name := html.EscapeString(x.Label)
		fmt.Fprintf(&b, `<div title="%s: %s"><span class="name"><bdi>%s</bdi></span><span class="rail"><i style="width:%.1f%%"></i></span><span class="value">%s</span></div>`,
			name, html.EscapeString(x.Text), name, 100*v, html.EscapeString(x.Text))
	}
	b.WriteString("</div>")
	return b.String()
}
