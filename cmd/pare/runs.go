package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"pare/report"
	runs "pare/run"
	"pare/run/index"

	"github.com/spf13/cobra"
)

// runsLong explains pare runs.
const runsLong = `Every pare model prune, train and compare, every pare data compare and every pare reproduce leaves a directory: what it was
called with, its settings, seeds and versions, digests of what it read, its metrics as they come, its checkpoint, results and report. A run
is named by RUN: its name, the beginning or end of it that is enough, the path of its directory, or latest.

pare model prune --resume RUN goes on with one that was stopped, failed or died.`

func (c *cli) runs() *cobra.Command {
	m := &cobra.Command{Use: "runs", Short: "List, show, compare, tag, export and remove the runs that commands have left", Long: runsLong, RunE: noCommand}
	m.PersistentFlags().StringVar(&c.rec.dir, "runs", "", "folder of the runs, `DIR` (default "+runsFolder+", or the environment's "+runsEnv+")")
	m.AddCommand(c.listRuns(), c.showRun(), c.diffRuns(), c.tagRun(), c.exportRun(), c.removeRuns(), c.gcRuns())
	return m
}

// kept is the store that a command about runs looks at.
func (c *cli) kept(cmd *cobra.Command) (*runs.Store, error) {
	dir := c.rec.dir
	if cmd.Flags().Changed("runs") && dir == "" {
		return nil, usage("--runs is empty: give a folder")
	}
	if dir == "" {
		dir = runsDefault()
	}
	if dir == "" {
		return nil, usage("no runs are kept, for %s is %s: give --runs DIR", runsEnv, noRuns)
	}
	if st, err := os.Stat(dir); err == nil && !st.IsDir() {
		return nil, usage("--runs %s is a file; a folder is needed", dir)
	}
	return runs.NewStore(dir)
}

// found finds a run that a command line names.
func (c *cli) found(s *runs.Store, name string) (*runs.Entry, error) {
	e, err := s.Find(name)
	if err != nil {
		return nil, fmt.Errorf("%w\nSee: pare runs list", err)
	}
	return e, nil
}

// runList is what the flags of runs list say.
type runList struct {
	command               string
	methods, status, tags []string
	since                 string
	newest                int
}

func (c *cli) listRuns() *cobra.Command {
	q := &runList{}
	cmd := &cobra.Command{Use: "list", Short: "List runs, oldest first", Args: args(),
		Long: "Lists runs, oldest first. A run is running only as long as a process has it; one whose process was killed has died.\nThe list comes from an index beside the runs, which is checked against their directories each time.",
		Example: `  pare runs list --command prune --status done --newest 20
  pare runs list --method gmp --tag paper --since 7d --json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runListRuns(cmd, q) }}
	f := cmd.Flags()
	f.StringVar(&q.command, "command", "", "only runs of this command, such as prune, or model prune")
	f.StringSliceVar(&q.methods, "method", nil, "only runs of one of these methods")
	f.StringSliceVar(&q.status, "status", nil, "only runs that stand so: running, done, stopped, failed, died")
	f.StringSliceVar(&q.tags, "tag", nil, "only runs with all of these tags")
	f.StringVar(&q.since, "since", "", "only runs begun since then: 90m, 12h, 7d ago, or a date 2006-01-02")
	f.IntVar(&q.newest, "newest", 0, "at most so many, the newest (0: all)")
	cmd.RegisterFlagCompletionFunc("status", words(false, "running", "done", "stopped", "failed", "died")) //nolint:errcheck // the flag is there
	inSections(cmd)
	return cmd
}

// filter reads the flags.
func (q *runList) filter() (index.Filter, error) {
	f := index.Filter{Command: strings.TrimPrefix(q.command, "pare "), Tags: q.tags, Newest: q.newest}
	if err := atLeast(0, "newest", q.newest); err != nil {
		return f, err
	}
	for _, m := range q.methods {
		if x, err := methodOf(m); err == nil { // by number, or another name of it
			m = x.Card().Name
		}
		f.Methods = append(f.Methods, m)
	}
	var err error
	if f.Status, err = statuses(q.status); err != nil {
		return f, err
	}
	if q.since != "" {
		f.Since, err = ago("since", q.since, time.Now())
	}
	return f, err
}

// statuses reads words of --status.
func statuses(words []string) (out []runs.Status, err error) {
	for _, w := range words {
		if !slices.Contains(runs.Statuses, runs.Status(w)) {
			return nil, usage("--status %s: running, done, stopped, failed or died is needed", w)
		}
		out = append(out, runs.Status(w))
	}
	return out, nil
}

// ago reads a time by how long ago it is, or a date.
func ago(flag, text string, now time.Time) (time.Time, error) {
	t, err := index.Since(text, now)
	if err != nil {
		return t, usage("--%s %s: %v", flag, text, err)
	}
	return t, nil
}

// selected are the runs that a filter leaves.
func (c *cli) selected(s *runs.Store, f index.Filter) ([]*runs.Entry, error) {
	x, err := index.Open(c.ctx, s)
	if err != nil {
		return nil, err
	}
	defer x.Close()
	es, err := x.Select(c.ctx, f)
	for _, n := range x.Notes {
		c.say("note: %s", n)
	}
	for _, bad := range x.Bad {
		c.say("warning: not listed: %v", bad)
	}
	return es, err
}

func (c *cli) runListRuns(cmd *cobra.Command, q *runList) error {
	f, err := q.filter()
	if err != nil {
		return err
	}
	s, err := c.kept(cmd)
	if err != nil {
		return err
	}
	es, err := c.selected(s, f)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(append([]*runs.Entry{}, es...))
	}
	if len(es) == 0 {
		c.say("no runs in %s are like that", s.Dir)
		return nil
	}
	var bytes int64
	t := &report.Table{Columns: []string{"run", "status", "command", "method", "took", "result", "sparsity", "size", "tags"}}
	for _, e := range es {
		bytes += e.Bytes
		t.Rows = append(t.Rows, []report.Cell{report.Text(e.Name), report.Text(string(e.Status)), report.Text(e.Record.Command), report.Text(few(e.Record.Methods)), report.Text(took(e.Record)),
			report.Text(resultOf(e.Record)), report.Text(shareOf(e.Record, "sparsity")), report.Bytes(e.Bytes), report.Text(strings.Join(e.Tags, " "))})
	}
	t.Print(c.out, c.width())
	fmt.Fprintf(c.out, "%d runs, %s\n", len(es), report.Bytes(bytes).Text)
	return nil
}

// few are the first of some names.
func few(names []string) string {
	if n := len(names); n > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:2], ", "), n-2)
	}
	return strings.Join(names, ", ")
}

// took is how long a run was worked on.
func took(r *runs.Record) string {
	d := r.Took()
	switch {
	case d == 0:
		return "–"
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// resultOf is the number that decides.
func resultOf(r *runs.Record) string {
	x, ok := r.Values[r.Metric]
	if !ok {
		return "–"
	}
	return fmt.Sprintf("%s %.4g", r.Metric, x)
}

func shareOf(r *runs.Record, name string) string {
	x, ok := r.Values[name]
	if !ok {
		return "–"
	}
	return report.Percent(x).Text
}
