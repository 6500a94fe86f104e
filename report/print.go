package report

import (
	"fmt"
	"io"
	"pare/internal/printable"
	"strings"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Print writes the verdict and the tables for a terminal; width is the terminal's,
// 0 for none.
func (r *Report) Print(w io.Writer, width int) {
	for _, v := range r.Verdict {
		v = printable.Line(v)
		if width > 0 {
			v = text.WrapSoft(v, width)
		}
		fmt.Fprintln(w, v)
	}
	for _, s := range r.Sections {
		if s.Table == nil {
			continue
		}
		if s.Heading != "" {
			h := printable.Line(s.Heading)
			if width > 0 {
				h = text.WrapSoft(h, width)
			}
			fmt.Fprintf(w, "\n%s\n", h)
		}
		s.Table.Print(w, width)
	}
}

// Print writes the table for a terminal. Where it is wider than the terminal, names
// are shortened in the middle, and columns that still find no room stand below, beside
// the first column again.
func (t *Table) Print(w io.Writer, width int) {
	for i, b := range t.blocks(width) {
		if i > 0 {
			fmt.Fprintln(w)
		}
		t.print(w, b)
	}
}

// block is columns that stand side by side, each with the most characters it may take.
type block struct{ columns, room []int }

// Least room of a name that is shortened, and of a text that is broken into lines.
const leastName, leastText = 16, 20

// blocks shares out the columns; 0 is a terminal without end.
func (t *Table) blocks(width int) []block {
	want, least := make([]int, len(t.Columns)), make([]int, len(t.Columns))
	all := 0
	for i, c := range t.Columns {
		head := utf8.RuneCountInString(c)
		want[i] = head
		for _, r := range t.Rows {
			if i < len(r) {
				want[i] = max(want[i], utf8.RuneCountInString(r[i].Text))
			}
		}
		switch {
		case t.Numeric(i):
			least[i] = want[i]
		case t.prose(i):
			least[i] = min(want[i], max(head, leastText))
		default:
			least[i] = min(want[i], max(head, leastName))
		}
		all += want[i] + 2
	}
	if width <= 0 || all <= width || len(t.Columns) == 0 {
		b := block{room: want}
		for i := range t.Columns {
			b.columns = append(b.columns, i)
		}
		return []block{b}
	}
	var out []block
	b, used := block{columns: []int{0}}, least[0]+2
	for i := 1; i < len(t.Columns); i++ {
		if used+least[i]+2 > width && len(b.columns) > 1 {
			out = append(out, b)
			b, used = block{columns: []int{0}}, least[0]+2
		}
		b.columns, used = append(b.columns, i), used+least[i]+2
	}
	out = append(out, b)
	for i := range out {
		out[i].share(want, least, width)
	}
	return out
}

// share gives the room that is left to the columns that want more, evenly.
func (b *block) share(want, least []int, width int) {
	left := width
	for _, i := range b.columns {
		b.room = append(b.room, least[i])
		left -= least[i] + 2
	}
	for gave := true; gave && left > 0; {
		gave = false
		for k, i := range b.columns {
			if left > 0 && b.room[k] < want[i] {
				b.room[k]++
				left--
				gave = true
			}
		}
	}
}

// prose says whether a column holds sentences or lists, which are broken between
// words and not shortened.
func (t *Table) prose(i int) bool {
	for _, r := range t.Rows {
		if i < len(r) && (strings.Count(r[i].Text, " ") > 2 && !r[i].IsNum || strings.Contains(r[i].Text, ", ")) {
			return true
		}
	}
	return false
}

func (t *Table) print(w io.Writer, b block) {
	p := table.NewWriter()
	p.SetOutputMirror(w)
	st := table.StyleLight
	st.Options = table.OptionsNoBordersAndSeparators
	st.Options.SeparateHeader = true
	st.Format.Header = text.FormatDefault
	p.SetStyle(st)
	var head table.Row
	var cfg []table.ColumnConfig
	for k, i := range b.columns {
		head = append(head, t.Columns[i])
		c := table.ColumnConfig{Number: k + 1, WidthMax: max(1, b.room[k]), WidthMaxEnforcer: cutMiddle}
		switch {
		case t.Numeric(i):
			c.Align, c.AlignHeader = text.AlignRight, text.AlignRight
		case t.prose(i):
			c.WidthMaxEnforcer = text.WrapSoft
		}
		cfg = append(cfg, c)
	}
	p.AppendHeader(head)
	p.SetColumnConfigs(cfg)
	for _, r := range t.Rows {
		var row table.Row
		for _, i := range b.columns {
			if i < len(r) {
				row = append(row, printable.Line(r[i].Text))
			} else {
				row = append(row, "")
			}
		}
		p.AppendRow(row)
	}
	p.Render()
}
