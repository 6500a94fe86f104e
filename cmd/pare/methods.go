package main

import (
	"fmt"

	"pare/catalog"
	"pare/model"
	"pare/model/all"
	"pare/report"
	"pare/reproduce"

	"github.com/spf13/cobra"
)

func (c *cli) methods() *cobra.Command {
	return &cobra.Command{Use: "methods [NAME]", Short: "The catalogue of methods; NAME shows one with its settings", Args: atMostOne,
		Example: "  pare methods\n  pare methods gmp",
		RunE: func(cmd *cobra.Command, a []string) error {
			if len(a) == 0 {
				return c.listMethods()
			}
			m, err := all.New(a[0])
			if err != nil {
				return usageError{err}
			}
			if c.json {
				return c.printJSON(entry(m))
			}
			k := m.Card()
			fmt.Fprintf(c.out, "%s — %s\n\n%s\n\n%s\nCuts %s; needs %s.\n\n", k.Name, k.Title, k.Paper, k.Doc, k.Cuts, k.Needs)
			settingTable(m).Print(c.out, c.width())
			return nil
		}}
}

func (c *cli) listMethods() error {
	var out []catalog.Entry
	t := &report.Table{Columns: []string{"id", "name", "cuts", "needs", "what"}}
	for _, m := range all.List() {
		k := m.Card()
		out = append(out, entry(m))
		t.Rows = append(t.Rows, []report.Cell{report.Text(k.ID), report.Text(k.Name), report.Text(k.Cuts), report.Text(k.Needs.String()), report.Text(k.Title)})
	}
	if c.json {
		return c.printJSON(out)
	}
	t.Print(c.out, c.width())
	return nil
}

// entry is a method for machines.
func entry(m model.Method) catalog.Entry {
	return catalog.Entry{Card: m.Card(), Settings: catalog.Settings(m), Reproduces: reproduce.Find(m.Card().Name) != nil}
}

// settingTable has a row for each setting of a method.
func settingTable(m model.Method) *report.Table {
	t := &report.Table{Columns: []string{"setting", "default", "allowed", "meaning"}}
	for _, s := range catalog.Settings(m) {
		t.Rows = append(t.Rows, []report.Cell{report.Text("--" + s.Name), report.Text(s.Default), report.Text(s.Allowed()), report.Text(s.Doc)})
	}
	return t
}
