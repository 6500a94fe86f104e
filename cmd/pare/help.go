package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// section is the annotation of a flag that stands under a heading of its own.
const section = "section"

// recipeFlags is the heading of the flags of a training recipe.
const recipeFlags = "training recipe"

// settingsOf is the heading of a method's settings.
func settingsOf(name string) string { return "settings of " + name }

// under puts a flag under a heading.
func under(f *pflag.Flag, heading string) {
	f.Annotations = map[string][]string{section: {heading}}
}

// headings are those of a command's flags, in alphabetical order; "", for flags
// without one, comes first.
func headings(cmd *cobra.Command) []string {
	out := []string{""}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if h := strings.Join(f.Annotations[section], ""); !slices.Contains(out, h) {
			out = append(out, h)
		}
	})
	slices.Sort(out)
	return out
}

// flagsUnder are a command's flags under a heading, without --help.
func flagsUnder(cmd *cobra.Command, heading string) *pflag.FlagSet {
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if strings.Join(f.Annotations[section], "") == heading && !f.Hidden && f.Name != "help" {
			set.AddFlag(f)
		}
	})
	return set
}

// inSections shows a command's flags in sections.
func inSections(cmd *cobra.Command) {
	cmd.SetUsageFunc(func(cmd *cobra.Command) error {
		w := cmd.OutOrStderr()
		fmt.Fprintf(w, "Usage:\n  %s\n\nExamples:\n%s\n", cmd.UseLine(), cmd.Example)
		for _, h := range headings(cmd) {
			set := flagsUnder(cmd, h)
			if !set.HasFlags() {
				continue
			}
			title := "Flags"
			if h != "" {
				title += ", " + h
			}
			fmt.Fprintf(w, "\n%s:\n%s", title, set.FlagUsages())
		}
		fmt.Fprintf(w, "\nGlobal Flags:\n%s", cmd.InheritedFlags().FlagUsages())
		return nil
	})
}
