package main

import (
	"cmp"
	"context"
	"fmt"

	"pare/evidence"
	"pare/model/all"
	"pare/reproduce"

	"github.com/spf13/cobra"
)

func (c *cli) reproduce() *cobra.Command {
	var seeds int
	var page string
	cmd := &cobra.Command{Use: "reproduce ID|NAME|all", Short: "Test a paper's claims at small scale; exit status 1 where one does not hold", Args: args("ID|NAME|all"),
		Example: "  pare reproduce 08\n  pare reproduce all --seeds 6",
		RunE:    func(cmd *cobra.Command, a []string) error { return c.runReproduce(cmd.Context(), a[0], seeds, page) }}
	cmd.Flags().IntVar(&seeds, "seeds", 0, "number of seeds (0: the experiment's own)")
	cmd.Flags().StringVar(&page, "page", "", "write a page of documentation (.md)")
	return cmd
}

func (c *cli) runReproduce(ctx context.Context, name string, seeds int, page string) error {
	es, err := claimants(name)
	if err != nil {
		return err
	}
	if err := cmp.Or(atLeast(0, "seeds", seeds), c.claim(places{out: []file{{"page", page, docPages}}})); err != nil {
		return err
	}
	var trials []*evidence.Trial
	for _, e := range es {
		t, err := c.try(ctx, e, cmp.Or(seeds, e.Seeds))
		if err != nil {
			return err
		}
		trials = append(trials, t)
		if !c.json && page == "" {
			fmt.Fprintf(c.out, "%s: %s\n", t.Name, t.Summary())
			t.Table().Print(c.out, c.width())
		}
	}
	if page != "" {
		if err := evidence.Page(trials, "pare reproduce "+name).SaveMarkdown(page, writtenBy("pare reproduce")); err != nil {
			return err
		}
	}
	verdicts, failed := evidence.Verdicts(trials)
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
	return nil, usage("%s is a baseline and has no claim of its own; those that have are %s", m.Card().Name, reproduce.Names())
}

// try makes an experiment under a progress bar.
func (c *cli) try(ctx context.Context, e *evidence.Experiment, seeds int) (*evidence.Trial, error) {
	b := c.bar(seeds, e.Name)
	defer b.done()
	return e.Try(ctx, seeds, func(done int) { b.set(done, fmt.Sprintf("%s, %d of %d seeds done", e.Name, done, seeds)) })
}
