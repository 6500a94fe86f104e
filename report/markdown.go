package report

import (
	"fmt"
	"io"
	"strings"
)

// Markdown writes title, text, tables and plots as a page of documentation.
// image gives the address of a plot's file, "" for one that is left out; below
// the title is head as it is.
func (r *Report) Markdown(w io.Writer, head string, image func(p *Plot) string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s", r.Title, head)
	if r.Subtitle != "" {
		fmt.Fprintf(&b, "```\n%s\n```\n\n", r.Subtitle)
	}
	for _, s := range r.Sections {
		if s.Heading != "" {
			fmt.Fprintf(&b, "## %s\n\n", s.Heading)
		}
		if s.Text != "" {
			fmt.Fprintf(&b, "%s\n\n", strings.TrimSpace(s.Text))
		}
		if s.Table != nil {
			s.Table.markdown(&b)
		}
		for _, p := range s.Plots {
			if at := image(p); at != "" {
				fmt.Fprintf(&b, "![%s](%s)\n\n", inCell(p.Title), strings.ReplaceAll(at, " ", "%20"))
				if p.Note != "" {
					fmt.Fprintf(&b, "%s\n\n", p.Note)
				}
			}
		}
	}
	_, err := io.WriteString(w, strings.TrimRight(b.String(), "\n")+"\n")
	return err
}

func (t *Table) markdown(b *strings.Builder) {
	rule := ""
	for i, c := range t.Columns {
		fmt.Fprintf(b, "| %s ", inCell(c))
		if t.Numeric(i) {
			rule += "|---:"
		} else {
			rule += "|---"
		}
	}
	fmt.Fprintf(b, "|\n%s|\n", rule)
	for _, r := range t.Rows {
		for _, c := range r {
			fmt.Fprintf(b, "| %s ", inCell(c.Text))
		}
		b.WriteString("|\n")
	}
	b.WriteString("\n")
}

// inCell keeps a text from ending its cell.
func inCell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", "[", `\[`, "]", `\]`).Replace(s)
}
