package report

import (
	"fmt"
	"html"
	"strings"
)

// tag is the name of a point at (x, y).
type tag struct {
	x, y float64
	text string
}

// box is a rectangle: left, top, right, bottom.
type box struct{ x0, y0, x1, y1 float64 }

func (a box) meets(b box) bool { return a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1 }

func (a box) holds(b box) bool { return a.x0 <= b.x0 && a.y0 <= b.y0 && b.x1 <= a.x1 && b.y1 <= a.y1 }

// Width of a letter and height of a line of labels, as the page's style has them.
const letter, line = 7.2, 13.0

// place writes each name next to its point, where it neither leaves the frame nor
// lies on another name or point if there is such a place.
func place(b *strings.Builder, tags []tag, frame box) {
	var points, names []box
	for _, t := range tags {
		points = append(points, box{t.x - 5, t.y - 5, t.x + 5, t.y + 5})
	}
	for _, t := range tags {
		w := letter * float64(len([]rune(t.text)))
		type spot struct {
			anchor string
			x, y   float64 // of the anchor, on the baseline
			at     box
		}
		var best spot
		least := -1
		for _, dy := range []float64{-6, 15, 4, -20, 29, -34, 43} {
			for _, anchor := range []string{"start", "end", "middle"} {
				x, l := t.x+9, t.x+9
				switch anchor {
				case "end":
					x, l = t.x-9, t.x-9-w
				case "middle":
					x, l = t.x, t.x-w/2
				}
				s := spot{anchor, x, t.y + dy, box{l, t.y + dy - line, l + w, t.y + dy + 3}}
				bad := 0
				if !frame.holds(s.at) {
					bad += 4
				}
				for _, o := range names {
					if s.at.meets(o) {
						bad += 3
					}
				}
				for _, o := range points {
					if s.at.meets(o) {
						bad += 2
					}
				}
				if least < 0 || bad < least {
					best, least = s, bad
				}
			}
		}
		names = append(names, best.at)
		fmt.Fprintf(b, `<text class="label" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, best.x, best.y, best.anchor, html.EscapeString(t.text))
	}
}
