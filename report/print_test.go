package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// A table that is wider than the terminal keeps every number, shortens names in the
// middle, breaks sentences between words and begins each part with the first column.
func TestPrintNarrow(t *testing.T) {
	name, why := "encoder/layers/11/attention/"+strings.Repeat("self/", 12)+"query", "there is no kernel for an operator that changes the rank of what it reads"
	tab := &Table{Columns: []string{"layer", "time", "why"}}
	row := []Cell{Text(name), Millis(.0123), Text(why)}
	for i := range 9 {
		tab.Columns, row = append(tab.Columns, fmt.Sprint("number ", i)), append(row, Count(int64(1_000_000+i)))
	}
	tab.Rows = [][]Cell{row}
	for _, width := range []int{40, 80, 120} {
		var b bytes.Buffer
		tab.Print(&b, width)
		for l := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(l, "\n")); n > width {
				t.Errorf("%d columns: a line of %d: %s", width, n, l)
			}
		}
		s := strings.Join(strings.Fields(b.String()), " ")
		for i := range 9 {
			if want := Count(int64(1_000_000 + i)).Text; !strings.Contains(s, want) {
				t.Errorf("%d columns: no %s", width, want)
			}
		}
		if !strings.Contains(s, "query") || !strings.Contains(s, "…") || strings.Count(s, "query") < 2 {
			t.Errorf("%d columns: the name is not shortened in the middle in every part\n%s", width, b.String())
		}
	}
	var b bytes.Buffer
	tab.Print(&b, 0)
	if !strings.Contains(b.String(), name) || !strings.Contains(b.String(), why) {
		t.Error("without a terminal something is shortened")
	}
}

// Points stand above all lines, and bars show how far they may be off.
func TestPointsOnTop(t *testing.T) {
	p := &Plot{Series: []Series{{Name: "a", Line: true, Points: []Point{{X: 1, Y: 1, OffX: .5, OffY: .25}, {X: 2, Y: 2}}}, {Name: "b", Line: true, Points: []Point{{X: 1, Y: 2}, {X: 2, Y: 1}}}}}
	s := p.SVG()
	if strings.LastIndex(s, "<polyline") > strings.Index(s, "<circle") {
		t.Error("a line lies on a point")
	}
	if strings.Count(s, `class="off c0"`) != 2 || !strings.Contains(s, "1 ± 0.5") || !strings.Contains(s, "1 ± 0.25") {
		t.Errorf("bars are missing:\n%s", s)
	}
	if !strings.Contains(pageSource, "polyline, .grid, .tick, .label, .axis { pointer-events: none; }") {
		t.Error("lines catch the pointer")
	}
}

// Text in Markdown stays text, and code stays code.
func TestMarkdownEscapes(t *testing.T) {
	if got := InProse("<b> *a* [x](y) `c`\n# h"); strings.ContainsAny(got, "\n<") || !strings.Contains(got, `\[x\]`) || !strings.Contains(got, "\\`c") {
		t.Errorf("%q", got)
	}
	for in, want := range map[string]string{"a": "`a`", "a`b": "``a`b``", "`": "`` ` ``", "x\ny": "`x y`"} {
		if got := Code(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
