package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"pare/catalog"
	dataall "pare/data/all"
	"pare/dataset"
	"pare/evidence"
	"pare/model/all"
	"pare/reproduce"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

//go:generate go run . docs ../../docs

// docs writes the pages that are generated from the program itself.
func (c *cli) docs() *cobra.Command {
	return &cobra.Command{Use: "docs DIR", Hidden: true, Short: "Write the generated pages of the documentation", Args: args("DIR"),
		RunE: func(cmd *cobra.Command, a []string) error {
			for name, text := range map[string]string{"methods.md": methodsPage(), "commands.md": commandsPage(cmd.Root()), "operators.md": operatorsPage()} {
				if err := os.MkdirAll(a[0], 0o755); err != nil {
					return err
				}
				if err := renameio.WriteFile(filepath.Join(a[0], name), []byte(text), 0o644); err != nil {
					return err
				}
			}
			return nil
		}}
}

const generated = "<!-- Written by `go generate ./cmd/pare`; edit the program instead. -->\n\n"

func methodsPage() string {
	var b strings.Builder
	b.WriteString("# Methods\n\n" + generated)
	b.WriteString("Settings are flags of `pare model prune --method NAME`, and `NAME:SETTING=VALUE` in `pare model compare`.\n\n")
	taxonomy(&b)
	for _, m := range all.List() {
		methodSection(&b, m)
	}
	b.WriteString("# Methods of training sets\n\nSettings are flags of `pare data prune --method NAME` or, of methods that score samples, `pare data score --method NAME`.\n\n")
	for _, m := range dataall.List() {
		methodSection(&b, m)
	}
	return b.String()
}

// methodSection writes what a method is, its settings, and what its experiment claims.
func methodSection(b *strings.Builder, m described) {
	k := m.Card()
	fmt.Fprintf(b, "## %s (%s)\n\n**%s.** %s\n\n%s\nCuts %s. Needs %s.", k.Name, cmp.Or(k.ID, "baseline"), k.Title, k.Paper, k.Doc, k.Cuts, k.Needs)
	if k.Noun == "model" {
		fmt.Fprintf(b, " %s.", place(k))
	}
	b.WriteString("\n\n")
	if settings := catalog.Settings(m); len(settings) > 0 {
		b.WriteString("| setting | default | allowed | meaning |\n|---|---|---|---|\n")
		for _, s := range settings {
			row(b, "`--"+s.Name+"`", s.Default, s.Allowed(), s.Doc)
		}
	}
	if e := experiment(k); e != nil {
		fmt.Fprintf(b, "\nReproduction (`pare reproduce %s`): %s It holds where\n\n", k.ID, e.About)
		for _, cl := range e.Claims {
			fmt.Fprintf(b, "- %s\n", cl.Text)
		}
	}
	b.WriteString("\n")
}

// experiment is that of a method, or of the paper that it comes from; nil: there is none.
func experiment(k *catalog.Card) *evidence.Experiment {
	if e := reproduce.Find(k.Name); e != nil || k.ID == "" {
		return e
	}
	return reproduce.Find(k.ID)
}

// taxonomy writes the axes, what their values mean, and the place of every method.
func taxonomy(b *strings.Builder) {
	b.WriteString("## Taxonomy\n\nThe axes are those of Cheng, Zhang, Shi: A Survey on Deep Neural Network Pruning: Taxonomy, Comparison, Analysis, and Recommendations " +
		"(2023), arXiv 2308.06767, read in its abstract; the values are the field's own words. `pare methods` filters by them, as in `pare methods --when before --how gradient`. " +
		"A method has all values that its settings can give it; how a sparsity is shared out between layers is not among them.\n\n| axis | value | meaning |\n|---|---|---|\n")
	for _, x := range catalog.Taxonomy {
		for _, p := range x.Parts {
			name := x.Name
			if p.Name != "" {
				name += ", " + p.Name
			}
			for _, v := range p.Values {
				row(b, name, v.Name, v.Doc)
			}
		}
	}
	b.WriteString("\n| method |")
	for _, x := range catalog.Taxonomy {
		fmt.Fprintf(b, " %s |", x.Name)
	}
	b.WriteString("\n|" + strings.Repeat("---|", 1+len(catalog.Taxonomy)) + "\n")
	for _, m := range all.List() {
		cells := []string{fmt.Sprintf("[%s](#%s-%s)", m.Card().Name, m.Card().Name, cmp.Or(m.Card().ID, "baseline"))}
		for i := range catalog.Taxonomy {
			cells = append(cells, strings.Join(catalog.Taxonomy[i].Of(m.Card()).All(), ", "))
		}
		row(b, cells...)
	}
	b.WriteString("\n")
}

// place writes a method's values on all axes.
func place(k *catalog.Card) string {
	var out []string
	for i := range catalog.Taxonomy {
		x := &catalog.Taxonomy[i]
		out = append(out, x.Name+": "+strings.Join(x.Of(k).All(), ", "))
	}
	s := strings.Join(out, "; ")
	return strings.ToUpper(s[:1]) + s[1:]
}

func commandsPage(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# Commands\n\n" + generated)
	b.WriteString("Every command takes `--json` and `--threads`. Exit status: 0 done, 1 failed, 2 wrong use.\n\n")
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			return
		}
		if c.Runnable() && !c.HasSubCommands() {
			commandSection(&b, c)
		}
		for _, s := range c.Commands() {
			walk(s)
		}
	}
	walk(root)
	b.WriteString("## Data\n\n```\n" + strings.TrimSpace(dataset.Help) + "\n```\n")
	return b.String()
}

// commandSection writes what a command does, and its flags by heading.
func commandSection(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "## %s\n\n", strings.TrimSuffix(c.UseLine(), " [flags]"))
	if c.Long != "" {
		fmt.Fprintf(b, "%s\n\n", c.Long)
	} else {
		fmt.Fprintf(b, "%s.\n\n", c.Short)
	}
	if x := strings.TrimRight(strings.TrimSuffix(c.Example, dataset.Help), "\n"); x != "" {
		fmt.Fprintf(b, "```\n%s\n```\n\n", x)
	}
	for _, h := range headings(c) {
		if strings.HasPrefix(h, settingsOf("")) {
			b.WriteString("Settings of the methods: [methods.md](methods.md).\n\n")
			continue
		}
		if set := flagsUnder(c, h); set.HasFlags() {
			fmt.Fprintf(b, "| %s | default | meaning |\n|---|---|---|\n", cmp.Or(h, "flag"))
			set.VisitAll(func(f *pflag.Flag) { row(b, "`--"+f.Name+"`", f.DefValue, f.Usage) })
			b.WriteString("\n")
		}
	}
}

// row writes a row of a table.
func row(b *strings.Builder, cells ...string) {
	for _, c := range cells {
		fmt.Fprintf(b, "| %s ", strings.ReplaceAll(c, "|", "\\|"))
	}
	b.WriteString("|\n")
}
