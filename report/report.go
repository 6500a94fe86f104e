// Package report turns results into tables for a terminal, and one
// self-contained HTML page with plots. It knows nothing of networks.
//
// A [Report] is a verdict and a list of sections; a [Section] has text, a [Table],
// plots and a [Diagram]. [Report.Print] writes the tables for a terminal, [Report.HTML] the
// page, [Report.Markdown] the text for a repository. Cells are made by how they
// are to be written: [Percent], [Count], [Bytes], [Ratio] and so on.
package report

import (
	"fmt"
	"math"
	"strings"
)

// Report is a page: what came of it in words, sections of text, tables and plots,
// and how it was made.
type Report struct {
	Title    string
	Subtitle string
	Verdict  []string // sentences to read first
	Sections []Section
	Facts    []Fact // how it was made
}

// Fact is a line of the box that says how a report was made.
type Fact struct {
	Name string
	Text string
	Code bool // to be copied as it is: a command, a digest
}

// Section holds blocks under a heading. What is nil is left out.
type Section struct {
	Heading string
	Text    string // paragraphs, separated by empty lines
	Table   *Table
	Note    string // paragraphs below the table, that say how to read it
	Plots   []*Plot

	Diagram *Diagram
	Gallery [][]Picture // samples, those together that belong together; of the page alone
}

// Add appends a section.
func (r *Report) Add(s Section) { r.Sections = append(r.Sections, s) }

// Table has typed cells.
type Table struct {
	Columns []string
	Rows    [][]Cell
}

// Cell is a text, or a number with the way to write it.
type Cell struct {
	Text  string
	Value float64 // to sort by, and for machines
	IsNum bool
}

// Text is a cell of words.
func Text(s string) Cell { return Cell{Text: s} }

// Missing is an empty cell.
func Missing() Cell { return Cell{Text: "–"} }

func num(v float64, s string) Cell {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return Missing()
	}
	return Cell{s, v, true}
}

// Percent writes a share as "91.73 %".
func Percent(v float64) Cell { return num(v, fmt.Sprintf("%.2f %%", 100*v)) }

// Count writes a number with thousands apart: "269,722".
func Count(n int64) Cell { return num(float64(n), group(n)) }

func group(n int64) string {
	s := fmt.Sprint(n)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// Scaled writes a large number as "40.6 M".
func Scaled(v float64) Cell {
	for _, u := range []struct {
		f float64
		s string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= u.f {
			return num(v, fmt.Sprintf("%.3g %s", v/u.f, u.s))
		}
	}
	return num(v, fmt.Sprintf("%.3g", v))
}

// Bytes writes a size as "1.05 MB" (powers of ten, as disks count).
func Bytes(n int64) Cell {
	c := Scaled(float64(n))
	if !strings.Contains(c.Text, " ") {
		c.Text += " "
	}
	c.Text += "B"
	return c
}

// Millis writes seconds as "3.21 ms".
func Millis(s float64) Cell { return num(s, fmt.Sprintf("%.3g ms", 1000*s)) }

// Ratio writes a ratio with its spread: "0.61× ± 0.02".
func Ratio(v, spread float64) Cell {
	if spread > 0 {
		return num(v, fmt.Sprintf("%.2f× ± %.2f", v, spread))
	}
	return num(v, fmt.Sprintf("%.2f×", v))
}

// Number writes a number with four digits.
func Number(v float64) Cell { return num(v, fmt.Sprintf("%.4g", v)) }

// Numeric says whether a column holds numbers.
func (t *Table) Numeric(i int) bool {
	for _, r := range t.Rows {
		if i < len(r) && r[i].IsNum {
			return true
		}
	}
	return false
}

// Column is the name of a column, "" where there is none.
func (t *Table) Column(i int) string {
	if i >= len(t.Columns) {
		return ""
	}
	return t.Columns[i]
}
