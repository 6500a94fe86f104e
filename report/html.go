package report

import (
	_ "embed" // the page
	"fmt"
	"html/template"
	"io"
	"regexp"
	"strings"
)

//go:embed page.html
var pageSource string

// units are what must not be torn from its number at the end of a line.
var units = regexp.MustCompile(`(\d) (%|[kMGT]?B\b|ms\b)`)

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"svg":   func(p *Plot) template.HTML { return template.HTML(p.SVG()) }, // SVG escapes all it is given
	"drawn": func(d *Diagram) template.HTML { return template.HTML(d.SVG()) },
	"hue":   Hue,
	"paras": func(s string) []string { return strings.Split(strings.TrimSpace(s), "\n\n") },
	"tie":   func(s string) string { return units.ReplaceAllString(s, "$1\u00a0$2") },
	"long":  func(s string) bool { return len(s) > 40 },
	"num":   func(c Cell) string { return fmt.Sprintf("%g", c.Value) },
}).Parse(pageSource))

// HTML writes one page that needs nothing else: no network, no other file.
func (r *Report) HTML(w io.Writer) error { return page.Execute(w, r) }
