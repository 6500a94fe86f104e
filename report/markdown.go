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
	for _, v := range r.Verdict {
		fmt.Fprintf(&b, "%s\n\n", InProse(v))
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
		if s.Note != "" {
			fmt.Fprintf(&b, "%s\n\n", strings.TrimSpace(s.Note))
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
	if len(r.Facts) > 0 {
		b.WriteString("## How this was made\n\n" + FactsMarkdown(r.Facts))
	}
	_, err := io.WriteString(w, strings.TrimRight(b.String(), "\n")+"\n")
	return err
}

// Markdown writes the table alone, to be put into another page.
func (t *Table) Markdown() string {
	var b strings.Builder
	t.markdown(&b)
	return b.String()
}

// FactsMarkdown writes facts as a list.
func FactsMarkdown(fs []Fact) string {
	var b strings.Builder
	for _, f := range fs {
		text := InProse(f.Text)
		if f.Code {
			text = Code(f.Text)
		}
		fmt.Fprintf(&b, "- %s: %s\n", InProse(f.Name), text)
	}
	return b.String()
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

// InProse keeps a text from being anything but text in a paragraph of Markdown.
func InProse(s string) string {
	return strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "<", "&lt;", "[", `\[`, "]", `\]`, "\n", " ", "\r", " ", "#", `\#`, "|", `\|`).Replace(s)
}

// Code marks a text of one line as code in Markdown, with as many ticks as it needs.
func Code(s string) string {
	s = strings.NewReplacer("\n", " ", "\r", " ").Replace(s)
	ticks := "`"
	for strings.Contains(s, ticks) {
		ticks += "`"
	}
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") || s == "" {
		s = " " + s + " "
	}
	return ticks + s + ticks
}

// inCell keeps a text from ending its cell.
func inCell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", "[", `\[`, "]", `\]`).Replace(s)
}
