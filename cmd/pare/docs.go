package main

import (
	"fmt"
	"os"
	"pare/catalog"
	"pare/model/all"
	"pare/reproduce"
	"path/filepath"
	"strings"

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
	for _, method := range all.List() {
		m := method.Card()
		id := m.ID
		if id == "" {
			id = "baseline"
		}
		fmt.Fprintf(&b, "## %s (%s)\n\n**%s.** %s\n\n%s\nCuts %s. Needs %s.\n\n| setting | default | meaning |\n|---|---|---|\n", m.Name, id, m.Title, m.Paper, m.Doc, m.Cuts, m.Needs)
		for _, s := range catalog.Settings(method) {
			fmt.Fprintf(&b, "| `--%s` | %s | %s |\n", s.Name, s.Default, s.Doc)
		}
		if e := reproduce.Find(m.Name); e != nil {
			fmt.Fprintf(&b, "\nReproduction (`pare reproduce %s`): %s It holds where\n\n", m.ID, e.About)
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
			fmt.Fprintf(&b, "## %s\n\n%s.\n\n", strings.TrimSuffix(c.UseLine(), " [flags]"), c.Short)
			if c.Example != "" {
				fmt.Fprintf(&b, "```\n%s\n```\n\n", c.Example)
			}
			rows := 0
			c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
				if f.Name == "help" || strings.HasPrefix(strings.Join(f.Annotations[section], ""), settingsOf("")) {
					return // settings of methods stand on the page of methods
				}
				if rows++; rows == 1 {
					b.WriteString("| flag | default | meaning |\n|---|---|---|\n")
				}
				fmt.Fprintf(&b, "| `--%s` | %s | %s |\n", f.Name, f.DefValue, strings.ReplaceAll(f.Usage, "|", "\\|"))
			})
			if rows > 0 {
				b.WriteString("\n")
			}
		}
		for _, s := range c.Commands() {
			walk(s)
		}
	}
	walk(root)
	return b.String()
}
