package main

import (
	"fmt"
	"strings"

	"pare/catalog"
	dataall "pare/data/all"
	"pare/model/all"
	"pare/report"

	"github.com/spf13/cobra"
)

func (c *cli) methods() *cobra.Command {
	asked := map[string]*[]string{}
	cmd := &cobra.Command{Use: "methods [NAME]", Short: "The catalogue of methods; NAME shows one with its settings", Args: atMostOne,
		Long: `The catalogue of methods; NAME shows one with its settings. Flags show those that have a place in the field: a method
must have every value that is given, of all axes together.`,
		Example: "  pare methods\n  pare methods gmp\n  pare methods --when before --how gradient\n  pare methods --speed-up universal --supervision none",
		RunE: func(cmd *cobra.Command, a []string) error {
			filter := catalog.Filter{}
			for name, words := range asked {
				if cmd.Flags().Changed(name) {
					filter[name] = *words
				}
			}
			if err := filter.Check(); err != nil {
				return usageError{err}
			}
			if len(a) == 0 {
				return c.listMethods(filter)
			}
			if len(filter) > 0 {
				return usage("flags choose among all methods: leave %s out, or the flags", a[0])
			}
			m, err := methodOf(a[0])
			if err != nil {
				return usageError{err}
			}
			if c.json {
				return c.printJSON(entry(m))
			}
			k := m.Card()
			fmt.Fprintf(c.out, "%s — %s\n\n%s\n\n%s\nCuts %s; needs %s.\n\n", k.Name, k.Title, k.Paper, k.Doc, k.Cuts, k.Needs)
			if k.Noun == "model" {
				axisTable(k).Print(c.out, c.width())
				fmt.Fprintln(c.out)
			}
			settingTable(m).Print(c.out, c.width())
			return nil
		}}
	for i := range catalog.Taxonomy {
		x := &catalog.Taxonomy[i]
		asked[x.Name] = cmd.Flags().StringSlice(x.Name, nil, x.Doc+": "+strings.Join(x.Words(), ", "))
	}
	return cmd
}

// listMethods lists the methods that a filter lets through.
func (c *cli) listMethods(f catalog.Filter) error {
	out := []catalog.Entry{}
	t := &report.Table{Columns: []string{"id", "name", "cuts", "needs", "what"}}
	t.Columns = append(t.Columns, filterColumns(f)...)
	for _, m := range everyMethod() {
		k := m.Card()
		if !f.Has(k) {
			continue
		}
		out = append(out, entry(m))
		t.Rows = append(t.Rows, []report.Cell{report.Text(k.ID), report.Text(k.Name), report.Text(k.Cuts), report.Text(k.Needs.String()), report.Text(k.Title)})
		for _, name := range filterColumns(f) {
			last := &t.Rows[len(t.Rows)-1]
			*last = append(*last, report.Text(strings.Join(catalog.FindAxis(name).Of(k).All(), ", ")))
		}
	}
	if c.json {
		return c.printJSON(out)
	}
	if len(out) == 0 {
		c.say("no method of the catalogue has all of that")
		return nil
	}
	t.Print(c.out, c.width())
	return nil
}

// described is a method of any noun.
type described interface{ Card() *catalog.Card }

// everyMethod lists the methods of networks, then those of training sets.
func everyMethod() (out []described) {
	for _, m := range all.List() {
		out = append(out, m)
	}
	for _, m := range dataall.List() {
		out = append(out, m)
	}
	return out
}

// methodOf finds a method of any noun by number or name; the error suggests the nearest
// name.
func methodOf(name string) (described, error) {
	m, err := all.New(name)
	if err == nil {
		return m, nil
	}
	if d, other := dataall.New(name); other == nil {
		return d, nil
	} else if strings.Contains(other.Error(), "did you mean") && !strings.Contains(err.Error(), "did you mean") {
		return nil, other
	}
	return nil, err
}

// entry is a method for machines.
func entry(m described) catalog.Entry {
	return catalog.Entry{Card: m.Card(), Settings: catalog.Settings(m), Reproduces: experiment(m.Card()) != nil}
}

// filterColumns are the axes that a filter asks for, in their order.
func filterColumns(f catalog.Filter) (out []string) {
	for _, x := range catalog.Taxonomy {
		if _, asked := f[x.Name]; asked {
			out = append(out, x.Name)
		}
	}
	return out
}

// axisTable has a row for each axis, with a method's place on it.
func axisTable(k *catalog.Card) *report.Table {
	t := &report.Table{Columns: []string{"axis", "of this method", "which is"}}
	for i := range catalog.Taxonomy {
		x := &catalog.Taxonomy[i]
		t.Rows = append(t.Rows, []report.Cell{report.Text(x.Name), report.Text(strings.Join(x.Of(k).All(), ", ")), report.Text(x.Doc)})
	}
	return t
}

// settingTable has a row for each setting of a method.
func settingTable(m described) *report.Table {
	t := &report.Table{Columns: []string{"setting", "default", "allowed", "meaning"}}
	for _, s := range catalog.Settings(m) {
		t.Rows = append(t.Rows, []report.Cell{report.Text("--" + s.Name), report.Text(s.Default), report.Text(s.Allowed()), report.Text(s.Doc)})
	}
	return t
}
