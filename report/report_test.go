package report

import (
	"bytes"
	"encoding/xml"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestCells(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Percent(.9173).Text, "91.73 %"}, {Percent(math.NaN()).Text, "–"}, {Count(1234567).Text, "1,234,567"}, {Count(999).Text, "999"},
		{Bytes(1096205).Text, "1.1 MB"}, {Bytes(12).Text, "12 B"}, {Scaled(40551040).Text, "40.6 M"}, {Millis(.00321).Text, "3.21 ms"},
		{Ratio(.614, .021).Text, "0.61× ± 0.02"}, {Number(.12345678).Text, "0.1235"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestTicks(t *testing.T) {
	if got := ticks(0, 1, 5); !slices.Equal(got, []float64{0, .2, .4, .6000000000000001, .8, 1}) {
		t.Errorf("%v", got)
	}
	if got := logTicks(1, 100); !slices.Equal(got, []float64{1, 2, 5, 10, 20, 50, 100}) {
		t.Errorf("%v", got)
	}
	if got := ticks(3, 3, 5); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// A page with hostile names is well formed in its plots and loads nothing.
func TestPage(t *testing.T) {
	evil := `<script>alert(1)</script>"&`
	r := &Report{Title: evil, Subtitle: evil, Verdict: []string{evil}, Facts: []Fact{{evil, evil, false}, {evil, evil, true}}}
	r.Add(Section{Heading: evil, Text: evil + "\n\nmore", Table: &Table{Columns: []string{evil, "n"}, Rows: [][]Cell{{Text(evil), Count(3)}}},
		Plots: []*Plot{
			{Title: evil, X: Axis{Name: evil, Log: true}, Y: Axis{Name: "y"}, Series: []Series{
				{Name: evil, Line: true, Points: []Point{{X: 1, Y: 2, Label: evil, OffX: .5, OffY: 1}, {X: 0, Y: 1}, {X: math.NaN(), Y: 1}, {X: 10, Y: math.Inf(1)}, {X: 100, Y: 3, OffX: 200, OffY: math.NaN()}}}, {Name: "b", Dashed: true}}},
			{Title: "bars", Bars: []Bar{{evil, .5, "50 %"}, {strings.Repeat("long", 20), 2, ""}, {"nan", math.NaN(), ""}}},
			{Title: "none"},
		}})
	r.Add(Section{Heading: evil, Note: evil, Diagram: &Diagram{Nodes: []DiagramNode{{Label: evil + ".b", Detail: evil, Hint: evil, Group: -1, Fill: -1}, {Label: `"><img.on>.c`, Group: -1, Fill: -1}},
		Groups: []DiagramGroup{{evil, evil}}}})
	var b bytes.Buffer
	if err := r.HTML(&b); err != nil {
		t.Fatal(err)
	}
	s := b.String()
	for _, no := range []string{"<script>alert", "http://", "https://", "src=", "NaN", "Inf", "<img", "url(", "@import"} {
		if strings.Contains(s, no) {
			t.Errorf("the page has %q", no)
		}
	}
	for _, p := range r.Sections[0].Plots[:2] {
		d := xml.NewDecoder(strings.NewReader("<x>" + p.SVG() + "</x>"))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, want := range []string{`<p class="verdict">&lt;script`, `data-label="&lt;script`, `<code>&lt;script`, `<option value="&#34;&gt;&lt;img">`} {
		if !strings.Contains(s, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Index(s, `class="verdict"`) > strings.Index(s, "<h2") {
		t.Error("the verdict does not come first")
	}
	b.Reset()
	r.Print(&b, 80)
	if !strings.Contains(b.String(), "3") {
		t.Error("print")
	}
}

// Names of near points do not lie on each other, nor outside the frame.
func TestLabels(t *testing.T) {
	frame := box{70, 0, 480, 250}
	tags := []tag{{450, 20, "dense"}, {440, 24, "half-channels"}, {430, 240, "sparse-90"}, {80, 245, "sparse-95"}, {84, 240, "another"}}
	var b strings.Builder
	place(&b, tags, frame)
	var put []box
	for _, f := range regexp.MustCompile(`x="([^"]*)" y="([^"]*)" text-anchor="(.)[^"]*">([^<]*)`).FindAllStringSubmatch(b.String(), -1) {
		x, _ := strconv.ParseFloat(f[1], 64)
		y, _ := strconv.ParseFloat(f[2], 64)
		w := letter * float64(len(f[4]))
		x -= map[string]float64{"s": 0, "m": w / 2, "e": w}[f[3]]
		at := box{x, y - line, x + w, y + 3}
		for _, o := range put {
			if at.meets(o) {
				t.Errorf("%s lies on another name", f[4])
			}
		}
		if put = append(put, at); !frame.holds(at) {
			t.Errorf("%s leaves the frame: %v", f[4], at)
		}
	}
	if len(put) != len(tags) {
		t.Errorf("%d of %d names are there", len(put), len(tags))
	}
}

// A gallery holds its images within the page, and lets no name through.
func TestGallery(t *testing.T) {
	evil := `"><script>alert(1)</script>`
	r := &Report{Title: "x"}
	r.Add(Section{Gallery: [][]Picture{{{PNG: []byte("\x89PNG"), Caption: evil}, {Text: evil, Caption: "b"}}}})
	var b bytes.Buffer
	if err := r.HTML(&b); err != nil {
		t.Fatal(err)
	}
	s := b.String()
	if !strings.Contains(s, `src="data:image/png;base64,iVBORw=="`) || strings.Contains(s, "<script>alert") || strings.Count(s, "&lt;script&gt;") != 3 {
		t.Errorf("the gallery is\n%s", s[strings.Index(s, "<section>"):])
	}
}
