package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"pare/measure"
	"pare/report"
	runs "pare/run"

	"github.com/spf13/cobra"
)

func (c *cli) showRun() *cobra.Command {
	cmd := &cobra.Command{Use: "show RUN", Short: "Show what a run was, and where it stands", Args: args("RUN"),
		Example: "  pare runs show latest\n  pare runs show 1f2e3d --json",
		RunE:    func(cmd *cobra.Command, a []string) error { return c.runShowRun(cmd, a[0]) }}
	inSections(cmd)
	return cmd
}

func (c *cli) runShowRun(cmd *cobra.Command, name string) error {
	s, err := c.kept(cmd)
	if err != nil {
		return err
	}
	e, err := c.found(s, name)
	if err != nil {
		return err
	}
	ps, err := runs.ReadMetrics(filepath.Join(e.Dir, runs.MetricsFile))
	if err != nil { // the record is worth showing all the same
		c.say("warning: %v", err)
	}
	last := runs.Newest(ps)
	if c.json {
		return c.printJSON(map[string]any{"run": e, "points": len(ps), "newest": last})
	}
	r := e.Record
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(c.out, "%-13s %s\n", name, text)
		}
	}
	line("run", e.Name)
	line("status", string(e.Status))
	line("error", strings.ReplaceAll(r.Error, "\n", " "))
	line("command", measure.Quote(append([]string{"pare"}, r.Args...)...))
	line("in", r.Folder)
	line("began", r.Began.Local().Format("2006-01-02 15:04:05"))
	line("worked on", took(r)+sittings(r))
	line("tags", strings.Join(e.Tags, " "))
	line("method", strings.Join(r.Methods, ", "))
	line("settings", settingsText(r.Settings))
	line("recipe", settingsText(r.Recipe))
	line("seeds", strings.Trim(fmt.Sprint(r.Seeds), "[]"))
	line("data", r.Data)
	for _, x := range r.Sets {
		line("  "+x.Name, fmt.Sprintf("%d samples, SHA-256 %s", x.Samples, x.SHA256))
	}
	for _, x := range append(slices.Clone(r.Inputs), r.Outputs...) {
		text := x.Path
		if x.SHA256 != "" {
			text += fmt.Sprintf(", %s, SHA-256 %s", report.Bytes(x.Bytes).Text, x.SHA256)
		}
		line(x.Name, text)
	}
	p := r.Sittings[len(r.Sittings)-1].Program
	line("program", strings.Join(slices.DeleteFunc([]string{"Pare " + p.Pare, p.Revision, p.Go, p.System, p.Processor, strconv.Itoa(p.Threads) + " threads"}, func(s string) bool { return s == "" }), ", "))
	line("directory", e.Dir+", "+report.Bytes(e.Bytes).Text+filesIn(e.Dir))
	c.tellValues(r)
	c.tellPoints(last)
	return nil
}

// sittings says how often a run was gone on with.
func sittings(r *runs.Record) string {
	if n := len(r.Sittings); n > 1 {
		return fmt.Sprintf(", in %d sittings, the last from %s", n, r.Sittings[n-1].Began.Local().Format("2006-01-02 15:04:05"))
	}
	return ""
}

// filesIn lists the files of a run.
func filesIn(dir string) string {
	es, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	var names []string
	for _, e := range es {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return ": " + strings.Join(names, ", ")
}

// settingsText writes settings in the order of their names.
func settingsText(m map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if v := m[k]; v != "" && v != "false" {
			out = append(out, k+" "+v)
		}
	}
	return strings.Join(out, ", ")
}

// tellValues prints what came out, beside what was before.
func (c *cli) tellValues(r *runs.Record) {
	if len(r.Values) == 0 {
		return
	}
	t := &report.Table{Columns: []string{"what came out", "before", "now"}}
	for _, k := range slices.Sorted(maps.Keys(r.Values)) {
		if strings.HasSuffix(k, "_before") {
			continue
		}
		before := report.Text("–")
		if x, ok := r.Values[k+"_before"]; ok {
			before = report.Number(x)
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(k), before, report.Number(r.Values[k])})
	}
	fmt.Fprintln(c.out)
	t.Print(c.out, c.width())
}

// tellPoints prints the newest metrics of each training.
func (c *cli) tellPoints(ps []*runs.Point) {
	if len(ps) == 0 {
		return
	}
	const most = 12
	t := &report.Table{Columns: []string{"training", "step", "epoch", "when", "metrics"}}
	for _, p := range ps[max(0, len(ps)-most):] {
		var vs []string
		for _, v := range p.Values {
			vs = append(vs, fmt.Sprintf("%s %.4g", v.Name, v.X))
		}
		name := p.Of
		if p.Training > 1 || name == "" {
			name = strings.TrimSpace(fmt.Sprintf("%s %d", name, p.Training))
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(name), report.Count(int64(p.Step)), report.Count(int64(p.Epoch)), report.Text(p.Time.Local().Format(time.TimeOnly)), report.Text(strings.Join(vs, ", "))})
	}
	fmt.Fprintln(c.out)
	t.Print(c.out, c.width())
	if n := len(ps) - most; n > 0 {
		fmt.Fprintf(c.out, "and %d more\n", n)
	}
}

func (c *cli) diffRuns() *cobra.Command {
	cmd := &cobra.Command{Use: "diff RUN RUN", Short: "Show in what two runs differ: how they were called, what they read, what came out", Args: args("RUN", "RUN"),
		Example: "  pare runs diff 1f2e3d latest",
		RunE: func(cmd *cobra.Command, a []string) error {
			s, err := c.kept(cmd)
			if err != nil {
				return err
			}
			x, err := c.found(s, a[0])
			if err != nil {
				return err
			}
			y, err := c.found(s, a[1])
			if err != nil {
				return err
			}
			ds := runs.Diff(x.Record, y.Record)
			if c.json {
				return c.printJSON(map[string]any{"a": x.Name, "b": y.Name, "differences": append([]runs.Difference{}, ds...)})
			}
			if len(ds) == 0 {
				fmt.Fprintln(c.out, "They do not differ.")
				return nil
			}
			t := &report.Table{Columns: []string{"what", x.Name, y.Name}}
			for _, d := range ds {
				t.Rows = append(t.Rows, []report.Cell{report.Text(d.What), report.Text(d.A), report.Text(d.B)})
			}
			t.Print(c.out, c.width())
			return nil
		}}
	inSections(cmd)
	return cmd
}

func (c *cli) tagRun() *cobra.Command {
	var remove []string
	cmd := &cobra.Command{Use: "tag RUN [TAG...]", Short: "Add tags to a run, or take them away", Long: "Adds tags to a run, or takes them away, while it runs too. A run with a tag is not removed by pare runs gc.",
		Args: func(cmd *cobra.Command, a []string) error {
			if len(a) == 0 {
				return usage("%s takes RUN and tags\nSee: %s --help", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		Example: "  pare runs tag latest paper\n  pare runs tag latest --remove paper",
		RunE: func(cmd *cobra.Command, a []string) error {
			if len(a) == 1 && len(remove) == 0 {
				return usage("give tags, or --remove TAG")
			}
			s, err := c.kept(cmd)
			if err != nil {
				return err
			}
			e, err := c.found(s, a[0])
			if err != nil {
				return err
			}
			if err := e.Tag(a[1:], remove); err != nil {
				return err
			}
			if c.json {
				return c.printJSON(map[string]any{"run": e.Name, "tags": e.Tags})
			}
			fmt.Fprintf(c.out, "%s: %s\n", e.Name, strings.Join(e.Tags, " "))
			return nil
		}}
	cmd.Flags().StringSliceVar(&remove, "remove", nil, "tags to take away")
	inSections(cmd)
	return cmd
}
