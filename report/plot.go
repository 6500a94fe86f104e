package report

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Plot is a chart: points and lines over two axes, or bars by label.
type Plot struct {
	Title  string
	X, Y   Axis
	Series []Series
	Bars   []Bar
	Note   string
}

// Axis is named and may be logarithmic; Format writes a value.
type Axis struct {
	Name   string
	Log    bool
	Zero   bool    // starts at 0
	Span   float64 // least range that is shown
	Format func(v float64) string
}

// Series is a line or a set of points.
type Series struct {
	Name   string
	Points []Point
	Line   bool // joined
	Dashed bool // a reference, such as an ideal or a front
}

// Point is a value with an optional label, and how far it may be off in either
// direction, where that is known.
type Point struct {
	X     float64
	Y     float64
	Label string
	OffX  float64
	OffY  float64
}

// Bar is one row of a bar chart; Value is in [0,1].
type Bar struct {
	Label string
	Value float64
	Text  string
}

// Share writes 0.5 as "50 %".
func Share(v float64) string { return fmt.Sprintf("%.4g %%", 100*v) }

// Plain writes a number briefly, with a unit prefix where it is large.
func Plain(v float64) string { return strings.TrimSuffix(Scaled(v).Text, " ") }

// ticks chooses about n round numbers within [lo, hi].
func ticks(lo, hi float64, n int) []float64 {
	if !(hi > lo) {
		return []float64{lo}
	}
	raw := (hi - lo) / float64(n)
	mag := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * mag
	for _, m := range []float64{1, 2, 2.5, 5} {
		if m*mag >= raw {
			step = m * mag
			break
		}
	}
	var out []float64
	for k := math.Ceil(lo/step - 1e-9); k*step <= hi+1e-9*step; k++ {
		out = append(out, k*step+0) // no -0
	}
	return out
}

// logTicks chooses 1, 2, 5 times powers of ten within [lo, hi].
func logTicks(lo, hi float64) []float64 {
	var out []float64
	for e := math.Floor(math.Log10(lo)); e <= math.Ceil(math.Log10(hi)); e++ {
		for _, m := range []float64{1, 2, 5} {
			if v := m * math.Pow(10, e); v >= lo*.999 && v <= hi*1.001 {
				out = append(out, v)
			}
		}
	}
	return out
}

// scale maps data to pixels.
type scale struct {
	lo, hi, a, b float64
	log          bool
}

func (s scale) at(v float64) float64 {
	if s.log {
		return s.a + (s.b-s.a)*(math.Log(v)-math.Log(s.lo))/(math.Log(s.hi)-math.Log(s.lo))
	}
	return s.a + (s.b-s.a)*(v-s.lo)/(s.hi-s.lo)
}

// around is where v-off and v+off lie; false where there is nothing to draw.
func (s scale) around(v, off float64) (from, to float64, ok bool) {
	if !(off > 0) || bad(off) || s.log && v-off <= 0 {
		return 0, 0, false
	}
	return s.at(v - off), s.at(v + off), true
}

func (ax Axis) scale(vs []float64, a, b float64) (scale, []float64) {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range vs {
		lo, hi = math.Min(lo, v), math.Max(hi, v)
	}
	if ax.Log {
		f := math.Max(1.15, math.Pow(hi/lo, .08))
		lo, hi = lo/f, hi*f
		return scale{lo, hi, a, b, true}, logTicks(lo, hi)
	}
	if ax.Zero {
		lo = math.Min(0, lo)
	}
	if d := ax.Span - (hi - lo); d > 0 {
		lo, hi = lo-d/2, hi+d/2
	}
	pad := (hi - lo) * .07
	if pad == 0 {
		pad = math.Max(math.Abs(hi)*.05, 1e-9)
	}
	if !ax.Zero {
		lo -= pad
	}
	hi += pad
	return scale{lo, hi, a, b, false}, ticks(lo, hi, 5)
}

// usable drops points that cannot be drawn.
func (p *Plot) usable() (xs, ys []float64, series []Series) {
	for _, s := range p.Series {
		q := s
		q.Points = nil
		for _, pt := range s.Points {
			if bad(pt.X) || bad(pt.Y) || p.X.Log && pt.X <= 0 || p.Y.Log && pt.Y <= 0 {
				continue
			}
			q.Points = append(q.Points, pt)
			xs, ys = append(xs, pt.X), append(ys, pt.Y)
			if pt.OffX > 0 && !bad(pt.OffX) && !(p.X.Log && pt.X <= pt.OffX) {
				xs = append(xs, pt.X-pt.OffX, pt.X+pt.OffX)
			}
			if pt.OffY > 0 && !bad(pt.OffY) && !(p.Y.Log && pt.Y <= pt.OffY) {
				ys = append(ys, pt.Y-pt.OffY, pt.Y+pt.OffY)
			}
		}
		series = append(series, q)
	}
	return
}

func bad(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }

// Size of a drawing, without its legend.
const plotWidth, plotHeight = 480.0, 300.0

// SVG draws the plot. Colours come from the page's style (classes c0, c1 …).
func (p *Plot) SVG() string {
	if len(p.Bars) > 0 {
		return p.bars()
	}
	xs, ys, series := p.usable()
	if len(xs) == 0 {
		return `<p class="empty">nothing to plot</p>`
	}
	return fmt.Sprintf(`<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, plotWidth, plotHeight, html.EscapeString(p.Title)) +
		p.draw(xs, ys, series) + "</svg>" + legend(series)
}

// class names the colour of series i, and its way of drawing where there are
// more series than colours.
func (s *Series) class(i int) string {
	if s.Dashed {
		return "ref"
	}
	return fmt.Sprintf("c%d", i%6) + [...]string{"", " alt", " far"}[i/6%3]
}

// draw writes axes, lines, points and names.
func (p *Plot) draw(xs, ys []float64, series []Series) string {
	const w, h, left, right, top, bottom = plotWidth, plotHeight, 74.0, 20.0, 14.0, 50.0
	fx, fy := p.X.Format, p.Y.Format
	if fx == nil {
		fx = Plain
	}
	if fy == nil {
		fy = Plain
	}
	sx, tx := p.X.scale(xs, left, w-right)
	sy, ty := p.Y.scale(ys, h-bottom, top)
	var b strings.Builder
	for _, t := range ty {
		y := sy.at(t)
		fmt.Fprintf(&b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/><text class="tick" x="%g" y="%.1f" text-anchor="end">%s</text>`,
			left, w-right, y, y, left-8, y+4, html.EscapeString(fy(t)))
	}
	lastX := math.Inf(-1)
	for _, t := range tx {
		x := sx.at(t)
		if x-lastX < 46 {
			continue
		}
		lastX = x
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%g" y2="%g"/><text class="tick" x="%.1f" y="%g" text-anchor="middle">%s</text>`,
			x, x, top, h-bottom, x, h-bottom+18, html.EscapeString(fx(t)))
	}
	fmt.Fprintf(&b, `<text class="axis" x="%g" y="%g" text-anchor="middle">%s</text>`, (left+w-right)/2, h-8, html.EscapeString(p.X.Name))
	fmt.Fprintf(&b, `<text class="axis" transform="translate(13 %g) rotate(-90)" text-anchor="middle">%s</text>`, (top+h-bottom)/2, html.EscapeString(p.Y.Name))
	for i, s := range series { // beneath the points, so that every point can be pointed at
		drawLine(&b, &s, s.class(i), sx, sy)
	}
	var tags []tag
	for i, s := range series {
		class := s.class(i)
		if s.Dashed {
			continue
		}
		r := 4.5
		if s.Line && len(s.Points) > 24 {
			r = 2
		}
		for _, pt := range s.Points {
			tip := s.Name
			if pt.Label != "" {
				tip = pt.Label
			}
			x, y := sx.at(pt.X), sy.at(pt.Y)
			fmt.Fprintf(&b, `<circle class="%s" cx="%.1f" cy="%.1f" r="%g" tabindex="0"><title>%s: %s, %s</title></circle>`, class, x, y, r,
				html.EscapeString(tip), html.EscapeString(within(fx, pt.X, pt.OffX, p.X.Name)), html.EscapeString(within(fy, pt.Y, pt.OffY, p.Y.Name)))
			if pt.Label != "" {
				tags = append(tags, tag{x, y, pt.Label})
			}
		}
	}
	place(&b, tags, box{left - 4, 0, w, h - bottom})
	return b.String()
}

// within writes a value, how far it may be off, and what it is.
func within(format func(float64) string, v, off float64, name string) string {
	if off > 0 {
		return fmt.Sprintf("%s ± %s %s", format(v), format(off), name)
	}
	return format(v) + " " + name
}

// drawLine joins the points of a series, and draws how far each may be off.
func drawLine(b *strings.Builder, s *Series, class string, sx, sy scale) {
	if s.Line && len(s.Points) > 1 {
		var path []string
		for _, pt := range s.Points {
			path = append(path, fmt.Sprintf("%.1f,%.1f", sx.at(pt.X), sy.at(pt.Y)))
		}
		fmt.Fprintf(b, `<polyline class="%s" points="%s"/>`, class, strings.Join(path, " "))
	}
	for _, pt := range s.Points {
		x, y := sx.at(pt.X), sy.at(pt.Y)
		if l, r, ok := sx.around(pt.X, pt.OffX); ok {
			fmt.Fprintf(b, `<polyline class="off %s" points="%.1f,%.1f %.1f,%.1f"/>`, class, l, y, r, y)
		}
		if l, h, ok := sy.around(pt.Y, pt.OffY); ok {
			fmt.Fprintf(b, `<polyline class="off %s" points="%.1f,%.1f %.1f,%.1f"/>`, class, x, l, x, h)
		}
	}
}

// key is a line of a legend.
type key struct{ class, name string }

// keys names the lines where there are several; a reference of one point is not
// drawn.
func keys(series []Series) []key {
	var out []key
	for i, s := range series {
		if !s.Dashed || len(s.Points) > 1 {
			out = append(out, key{s.class(i), s.Name})
		}
	}
	if len(out) < 2 {
		return nil
	}
	return out
}

func legend(series []Series) string {
	ks := keys(series)
	if ks == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString(`<p class="legend">`)
	for _, k := range ks {
		fmt.Fprintf(&b, `<span><i class="%s"></i>%s</span> `, k.class, html.EscapeString(k.name))
	}
	b.WriteString(`</p>`)
	return b.String()
}
