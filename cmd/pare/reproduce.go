package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"sort"
	"strings"

	"pare/evidence"
	"pare/model/all"
	"pare/onnx"
	"pare/report"
	"pare/reproduce"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
)

func (c *cli) reproduce() *cobra.Command {
	var seeds int
	var page string
	cmd := &cobra.Command{Use: "reproduce ID|NAME|all", Short: "Test a paper's claim at small scale; exit status 1 where it does not hold", Args: args("ID|NAME|all"),
		Example: "  pare reproduce 08\n  pare reproduce all --seeds 6",
		RunE: func(cmd *cobra.Command, a []string) error {
			es, err := claimants(a[0])
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
			var trials []*evidence.Trial
			for _, e := range es {
				t, err := c.try(cmd.Context(), e, seeds)
				if err != nil {
					return err
				}
				trials = append(trials, t)
				if !c.json && page == "" {
					fmt.Fprintf(c.out, "%s: %s %d seeds, %s.\n", t.Name, t.About, t.Seeds, seconds(t.Seconds))
					trialTable(t).Print(c.out, c.width())
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

// claimants are the experiments that a name stands for.
func claimants(name string) ([]*evidence.Experiment, error) {
	if name == "all" {
		return reproduce.List(), nil
	}
	if e := reproduce.Find(name); e != nil {
		return []*evidence.Experiment{e}, nil
	}
	m, err := all.New(name)
	if err != nil {
		return nil, usageError{err}
	}
	return nil, usage("%s is a baseline: it has no claim of its own; there are %s", m.Card().Name, reproduce.Names())
}

// try makes an experiment; 0 seeds are its own number.
func (c *cli) try(ctx context.Context, e *evidence.Experiment, seeds int) (*evidence.Trial, error) {
	if seeds < 0 {
		return nil, usage("--seeds %d: at least 1", seeds)
	}
	if seeds == 0 {
		seeds = e.Seeds
	}
	b := c.bar(seeds, e.Name)
	defer b.done()
	return e.Try(ctx, seeds, func(done int) { b.set(done, fmt.Sprintf("%s, %d of %d seeds done", e.Name, done, seeds)) })
}

func verdictTable(ts []*evidence.Trial) (t *report.Table, failed int) {
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
func trialTable(x *evidence.Trial) *report.Table {
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
			within = report.Text(fmt.Sprintf("± %.3g", unit*evidence.Interval(v)))
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
func writeTrials(path, what string, ts []*evidence.Trial) error {
	verdicts, failed := verdictTable(ts)
	r := &report.Report{Title: "The claims, put to the test", Subtitle: "pare reproduce " + what}
	text := "Every claim of every paper at small scale, by thresholds that were set before. All of them hold."
	if failed > 0 {
		text = fmt.Sprintf("Every claim of every paper at small scale, by thresholds that were set before. %d of %d do not hold.", failed, len(verdicts.Rows))
	}
	r.Add(report.Section{Heading: "Verdicts", Text: text, Table: verdicts})
	for _, t := range ts {
		r.Add(report.Section{Heading: fmt.Sprintf("%s (%s)", t.Name, t.ID), Text: fmt.Sprintf("%s %d seeds, %s.", t.About, t.Seeds, seconds(t.Seconds)), Table: trialTable(t)})
	}
	var b bytes.Buffer
	if err := r.Markdown(&b, "<!-- Written by `pare reproduce --page`; run the command instead of editing. -->\n\n", nil); err != nil {
		return err
	}
	return renameio.WriteFile(path, b.Bytes(), 0o644)
}
