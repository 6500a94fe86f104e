package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"pare/catalog"
	"pare/model"
	"pare/model/all"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// settingFlag makes a setting a flag.
type settingFlag struct{ *catalog.Setting }

// Type names the value in help texts.
func (f settingFlag) Type() string { return f.Kind }

// settingFlags makes the settings of a struct flags of a command, under a heading.
func settingFlags(cmd *cobra.Command, p any, heading string) {
	for _, s := range catalog.Settings(p) {
		f := cmd.Flags().VarPF(settingFlag{s}, s.Name, "", s.Doc)
		if s.Kind == "bool" {
			f.NoOptDefVal = "true"
		}
		if s.Choices != nil {
			cmd.RegisterFlagCompletionFunc(s.Name, words(false, s.Choices...)) //nolint:errcheck // the flag is there
		}
		under(f, heading)
	}
}

// defaultMethod is that of pare model prune.
const defaultMethod = "global-mp"

// named gives the method that --method names on the command line, before flags are
// parsed: its settings are flags of the command, and those of no other method.
func (c *cli) named() (model.Method, error) {
	text := defaultMethod
	for i, a := range c.args {
		if a == "--" {
			break
		}
		if x, ok := strings.CutPrefix(a, "--method="); ok {
			text = x
		} else if a == "--method" && i+1 < len(c.args) {
			text = c.args[i+1]
		}
	}
	m, _, err := all.Parse(text)
	return m, err
}

// flagOf calls a field of settings by its flag.
func (c *cli) flagOf(field string) string {
	if name, ok := strings.CutPrefix(field, "Recipe."); ok {
		return flagIn(&model.Recipe{}, name, field)
	}
	if field == "Data" || field == "Seed" {
		return "--" + strings.ToLower(field)
	}
	if c.method != nil {
		return flagIn(c.method, field, field)
	}
	return field
}

// flagIn is the flag of a field of a struct, or a word in its place.
func flagIn(p any, field, otherwise string) string {
	for _, s := range catalog.Settings(p) {
		if s.Field == field {
			return "--" + s.Name
		}
	}
	return otherwise
}

// flagError says what is wrong with a flag: a value out of its range, or a setting
// that belongs to another method.
func (c *cli) flagError(cmd *cobra.Command, err error) error {
	var bad *catalog.Error
	if errors.As(err, &bad) {
		return usage("%s", bad.Text.With(c.flagOf))
	}
	name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !unknown || cmd.Flags().Lookup("method") == nil {
		return usage("%v\nSee: %s --help", err, cmd.CommandPath())
	}
	if c.method == nil { // the method's name is wrong: that comes first
		if _, err := c.named(); err != nil {
			return usageError{err}
		}
	}
	own := c.method.Card().Name
	var of, names []string
	for _, m := range all.List() {
		for _, s := range catalog.Settings(m) {
			if s.Name == name {
				of = append(of, m.Card().Name)
			}
		}
	}
	if of != nil {
		return usage("method %s has no setting --%s: it belongs to %s\nSee: %s --method %s --help", own, name, strings.Join(of, ", "), cmd.CommandPath(), own)
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	slices.Sort(names)
	text := fmt.Sprintf("there is no flag --%s", name)
	if near := catalog.Nearest(name, names); near != "" {
		text += fmt.Sprintf("; did you mean --%s?", near)
	}
	return usage("%s\nSee: %s --method %s --help", text, cmd.CommandPath(), own)
}
