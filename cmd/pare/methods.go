package main

import (
	"fmt"

	"pare/method"
	"pare/report"

	"github.com/spf13/cobra"
)

func (c *cli) methods() *cobra.Command {
	return &cobra.Command{Use: "methods [NAME]", Short: "The catalogue of methods; NAME shows one with its settings", Args: cobra.MaximumNArgs(1),
		Example: "  pare methods\n  pare methods gmp",
		RunE: func(cmd *cobra.Command, a []string) error {
			if len(a) == 0 {
				if c.json {
					var out []any
					for _, m := range method.All() {
						out = append(out, methodJSON(m))
					}
					return c.printJSON(out)
				}
				t := &report.Table{Columns: []string{"id", "name", "cuts", "needs", "what"}}
				for _, m := range method.All() {
					t.Rows = append(t.Rows, []report.Cell{report.Text(m.ID), report.Text(m.Name), report.Text(m.Cuts), report.Text(m.Needs.String()), report.Text(m.Title)})
				}
				t.Print(c.out, c.width())
				return nil
			}
			m, err := method.Find(a[0])
			if err != nil {
				return usageError{err}
			}
			if c.json {
				return c.printJSON(methodJSON(m))
			}
			fmt.Fprintf(c.out, "%s — %s\n\n%s\n\n%s\n\nCuts %s; needs %s.\n\n", m.Name, m.Title, m.Paper, m.Doc, m.Cuts, m.Needs)
			t := &report.Table{Columns: []string{"setting", "default", "what"}}
			for _, s := range method.Settings(m.Settings()) {
				t.Rows = append(t.Rows, []report.Cell{report.Text("--" + s.Name), report.Text(s.Default), report.Text(s.Doc)})
			}
			t.Print(c.out, c.width())
			return nil
		}}
}

func methodJSON(m *method.Method) any {
	return map[string]any{"id": m.ID, "name": m.Name, "title": m.Title, "paper": m.Paper, "doc": m.Doc, "cuts": m.Cuts, "needs": m.Needs.String(),
		"settings": method.Settings(m.Settings()), "reproduces": m.Claims != nil}
}
