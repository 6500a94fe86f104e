package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"pare/report"
	runs "pare/run"
	"pare/run/index"

	"github.com/spf13/cobra"
)

func (c *cli) removeRuns() *cobra.Command {
	cmd := &cobra.Command{Use: "rm RUN...", Short: "Remove runs, with their checkpoints", Long: "Removes the directories of runs, with their checkpoints. The networks that they have written elsewhere stay. A run that\na process works on is not removed, nor what is no directory of a run.",
		Args: func(cmd *cobra.Command, a []string) error {
			if len(a) == 0 {
				return usage("%s takes one RUN or more\nSee: %s --help", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		Example: "  pare runs rm 1f2e3d",
		RunE: func(cmd *cobra.Command, a []string) error {
			s, err := c.kept(cmd)
			if err != nil {
				return err
			}
			var es []*runs.Entry
			for _, name := range a { // all are found before one is removed
				e, err := c.found(s, name)
				if err != nil {
					return err
				}
				if !slices.ContainsFunc(es, func(x *runs.Entry) bool { return x.Dir == e.Dir }) {
					es = append(es, e)
				}
			}
			return c.remove(s, es, nil, false)
		}}
	inSections(cmd)
	return cmd
}

// clearing is what the flags of runs gc say.
type clearing struct {
	older  string
	keep   int
	status []string
	dry    bool
}

func (c *cli) gcRuns() *cobra.Command {
	q := &clearing{keep: -1}
	cmd := &cobra.Command{Use: "gc", Short: "Clear away what killed processes have left, and old runs where that is asked for", Args: args(),
		Long: `Clears away what processes that were killed have left: directories of runs that never began, runs half removed, locks that
nobody has, half-written files, checkpoints of runs that are done. With --older, --keep or --status it also removes runs
that all of these are true of. Runs that a process works on and runs with a tag always stay, and so does what is no
directory of a run.`,
		Example: "  pare runs gc --dry-run\n  pare runs gc --older 30d --keep 100\n  pare runs gc --status failed,died",
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.runGC(cmd, q) }}
	f := cmd.Flags()
	f.StringVar(&q.older, "older", "", "remove runs that ended, or died, longer ago than this: 12h, 30d, or before a date")
	f.IntVar(&q.keep, "keep", -1, "remove runs but the newest so many (-1: as many as there are)")
	f.StringSliceVar(&q.status, "status", nil, "remove runs that stand so: done, stopped, failed, died")
	f.BoolVar(&q.dry, "dry-run", false, "say what would go, and remove nothing")
	inSections(cmd)
	return cmd
}

func (c *cli) runGC(cmd *cobra.Command, q *clearing) error {
	ss, err := statuses(q.status)
	if err != nil {
		return err
	}
	if slices.Contains(ss, runs.Running) {
		return usage("--status running: a run that a process works on is not removed")
	}
	if q.keep < -1 {
		return usage("--keep %d: a whole number of at least 0 is needed", q.keep)
	}
	var before time.Time
	if q.older != "" {
		if before, err = ago("older", q.older, time.Now()); err != nil {
			return err
		}
	}
	s, err := c.kept(cmd)
	if err != nil {
		return err
	}
	rubbish, err := s.Rubbish()
	if err != nil {
		return err
	}
	var out []*runs.Entry
	if q.older != "" || q.keep >= 0 || ss != nil {
		es, err := c.selected(s, index.Filter{Status: ss})
		if err != nil {
			return err
		}
		if q.keep >= 0 {
			es = es[:max(0, len(es)-q.keep)]
		}
		for _, e := range es {
			if e.Status != runs.Running && len(e.Tags) == 0 && (before.IsZero() || e.Last().Before(before)) {
				out = append(out, e)
			}
		}
	}
	return c.remove(s, out, rubbish, q.dry)
}

// remove removes runs, which the command line may name by their paths, and rubbish of a store.
func (c *cli) remove(s *runs.Store, es []*runs.Entry, rubbish []runs.Rubbish, dry bool) error {
	removed, cleared, bytes := []string{}, append([]runs.Rubbish{}, rubbish...), int64(0)
	for _, r := range cleared {
		bytes += r.Bytes
	}
	if !dry {
		if _, err := s.Clear(cleared); err != nil {
			return err
		}
	}
	for _, e := range es {
		n := e.Bytes
		if !dry {
			var err error
			if n, err = (&runs.Store{Dir: filepath.Dir(e.Dir)}).Remove(e.Name); err != nil {
				return err
			}
		}
		removed, bytes = append(removed, e.Name), bytes+n
	}
	if c.json {
		return c.printJSON(map[string]any{"removed": removed, "cleared": cleared, "bytes": bytes, "dry_run": dry})
	}
	for _, r := range cleared {
		fmt.Fprintf(c.out, "%s: %s\n", r.Path, r.What)
	}
	for _, name := range removed {
		fmt.Fprintln(c.out, name)
	}
	verb := "removed"
	if dry {
		verb = "would be removed"
	}
	fmt.Fprintf(c.out, "%d runs and %d leftovers %s, %s\n", len(removed), len(cleared), verb, report.Bytes(bytes).Text)
	return nil
}
