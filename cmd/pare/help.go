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

// headings of a command's flags, in the order of the alphabet; "" is for those
// without, which come first.
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

// inSections shows a command's flags in sections.
func inSections(cmd *cobra.Command) {
	cmd.SetUsageFunc(func(cmd *cobra.Command) error {
		w := cmd.OutOrStderr()
		fmt.Fprintf(w, "Usage:\n  %s\n\nExamples:\n%s\n", cmd.UseLine(), cmd.Example)
		for _, h := range headings(cmd) {
			set := pflag.NewFlagSet("", pflag.ContinueOnError)
			cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
				if strings.Join(f.Annotations[section], "") == h && !f.Hidden {
					set.AddFlag(f)
				}
			})
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
