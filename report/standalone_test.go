package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
)

// A plot's own file is well formed whatever its names, has a legend that stays
// within it, and the page's colours.
func TestStandalone(t *testing.T) {
	p := &Plot{Title: `<a> & "b"`, X: Axis{Name: "x", Log: true}, Y: Axis{Name: "y"}}
	for i := range 14 {
		p.Series = append(p.Series, Series{Name: fmt.Sprintf("<method %d>", i), Line: true, Points: []Point{{X: 1, Y: float64(i)}, {X: 10, Y: 20}}})
	}
	s, err := p.Standalone()
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(strings.NewReader(s)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"&lt;method 13&gt;", `class="c1 far"`, `class="c0 alt"`} {
		if !strings.Contains(s, want) {
			t.Errorf("the file lacks %q", want)
		}
	}
	for _, c := range regexp.MustCompile(`#[0-9a-f]{6}`).FindAllString(plotStyle, -1) {
		if !strings.Contains(pageSource, c) {
			t.Errorf("the page has no colour %s", c)
		}
	}
	for _, p := range []*Plot{{Title: "none"}, {Bars: []Bar{{"a", .5, ""}}}} {
		if _, err := p.Standalone(); err == nil {
			t.Errorf("%q was drawn", p.Title)
		}
	}
}

func TestMarkdown(t *testing.T) {
	p := &Plot{Title: "a plot"}
	r := &Report{Title: "T", Subtitle: "a command"}
	r.Add(Section{Heading: "H", Text: "words", Table: &Table{Columns: []string{"name", "n"}, Rows: [][]Cell{{Text("a|b"), Count(1234)}}}, Plots: []*Plot{p, {Title: "left out"}}})
	var b bytes.Buffer
	err := r.Markdown(&b, "", func(q *Plot) string {
		if q == p {
			return "a file.svg"
		}
		return ""
	})
	const want = "# T\n\n```\na command\n```\n\n## H\n\nwords\n\n| name | n |\n|---|---:|\n| a\\|b | 1,234 |\n\n![a plot](a%20file.svg)\n"
	if err != nil || b.String() != want {
		t.Errorf("%v: %q", err, b.String())
	}
}
