package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"pare/data"
	"pare/data/hygiene"
	"pare/dataset"

	"github.com/spf13/cobra"
)

// sampleFiles are what apply writes.
var sampleFiles = []string{".npz", ".npy"}

func (c *cli) applyData() *cobra.Command {
	var out string
	var force bool
	cmd := &cobra.Command{Use: "apply DECISIONS|SUBSET SPEC -o OUT", Short: "Leave out and relabel samples as a file of decisions, or a subset, says", Args: args("DECISIONS|SUBSET", "SPEC"),
		Long: `Reads a file of decisions that pare data inspect --decisions or pare data dedup has written and a person may have edited, and
writes the sets without the samples that it drops and with the labels that it changes. An id that is not there or comes
twice, an action other than keep, drop and relabel, or a class that is not there is refused, with its line; so is other
data than the decisions were made for, by the digest. The output is an .npz file that every command reads, or an .npy file of the
numbers of the training samples that stay.

A list of samples that pare data prune has written is applied alike: others leave the training set. Where it keeps whole
classes (label-mapping), the others leave all sets, and the labels that stay are numbered anew.`,
		Example: `  pare data apply decisions.csv cifar10:DIR -o clean.npz
  pare data apply decisions.jsonl npz:train.npz -o kept.npy
  pare data apply tenth.txt cifar10:DIR -o tenth.npz

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
	if subset, err := c.subsetOf(decisions); err != nil {
		return err
	} else if subset != nil {
		return c.applySubset(subset, decisions, spec, out, force)
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
	if err := c.writeApplied(out, kept, did); err != nil {
		return err
	}
	for _, n := range did.Notes {
		c.say("note: %s", n)
	}
	if c.json {
		return c.printJSON(did)
	}
	c.tellApplied(kept, did, out)
	return nil
}

// writeApplied writes the sets that stay, or which samples of the training set do.
func (c *cli) writeApplied(out string, kept hygiene.Corpus, did *hygiene.Applied) error {
	if !strings.EqualFold(filepath.Ext(out), ".npy") {
		return kept.SaveNPZ(c.ctx, out)
	}
	if did.Relabeled > 0 {
		return usage("--out %s: an index cannot hold %d new labels; give an .npz file", out, did.Relabeled)
	}
	return hygiene.SaveIndex(out, kept[0])
}

// subsetOf reads a list of samples; nil where the file is one of decisions.
func (c *cli) subsetOf(path string) (*data.Subset, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if ext := strings.ToLower(filepath.Ext(path)); ext != ".txt" && ext != ".npy" {
		line, err := bufio.NewReader(io.LimitReader(f, 1<<20)).ReadBytes('\n')
		var about struct{ Subset string }
		if err != nil && err != io.EOF || json.Unmarshal(bytes.TrimPrefix(line, []byte("#")), &about) != nil || about.Subset == "" {
			return nil, nil // it does not say that it is a subset
		}
	}
	return data.ReadSubset(path)
}

// applySubset writes the data with the samples of a subset alone.
func (c *cli) applySubset(s *data.Subset, path, spec, out string, force bool) error {
	if force {
		s.Data = ""
	}
	d, err := c.open(spec)
	if err != nil {
		return err
	}
	kept, err := s.Apply(d)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	did := &hygiene.Applied{Kept: map[string]int{}, Dropped: map[string]int{}}
	before, after := hygiene.Of(d), hygiene.Of(kept)
	for i, t := range after {
		did.Kept[t.Name], did.Dropped[t.Name] = t.Len(), before[i].Len()-t.Len()
		if y := t.Class(); len(s.Classes) > 0 && y != before[i].Class() {
			did.Relabeled += renumbered(t, before[i])
		}
	}
	if err := c.writeApplied(out, after, did); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(did)
	}
	c.tellApplied(after, did, out)
	return nil
}

// renumbered is the number of samples of a set that have another label than before.
func renumbered(set, before *dataset.Set) (n int) {
	was := before.Class()
	for i := range set.Len() {
		if set.Label(i) != was.Ints[set.Number(i)] {
			n++
		}
	}
	return n
}

// tellApplied prints what was done.
func (c *cli) tellApplied(kept hygiene.Corpus, did *hygiene.Applied, out string) {
	for _, s := range kept {
		fmt.Fprintf(c.out, "%s set: %d samples stay, %d are left out\n", s.Name, did.Kept[s.Name], did.Dropped[s.Name])
	}
	fmt.Fprintf(c.out, "%d labels changed; written to %s\n", did.Relabeled, out)
}
