package main

import (
	"fmt"

	"pare/data/hygiene"
	"pare/dataset"

	"github.com/spf13/cobra"
)

func (c *cli) dedupData() *cobra.Command {
	q := &looking{}
	cmd := &cobra.Command{Use: "dedup SPEC -o DECISIONS", Short: "Find samples that are there twice, or nearly, and write which to leave out", Args: args("SPEC"),
		Long: `Finds samples that are equal in every value, and with --near, --embeddings or --encoder those that are nearly the same, within
a set and between sets. Of those that are alike one stays; a training sample that is like one of the test set goes, for what
is measured on that would be memory. Nothing is removed: the decisions go to a .csv or .jsonl file, which can be
edited (the column action: keep, drop or relabel) and which pare data apply applies.`,
		Example: `  pare data dedup cifar10:DIR -o decisions.csv
  pare data dedup cifar10:DIR --encoder net.onnx --near 0.01 -o decisions.csv
  pare data apply decisions.csv cifar10:DIR -o clean.npz

` + dataset.Help,
		RunE: func(_ *cobra.Command, a []string) error { return c.runDedupData(a[0], q) }}
	cmd.Flags().StringVarP(&q.decisions, "out", "o", "", "file of decisions to write, .csv or .jsonl")
	cmd.Flags().StringVar(&q.html, "html", "", "write a page that shows what was found, with the samples")
	c.lookingFlags(cmd, q)
	inSections(cmd)
	return cmd
}

func (c *cli) runDedupData(spec string, q *looking) error {
	if q.decisions == "" {
		return usage("give -o FILE: where the decisions go, .csv or .jsonl")
	}
	if err := c.claim(places{in: append(dataFiles(spec), q.inputs()...), out: []file{{"out", q.decisions, lists}, {"html", q.html, pages}}}); err != nil {
		return err
	}
	d, err := c.open(spec)
	if err != nil {
		return err
	}
	to := q.decisions
	q.decisions = ""
	found, err := c.look(spec, d, q, true)
	if err != nil {
		return err
	}
	found.Labels, found.LabelsBy, found.Outliers, found.Fence = nil, "", nil, 0
	ds := found.Suggest()
	if err := hygiene.SaveDecisions(to, hygiene.Of(d).Digests(), ds); err != nil {
		return err
	}
	drop := 0
	for _, x := range ds {
		if x.Action == hygiene.Drop {
			drop++
		}
	}
	if c.json {
		return c.printJSON(map[string]any{"data": spec, "decisions": to, "drop": drop, "found": found})
	}
	for _, s := range found.Verdict() {
		fmt.Fprintln(c.out, s)
	}
	fmt.Fprintf(c.out, "%s suggests to leave out %d of %d samples; edit it, and then: pare data apply %s %s -o OUT\n", to, drop, hygiene.Of(d).Len(), to, spec)
	return nil
}
