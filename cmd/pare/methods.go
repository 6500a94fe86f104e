package main

import (
	"fmt"
	"sort"
	"strings"

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

func (c *cli) reproduce() *cobra.Command {
	var seeds int
	cmd := &cobra.Command{Use: "reproduce ID|NAME|all", Short: "Test a paper's claim at small scale; exit status 1 where it does not hold", Args: args("ID|NAME|all"),
		Example: "  pare reproduce 08\n  pare reproduce all --seeds 6",
		RunE: func(cmd *cobra.Command, a []string) error {
			var ms []*method.Method
			if a[0] == "all" {
				for _, m := range method.All() {
					if m.Claims != nil {
						ms = append(ms, m)
					}
				}
			} else {
				m, err := method.Find(a[0])
				if err != nil {
					return usageError{err}
				}
				if m.Claims == nil {
					return usage("%s is a baseline: it has no claim of its own", m.Name)
				}
				ms = []*method.Method{m}
			}
			failed := 0
			var results []any
			verdicts := &report.Table{Columns: []string{"method", "claim", "measured", "holds"}}
			for _, m := range ms {
				n := seeds
				if n == 0 {
					n = m.Claims.Seeds
				}
				if n < 1 {
					return usage("--seeds %d: at least 1", n)
				}
				b := c.bar(n, m.Name)
				v, err := m.Claims.Values(cmd.Context(), n, func(done int) { b.set(done, fmt.Sprintf("%s, %d of %d seeds done", m.Name, done, n)) })
				b.done()
				if err != nil {
					return fmt.Errorf("%s: %w", m.Name, err)
				}
				var claims []any
				for _, cl := range m.Claims.Claims {
					measured, ok := cl.Check(v)
					word := "yes"
					if !ok {
						word = "NO"
						failed++
					}
					verdicts.Rows = append(verdicts.Rows, []report.Cell{report.Text(m.Name), report.Text(cl.Text), report.Text(measured), report.Text(word)})
					claims = append(claims, map[string]any{"text": cl.Text, "measured": measured, "holds": ok})
				}
				results = append(results, map[string]any{"id": m.ID, "name": m.Name, "about": m.Claims.About, "seeds": n, "values": v, "claims": claims})
				if !c.json {
					c.values(m, v, n)
				}
			}
			if c.json {
				if err := c.printJSON(results); err != nil {
					return err
				}
			} else {
				fmt.Fprintln(c.out)
				verdicts.Print(c.out, c.width())
			}
			if failed > 0 {
				return fmt.Errorf("%d claims do not hold", failed)
			}
			return nil
		}}
	cmd.Flags().IntVar(&seeds, "seeds", 0, "seeds to run (0: the experiment's own number)")
	return cmd
}

// values prints means and intervals by name.
func (c *cli) values(m *method.Method, v method.Values, n int) {
	fmt.Fprintf(c.out, "%s: %s %d seeds.\n", m.Name, m.Claims.About, n)
	var names []string
	for k := range v {
		names = append(names, k)
	}
	sort.Slice(names, func(i, j int) bool {
		a, b := strings.Fields(names[i]), strings.Fields(names[j])
		if x, y := a[len(a)-1], b[len(b)-1]; x != y {
			return x < y
		}
		return names[i] < names[j]
	})
	t := &report.Table{Columns: []string{"arm", "accuracy", "95 % interval"}}
	for _, k := range names {
		mean, unit := report.Percent(v.Mean(k)), 100.0
		if strings.Contains(k, "(") { // in a unit of its own
			mean, unit = report.Text(fmt.Sprintf("%.4g", v.Mean(k))), 1
		}
		within := report.Missing()
		if len(v[k]) > 1 {
			within = report.Text(fmt.Sprintf("± %.3g", unit*method.Interval(v[k])))
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(k), mean, within})
	}
	t.Print(c.out, c.width())
}
