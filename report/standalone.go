package report

import (
	"fmt"
	"html"
	"strings"
)

// The page's style as far as a plot needs it, for a file of its own: an image in
// a document has no page around it.
const plotStyle = `svg{--bg:#fbfaf7;--ink:#22252a;--soft:#6d7178;--line:#e3e0d8;--c0:#2b6cb0;--c1:#c05621;--c2:#2f855a;--c3:#6b46c1;--c4:#b7791f;--c5:#9b2c5e;` +
	`font-family:system-ui,"Segoe UI",Roboto,"Helvetica Neue","DejaVu Sans",sans-serif}` +
	`@media (prefers-color-scheme:dark){svg{--bg:#16181c;--ink:#e6e4df;--soft:#9aa0a8;--line:#2e323a;--c0:#63a4e8;--c1:#ee9b62;--c2:#68c08f;--c3:#b096f0;--c4:#e2b659;--c5:#e58bb4}}` +
	`.back{fill:var(--bg)}.grid{stroke:var(--line)}.tick{fill:var(--soft);font-size:11.5px}.axis{fill:var(--soft);font-size:12.5px}.label{fill:var(--ink);font-size:12px}.title{fill:var(--ink);font-size:14px;font-weight:600}` +
	`polyline{fill:none;stroke-width:2}circle{stroke:var(--bg);stroke-width:1.5}polyline.ref{stroke:var(--soft);stroke-width:1.3;stroke-dasharray:5 4}` +
	`polyline.alt{stroke-dasharray:2 4;stroke-linecap:round}circle.alt{fill-opacity:.35}polyline.far{stroke-dasharray:9 3}circle.far{fill-opacity:.7}` +
	`polyline.c0{stroke:var(--c0)}polyline.c1{stroke:var(--c1)}polyline.c2{stroke:var(--c2)}polyline.c3{stroke:var(--c3)}polyline.c4{stroke:var(--c4)}polyline.c5{stroke:var(--c5)}` +
	`circle.c0{fill:var(--c0)}circle.c1{fill:var(--c1)}circle.c2{fill:var(--c2)}circle.c3{fill:var(--c3)}circle.c4{fill:var(--c4)}circle.c5{fill:var(--c5)}`

// Standalone draws the plot with title, legend and style as an SVG file that
// needs nothing else. It returns an error for bars and where there is nothing to
// draw.
func (p *Plot) Standalone() (string, error) {
	xs, ys, series := p.usable()
	if len(p.Bars) > 0 || len(xs) == 0 {
		return "", fmt.Errorf("plot %q has no points to draw", p.Title)
	}
	const margin, head, row = 12.0, 34.0, 20.0
	var under strings.Builder
	x, y := 20.0, head+plotHeight+row
	for _, k := range keys(series) {
		w := 34 + letter*float64(len([]rune(k.name)))
		if x > 20 && x+w > plotWidth {
			x, y = 20, y+row
		}
		fmt.Fprintf(&under, `<polyline class="%s" points="%.1f,%.1f %.1f,%.1f"/><text class="label" x="%.1f" y="%.1f">%s</text>`,
			k.class, x, y-4, x+20, y-4, x+26, y, html.EscapeString(k.name))
		x += w + 6
	}
	height := y + margin
	if under.Len() == 0 {
		height = head + plotHeight + margin
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g" role="img" aria-label="%s"><style>%s</style>`+
		`<rect class="back" width="100%%" height="100%%" rx="8"/><text class="title" x="20" y="24">%s</text><g transform="translate(0 %g)">%s</g>%s</svg>`+"\n",
		plotWidth, height, 1.5*plotWidth, 1.5*height, html.EscapeString(p.Title), plotStyle, html.EscapeString(p.Title), head, p.draw(xs, ys, series), under.String()), nil
}
