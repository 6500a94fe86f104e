package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"pare/evidence"
	"pare/reproduce"
	runs "pare/run"

	"github.com/spf13/cobra"
)

// trialOptions are what reproduce is told.
type trialOptions struct {
	seeds  int
	first  int
	dir    string
	page   string
	beside []string
}

func (c *cli) reproduce() *cobra.Command {
	var o trialOptions
	cmd := &cobra.Command{Use: "reproduce ID|NAME|all", Short: "Test a paper's claims at small scale; exit status 1 where one does not hold", Args: args("ID|NAME|all"),
		Long: "Test a paper's claims at small scale. A claim holds where the method keeps its bound and the same method without its ingredient, in its place, does not. " +
			"Exit status 1 where one does not hold.\n\n" +
			"With --output every experiment that ends is a line of results.jsonl in a folder, and the same command again makes only those that are missing: " +
			"what takes hours can be made over several sittings. A line counts for the same seeds, the same vector instructions and the very same executable: " +
			"a program that was built from other code makes everything anew. Without --output they are kept in the directory of the run (--runs), which --resume RUN goes on with.",
		Example: "  pare reproduce 08\n  pare reproduce all --first-seed 101\n  pare reproduce all --page claims.md -o claims\n  PARE_ISA=avx2 pare reproduce all --json > avx2.json\n  pare reproduce all --page claims.md --beside avx2.json",
		RunE:    func(cmd *cobra.Command, a []string) error { return c.runReproduce(cmd, a[0], o) }}
	cmd.Flags().IntVar(&o.seeds, "seeds", 0, "number of seeds (0: the experiment's own)")
	cmd.Flags().IntVar(&o.first, "first-seed", 1, "first of the seeds, which follow each other")
	cmd.Flags().StringVarP(&o.dir, "output", "o", "", "folder that keeps what is done, for the same command to go on from")
	cmd.Flags().StringVar(&o.page, "page", "", "write a page of documentation (.md)")
	cmd.Flags().StringSliceVar(&o.beside, "beside", nil, "with --page: other runs, as --json printed them, that stand beside this one")
	c.runFlags(cmd)
	inSections(cmd)
	return cmd
}

func (c *cli) runReproduce(cmd *cobra.Command, name string, o trialOptions) error {
	es, err := claimants(name)
	if err != nil {
		return err
	}
	if err := cmp.Or(atLeast(0, "seeds", o.seeds), atLeast(0, "first-seed", o.first), c.claim(places{out: []file{{"page", o.page, docPages}}})); err != nil {
		return err
	}
	if o.beside != nil && o.page == "" {
		return usage("--beside is for the page: give --page")
	}
	others, err := besides(name, o.beside)
	if err != nil {
		return err
	}
	if err := c.beginTrials(cmd, &o, es); err != nil {
		return err
	}
	ctx := cmd.Context()
	var ledger *reproduce.Ledger
	if o.dir != "" {
		if ledger, err = reproduce.OpenLedger(o.dir); err != nil {
			return err
		}
		defer ledger.Close()
	}
	var trials []*evidence.Trial
	for _, e := range es {
		t, err := c.try(ctx, ledger, e, uint64(o.first), cmp.Or(o.seeds, e.Seeds))
		if err != nil && ctx.Err() != nil && ledger != nil {
			if a := c.rec.active; a != nil && o.dir == a.Dir {
				return stopped("stopped; what is done is kept in %s", o.dir)
			}
			return stopped("stopped; what is done is kept in %s, and the same command goes on from there", o.dir)
		}
		if err != nil {
			return err
		}
		trials = append(trials, t)
		if !c.json && o.page == "" {
			fmt.Fprintf(c.out, "%s: %s\n", t.Name, t.Summary())
			t.Table().Print(c.out, c.width())
		}
	}
	if o.page != "" {
		if err := evidence.Page(runOf(name, trials), others).SaveMarkdown(o.page, writtenBy("pare reproduce")); err != nil {
			return err
		}
	}
	verdicts, failed := evidence.Verdicts(trials)
	if err := c.result(trials); err != nil {
		return err
	}
	if !c.json {
		fmt.Fprintln(c.out)
		verdicts.Print(c.out, c.width())
		if a := evidence.Answers(trials); a != nil {
			fmt.Fprintln(c.out)
			a.Print(c.out, c.width())
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d claims do not hold", failed)
	}
	return nil
}

// beginTrials begins the run. Where no other folder is given, what is done is kept in its
// directory.
func (c *cli) beginTrials(cmd *cobra.Command, o *trialOptions, es []*evidence.Experiment) error {
	r := &runs.Record{}
	if o.dir != "" {
		if err := c.folder("output", o.dir); err != nil {
			return err
		}
		r = outputFolder(o.dir)
	}
	if err := c.beginMany(cmd, r); err != nil {
		return err
	}
	if c.rec.active != nil && o.dir == "" {
		o.dir = c.rec.active.Dir
	}
	return c.note(func(r *runs.Record) {
		r.Methods, r.Seeds = nil, nil
		most := 0
		for _, e := range es {
			r.Methods = append(r.Methods, e.Name)
			most = max(most, cmp.Or(o.seeds, e.Seeds))
		}
		for i := range most {
			r.Seeds = append(r.Seeds, uint64(o.first+i))
		}
	})
}

// runOf is trials with the command that makes them.
func runOf(name string, ts []*evidence.Trial) evidence.Run {
	r := evidence.Run{Command: "pare reproduce " + name, Trials: ts}
	if len(ts) > 0 {
		r.Command = fmt.Sprintf("PARE_ISA=%s %s --first-seed %d", ts[0].Level, r.Command, ts[0].First)
	}
	return r
}

// mostBeside bounds a file of trials: all experiments take a tenth of a megabyte.
const mostBeside = 16 << 20

// besides reads runs that --json printed.
func besides(name string, files []string) ([]evidence.Run, error) {
	var out []evidence.Run
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		var ts []*evidence.Trial
		if err := json.NewDecoder(io.LimitReader(f, mostBeside)).Decode(&ts); err != nil {
			return nil, fmt.Errorf("%s is not what --json printed: %w", file, err)
		}
		if slices.Contains(ts, nil) {
			return nil, fmt.Errorf("%s is not what --json printed: it has an empty trial", file)
		}
		out = append(out, runOf(name, ts))
	}
	return out, nil
}

// claimants are the experiments that a name stands for.
func claimants(name string) ([]*evidence.Experiment, error) {
	if name == "all" {
		return reproduce.List(), nil
	}
	if e := reproduce.Find(name); e != nil {
		return []*evidence.Experiment{e}, nil
	}
	if _, err := methodOf(name); err != nil { // it suggests the nearest name
		return nil, usageError{err}
	}
	return nil, usage("%s has no experiment; those that have are %s", name, reproduce.Names())
}

// try makes an experiment under a progress bar, unless it is made already.
func (c *cli) try(ctx context.Context, l *reproduce.Ledger, e *evidence.Experiment, first uint64, seeds int) (*evidence.Trial, error) {
	b := c.bar(seeds, e.Name)
	defer b.done()
	m, err := c.metrics()
	if err != nil {
		return nil, err
	}
	t, kept, err := l.Try(ctx, e, first, seeds, func(done int) {
		b.set(done, fmt.Sprintf("%s, %d of %d seeds done", e.Name, done, seeds))
		m.Add(&runs.Point{Time: time.Now(), Of: e.Name, Step: done})
	})
	if kept {
		c.say("%s: made before", e.Name)
	}
	return t, err
}
