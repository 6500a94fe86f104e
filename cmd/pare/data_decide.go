package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
	fmt.Fprintf(c.out, "%s suggests to leave out %d of %d samples; edit it, and then: pare data apply %s %s -o OUT.npz\n", to, drop, hygiene.Of(d).Len(), to, spec)
	return nil
}

// sampleFiles are what apply writes.
var sampleFiles = []string{".npz", ".npy"}

func (c *cli) applyData() *cobra.Command {
	var out string
	var force bool
	cmd := &cobra.Command{Use: "apply DECISIONS SPEC -o OUT", Short: "Leave out and relabel samples as a file of decisions says", Args: args("DECISIONS", "SPEC"),
		Long: `Reads a file of decisions that pare data inspect --decisions or pare data dedup has written and a person may have edited, and
writes the sets without the samples that it drops and with the labels that it changes. An id that is not there or comes
twice, an action other than keep, drop and relabel, or a class that is not there is refused, with its line; so is other
data than the decisions were made for, by the digest. The output is an .npz file that every command reads, or an .npy file of the
numbers of the training samples that stay.`,
		Example: `  pare data apply decisions.csv cifar10:DIR -o clean.npz
  pare data apply decisions.jsonl npz:train.npz -o kept.npy

` + dataset.Help,
		RunE: func(_ *cobra.Command, a []string) error { return c.runApplyData(a[0], a[1], out, force) }}
	cmd.Flags().StringVarP(&out, "out", "o", "", "file to write: .npz (the samples) or .npy (the numbers of the training samples that stay)")
	cmd.Flags().BoolVar(&force, "force", false, "apply decisions to data that are not those that they were made for")
	c.dataMemory(cmd)
	inSections(cmd)
	return cmd
}

func (c *cli) runApplyData(decisions, spec, out string, force bool) error {
	if out == "" {
		return usage("give -o FILE: where the result goes, .npz or .npy")
	}
	if err := c.claim(places{in: append(dataFiles(spec), input{what: "file of decisions", path: decisions}), out: []file{{"out", out, sampleFiles}}}); err != nil {
		return err
	}
	f, err := os.Open(decisions)
	if err != nil {
		return err
	}
	defer f.Close()
	of, ds, err := hygiene.ReadDecisions(f)
	if err != nil {
		return fmt.Errorf("%s: %w", decisions, err)
	}
	if force {
		of = nil
	}
	d, err := c.open(spec)
	if err != nil {
		return err
	}
	kept, did, err := hygiene.Of(d).Apply(of, ds)
	if err != nil {
		return fmt.Errorf("%s: %w", decisions, err)
	}
	if strings.EqualFold(filepath.Ext(out), ".npy") {
		if did.Relabeled > 0 {
			return usage("--out %s: an index cannot hold %d new labels; give an .npz file", out, did.Relabeled)
		}
		err = hygiene.SaveIndex(out, kept[0])
	} else {
		err = kept.SaveNPZ(c.ctx, out)
	}
	if err != nil {
		return err
	}
	for _, n := range did.Notes {
		c.say("note: %s", n)
	}
	if c.json {
		return c.printJSON(did)
	}
	for _, s := range kept {
		fmt.Fprintf(c.out, "%s set: %d samples stay, %d are left out\n", s.Name, did.Kept[s.Name], did.Dropped[s.Name])
	}
	fmt.Fprintf(c.out, "%d labels changed; written to %s\n", did.Relabeled, out)
	return nil
}
