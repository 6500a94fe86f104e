package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"pare/method"
	"pare/onnx"
	"pare/report"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
)

// trial is a paper's claims put to the test.
type trial struct {
	ID      string        `json:"id"`
	Name    string        `json:"name"`
	About   string        `json:"about"`
	Seeds   int           `json:"seeds"`
	Seconds float64       `json:"seconds"` // it took
	Values  method.Values `json:"values"`
	Claims  []verdict     `json:"claims"`
}

// verdict is what became of a claim.
type verdict struct {
	Text     string `json:"text"`
	Measured string `json:"measured"`
	Holds    bool   `json:"holds"`
}

func (c *cli) reproduce() *cobra.Command {
	var seeds int
	var page string
	cmd := &cobra.Command{Use: "reproduce ID|NAME|all", Short: "Test a paper's claim at small scale; exit status 1 where it does not hold", Args: args("ID|NAME|all"),
		Example: "  pare reproduce 08\n  pare reproduce all --seeds 6",
		RunE: func(cmd *cobra.Command, a []string) error {
			ms, err := claimants(a[0])
			if err != nil {
				return err
			}
			if page != "" {
				if ext := strings.ToLower(filepath.Ext(page)); ext != ".md" {
					return usage("--page %s: the file must end in .md", page)
				}
				if err := onnx.CheckWritable(page); err != nil {
					return err
				}
			}
			var trials []*trial
			for _, m := range ms {
				t, err := c.try(cmd.Context(), m, seeds)
				if err != nil {
					return err
				}
				trials = append(trials, t)
				if !c.json && page == "" {
					fmt.Fprintf(c.out, "%s: %s %d seeds, %s.\n", t.Name, t.About, t.Seeds, seconds(t.Seconds))
					t.table().Print(c.out, c.width())
				}
			}
			if page != "" {
				if err := writeTrials(page, a[0], trials); err != nil {
					return err
				}
			}
			verdicts, failed := verdictTable(trials)
			if c.json {
				if err := c.printJSON(trials); err != nil {
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
	cmd.Flags().StringVar(&page, "page", "", "write a page of documentation (.md)")
	return cmd
}

// claimants are the methods with claims that a name stands for.
func claimants(name string) ([]*method.Method, error) {
	if name != "all" {
		m, err := method.Find(name)
		if err != nil {
			return nil, usageError{err}
		}
		if m.Claims == nil {
			return nil, usage("%s is a baseline: it has no claim of its own", m.Name)
		}
		return []*method.Method{m}, nil
	}
	var ms []*method.Method
	for _, m := range method.All() {
		if m.Claims != nil {
			ms = append(ms, m)
		}
	}
	return ms, nil
}

// try runs a method's experiment; 0 seeds are its own number.
func (c *cli) try(ctx context.Context, m *method.Method, seeds int) (*trial, error) {
	if seeds == 0 {
		seeds = m.Claims.Seeds
	}
	if seeds < 1 {
		return nil, usage("--seeds %d: at least 1", seeds)
	}
	begun := time.Now()
	b := c.bar(seeds, m.Name)
	v, err := m.Claims.Values(ctx, seeds, func(done int) { b.set(done, fmt.Sprintf("%s, %d of %d seeds done", m.Name, done, seeds)) })
	b.done()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	t := &trial{ID: m.ID, Name: m.Name, About: m.Claims.About, Seeds: seeds, Seconds: time.Since(begun).Seconds(), Values: v}
	for _, cl := range m.Claims.Claims {
		measured, ok := cl.Check(v)
		t.Claims = append(t.Claims, verdict{cl.Text, measured, ok})
	}
	return t, nil
}

func verdictTable(ts []*trial) (t *report.Table, failed int) {
	t = &report.Table{Columns: []string{"id", "method", "claim", "measured", "holds"}}
	for _, x := range ts {
		for _, v := range x.Claims {
			word := "yes"
			if !v.Holds {
				word = "NO"
				failed++
			}
			t.Rows = append(t.Rows, []report.Cell{report.Text(x.ID), report.Text(x.Name), report.Text(v.Text), report.Text(v.Measured), report.Text(word)})
		}
	}
	return t, failed
}

// table shows means and intervals by name.
func (x *trial) table() *report.Table {
	var names []string
	for k := range x.Values {
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
		v := x.Values[k]
		mean, unit := report.Percent(x.Values.Mean(k)), 100.0
		if strings.Contains(k, "(") { // in a unit of its own
			mean, unit = report.Text(fmt.Sprintf("%.4g", x.Values.Mean(k))), 1
		}
		within := report.Missing()
		if len(v) > 1 {
			within = report.Text(fmt.Sprintf("± %.3g", unit*method.Interval(v)))
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(k), mean, within})
	}
	return t
}

func seconds(s float64) string {
	if s < 10 {
		return fmt.Sprintf("%.1f s", s)
	}
	return fmt.Sprintf("%.0f s", s)
}

// writeTrials writes the verdicts, then each experiment.
func writeTrials(path, what string, ts []*trial) error {
	verdicts, failed := verdictTable(ts)
	r := &report.Report{Title: "The claims, put to the test", Subtitle: "pare reproduce " + what}
	text := "Every claim of every paper at small scale, by thresholds that were set before. All of them hold."
	if failed > 0 {
		text = fmt.Sprintf("Every claim of every paper at small scale, by thresholds that were set before. %d of %d do not hold.", failed, len(verdicts.Rows))
	}
	r.Add(report.Section{Heading: "Verdicts", Text: text, Table: verdicts})
	for _, t := range ts {
		r.Add(report.Section{Heading: fmt.Sprintf("%s (%s)", t.Name, t.ID), Text: fmt.Sprintf("%s %d seeds, %s.", t.About, t.Seeds, seconds(t.Seconds)), Table: t.table()})
	}
	var b bytes.Buffer
	if err := r.Markdown(&b, "<!-- Written by `pare reproduce --page`; run the command instead of editing. -->\n\n", nil); err != nil {
		return err
	}
	return renameio.WriteFile(path, b.Bytes(), 0o644)
}
