package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"pare/catalog"
	"pare/dataset"
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
	for _, m := range all.List() {
		k := m.Card()
		fmt.Fprintf(&b, "## %s (%s)\n\n**%s.** %s\n\n%s\nCuts %s. Needs %s.\n\n", k.Name, cmp.Or(k.ID, "baseline"), k.Title, k.Paper, k.Doc, k.Cuts, k.Needs)
		b.WriteString("| setting | default | allowed | meaning |\n|---|---|---|---|\n")
		for _, s := range catalog.Settings(m) {
			row(&b, "`--"+s.Name+"`", s.Default, s.Allowed(), s.Doc)
		}
		if e := reproduce.Find(k.Name); e != nil {
			fmt.Fprintf(&b, "\nReproduction (`pare reproduce %s`): %s It holds where\n\n", k.ID, e.About)
			for _, cl := range e.Claims {
				fmt.Fprintf(&b, "- %s\n", cl.Text)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
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
