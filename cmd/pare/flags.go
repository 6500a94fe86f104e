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

// settingFlag makes a setting a flag. A list may be given by several flags, as a
// spec gives it (see catalog.Spec).
type settingFlag struct {
	*catalog.Setting
	given bool
}

// Type names the value in help texts.
func (f *settingFlag) Type() string { return f.Kind }

// Set gives the setting a value.
func (f *settingFlag) Set(x string) error {
	if f.given && f.IsList() {
		x = f.String() + "," + x
	}
	f.given = true
	return f.Setting.Set(x)
}

// settingOf makes one setting of a struct a flag of a command.
func settingOf(cmd *cobra.Command, p any, name string) {
	for _, s := range catalog.Settings(p) {
		if s.Name == name {
			cmd.Flags().Var(&settingFlag{Setting: s}, s.Name, s.Usage())
		}
	}
}

// settingFlags makes the settings of a struct flags of a command, under a heading, but
// for those of which one of without is true.
func settingFlags(cmd *cobra.Command, p any, heading string, without ...func(name string) bool) {
	for _, s := range catalog.Settings(p) {
		if slices.ContainsFunc(without, func(not func(string) bool) bool { return not(s.Name) }) {
			continue
		}
		f := cmd.Flags().VarPF(&settingFlag{Setting: s}, s.Name, "", s.Usage())
		if s.Kind == "bool" {
			f.NoOptDefVal = "true"
		}
		if s.Choices != nil {
			cmd.RegisterFlagCompletionFunc(s.Name, words(false, append(slices.Clone(s.Choices), s.Also...)...)) //nolint:errcheck // the flag is there
		}
		under(f, heading)
	}
}

// defaultMethod is that of pare model prune.
const defaultMethod = "global-mp"

// choose reads the method that --method names on the command line, before flags are
// parsed: its settings are flags of the command, and those of no other method.
func (c *cli) choose() {
	text := defaultMethod
	if c.hosting {
		text = "fedtiny"
	} else if c.asks() == "" {
		text = c.methodNamed(text)
	}
	if c.method, c.spec, c.wrong = all.Parse(text); c.wrong != nil {
		c.wrong = usage("%s", catalog.Rename(c.wrong, c.flagOf))
	}
}

// given says whether a setting of the method is given, in --method or by a flag of
// its own; both at once is an error.
func (c *cli) given(cmd *cobra.Command, name string) (bool, error) {
	flag, spec := cmd.Flags().Changed(name), c.spec.Gives(c.method, name)
	if flag && spec {
		return true, usage("--%s is given twice: in --method and as a flag; leave one out", name)
	}
	return flag || spec, nil
}

// flagOf calls a field of settings by its flag.
func (c *cli) flagOf(field string) string {
	if name := c.dataFlagOf(field); name != "" {
		return name
	}
	if c.quantises != nil {
		if field == "MaxDrop" {
			return "--max-drop"
		}
		if name := catalog.NameOf(c.quantises, field); name != field {
			return "--" + name
		}
	}
	if name := model.SettingName(c.method, field); name != field {
		return "--" + name
	}
	return field
}

// flagError says what is wrong with a flag.
func (c *cli) flagError(cmd *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &value):
		return badValue(value)
	case c.wrong != nil: // the flags of a wrong method are unknown: its name comes first
		return c.wrong
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		return c.unknownFlag(cmd, unknown.GetSpecifiedName())
	}
	return usage("%v\nSee: %s", err, c.helpOf(cmd))
}

// badValue names the flag, its value and what is wanted.
func badValue(err *pflag.InvalidValueError) error {
	flag := "--" + err.GetFlag().Name
	var bad *catalog.Error
	if errors.As(err, &bad) {
		return usage("%s", bad.Text.With(func(string) string { return flag }))
	}
	want := map[string]string{"int": "a whole number", "uint64": "a whole number of at least 0", "uint": "a whole number of at least 0", "bool": "true or false"}[err.GetFlag().Value.Type()]
	if want == "" {
		return usage("%s %s: %v", flag, err.GetValue(), err.Unwrap())
	}
	return usage("%s %s: %s is needed", flag, err.GetValue(), want)
}

// unknownFlag says whose a flag is that the command does not have, or what it may
// have been meant to be.
func (c *cli) unknownFlag(cmd *cobra.Command, name string) error {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if c.choosing(cmd) {
		if of := methodsWith(name); of != nil {
			return usage("method %s has no setting --%s: it belongs to %s\nSee: %s", c.method.Card().Name, name, strings.Join(of, ", "), c.helpOf(cmd))
		}
	}
	text := fmt.Sprintf("there is no flag --%s", name)
	var begin []string
	for _, n := range names {
		if strings.HasPrefix(n, name) {
			begin = append(begin, "--"+n)
		}
	}
	if n := len(begin) - 1; n > 0 {
		text += fmt.Sprintf("; did you mean %s or %s?", strings.Join(begin[:n], ", "), begin[n])
	} else if near := catalog.Nearest(name, names); near != "" {
		text += fmt.Sprintf("; did you mean --%s?", near)
	} else if near := catalog.Nearest(name, allSettings()); near != "" && c.choosing(cmd) {
		text += fmt.Sprintf("; did you mean --%s, a setting of %s?", near, strings.Join(methodsWith(near), ", "))
	}
	return usage("%s\nSee: %s", text, c.helpOf(cmd))
}

// choosing says whether a command has the settings of a chosen method.
func (c *cli) choosing(cmd *cobra.Command) bool {
	return c.method != nil && c.asks() == "" && cmd.Flags().Lookup("method") != nil
}

// helpOf is the command that shows a command's help.
func (c *cli) helpOf(cmd *cobra.Command) string {
	text := cmd.CommandPath()
	switch {
	case c.pares != nil && c.asks() == cmd.Name():
		text += " --method " + c.pares.Card().Name
	case c.choosing(cmd):
		text += " --method " + c.method.Card().Name
	}
	return text + " --help"
}

// methodsWith names the methods that have a setting.
func methodsWith(setting string) (out []string) {
	for _, m := range all.List() {
		if _, err := catalog.Find(m, setting); err == nil {
			out = append(out, m.Card().Name)
		}
	}
	return out
}

// allSettings names the settings of all methods.
func allSettings() (out []string) {
	for _, m := range all.List() {
		for _, s := range catalog.Settings(m) {
			out = append(out, s.Name)
		}
	}
	return out
}
