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
	return &cobra.Command{Use: "methods [NAME]", Short: "The catalogue of methods; NAME shows one with its settings", Args: cobra.MaximumNArgs(1),
		Example: "  pare methods\n  pare methods gmp",
		RunE: func(cmd *cobra.Command, a []string) error {
			if len(a) == 0 {
				if c.json {
					var out []any
					for _, m := range all.List() {
						out = append(out, methodJSON(m))
					}
					return c.printJSON(out)
				}
				t := &report.Table{Columns: []string{"id", "name", "cuts", "needs", "what"}}
				for _, m := range all.List() {
					k := m.Card()
					t.Rows = append(t.Rows, []report.Cell{report.Text(k.ID), report.Text(k.Name), report.Text(k.Cuts), report.Text(k.Needs.String()), report.Text(k.Title)})
				}
				t.Print(c.out, c.width())
				return nil
			}
			m, err := all.New(a[0])
			if err != nil {
				return usageError{err}
			}
			if c.json {
				return c.printJSON(methodJSON(m))
			}
			k := m.Card()
			fmt.Fprintf(c.out, "%s — %s\n\n%s\n\n%s\nCuts %s; needs %s.\n\n", k.Name, k.Title, k.Paper, k.Doc, k.Cuts, k.Needs)
			t := &report.Table{Columns: []string{"setting", "default", "what"}}
			for _, s := range catalog.Settings(m) {
				t.Rows = append(t.Rows, []report.Cell{report.Text("--" + s.Name), report.Text(s.Default), report.Text(s.Doc)})
			}
			t.Print(c.out, c.width())
			return nil
		}}
}

// methodEntry is a method of the catalogue for machines.
type methodEntry struct {
	*catalog.Card
	Settings   []*catalog.Setting `json:"settings"`
	Reproduces bool               `json:"reproduces"` // pare reproduce has an experiment of it
}

func methodJSON(m model.Method) methodEntry {
	return methodEntry{m.Card(), catalog.Settings(m), reproduce.Find(m.Card().Name) != nil}
}
