package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// section is the annotation of a flag that stands under a heading of its own.
const section = "section"

// headings of a command's flags, in order; "" is for the others.
var headings = []string{"", "training recipe", "settings of methods; those of one: pare methods NAME"}

const (
	recipeFlags = 1
	methodFlags = 2
)

func under(f *pflag.Flag, heading int) {
	f.Annotations = map[string][]string{section: {headings[heading]}}
}

// inSections shows a command's flags in sections.
func inSections(cmd *cobra.Command) {
	cmd.SetUsageFunc(func(cmd *cobra.Command) error {
		w := cmd.OutOrStderr()
		fmt.Fprintf(w, "Usage:\n  %s\n\nExamples:\n%s\n", cmd.UseLine(), cmd.Example)
		for _, h := range headings {
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
