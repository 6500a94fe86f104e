package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pare/catalog"
	"pare/data"
	"pare/data/hygiene"
	"pare/dataset"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
)

// Endings of what apply writes, where that is a file.
var (
	ownFiles   = []string{".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".parq", ".txt", ".gz", ".npz", ".npy"}
	indexFiles = data.Files
)

// forms are what apply writes the samples as.
var forms = []string{"auto", "files", "links", "symlinks", "arrays", "index"}

// applying is what flags say of how samples that stay are written.
type applying struct {
	choice, spec string // the file of decisions or of a subset, and the data
	out, as      string
	language     string
	force        bool
}

func (c *cli) applyData() *cobra.Command {
	q := &applying{}
	cmd := &cobra.Command{Use: "apply FILE SPEC -o OUT", Short: "Write the samples that stay, and those that are relabelled, to files like those they came from", Args: args("FILE", "SPEC"),
		Long: `FILE is decisions, which pare data inspect --decisions or pare data dedup has written and a person may have edited, or a
list of training samples, as of pare data prune. The sets are written without the samples that go and with the labels that
change, a part of them at a time, so that they may be larger than memory. Where a list keeps whole
classes (label-mapping), the others leave all sets, and the labels that stay are numbered anew. An id that is not there or comes
twice, an action other than keep, drop and relabel, or a class that is not there is refused, with its line; so is other
data than FILE was made for, by the digest.

OUT is by --as
  files     what the data are: CSV, JSON, lines, Parquet, .npz, .npy, idx, the files of MNIST and CIFAR, a folder of images. What is
            kept of a sample has the bytes that it had; gzipped files are gzipped. Data of one file go to a file of the same
            ending, others to a new folder
  links     a folder of images, of hard links to the files that there are; symlinks: of symbolic ones
  arrays    an .npz file of the samples as they are read, which every command reads
  index     the numbers of the training samples that stay, for pare model train --subset: .txt, .csv, .jsonl, .npy
  auto      index where OUT ends in .npy or .txt and the data do not, arrays where it ends in .npz and the data are not one
            such file or labels change, and otherwise files`,
		Example: `  pare data apply decisions.csv cifar10:DIR -o clean                  # a folder of the files of CIFAR-10
  pare data apply decisions.csv folder:DIR -o clean --as symlinks
  pare data apply tenth.txt parquet:train.parquet -o tenth.parquet
  pare data apply decisions.jsonl npz:train.npz -o kept.npy

` + dataset.Help,
		RunE: func(_ *cobra.Command, a []string) error {
			q.choice, q.spec = a[0], a[1]
			return c.runApplyData(q)
		}}
	cmd.Flags().StringVarP(&q.out, "out", "o", "", "file or new folder to write")
	cmd.Flags().StringVar(&q.as, "as", "auto", "what is written: files, links, symlinks, arrays, index; or auto, by OUT")
	cmd.Flags().StringVar(&q.language, "model", "", "language model that made the tokens of the texts that were scored")
	cmd.Flags().BoolVar(&q.force, "force", false, "apply decisions to data that are not those that they were made for")
	c.dataMemory(cmd)
	inSections(cmd)
	return cmd
}

// claim checks what can be checked before the data are opened.
func (q *applying) claim(c *cli) error {
	if q.out == "" {
		return usage("give -o OUT: the file or folder that the samples go to")
	}
	if !slices.Contains(forms, q.as) {
		return usage("--as %s: %s is needed", q.as, strings.Join(forms, ", "))
	}
	if es, err := os.ReadDir(q.out); err == nil && len(es) > 0 {
		return usage("--out %s is a folder with something in it: give a new one", q.out)
	}
	ends := folders
	switch end := strings.ToLower(filepath.Ext(q.out)); {
	case q.as == "index":
		ends = indexFiles
	case q.as == "arrays":
		ends = []string{".npz"}
	case q.as != "links" && q.as != "symlinks" && slices.Contains(ownFiles, end) && !isFolder(q.out):
		ends = ownFiles
	}
	return c.claim(places{in: append(dataFiles(q.spec), input{what: "file of decisions", path: q.choice}), out: []file{{"out", q.out, ends}}})
}

func (c *cli) runApplyData(q *applying) error {
	if err := q.claim(c); err != nil {
		return err
	}
	decide, err := readChoice(q.choice)
	if err != nil {
		return err
	}
	if m, err := (&fromFiles{language: q.language}).speaks(c); err != nil {
		return err
	} else if m != nil {
		defer m.Close()
	}
	d, err := c.open(q.spec)
	if err != nil {
		return err
	}
	kept, did, err := decide(d, q.force)
	if err != nil {
		return fmt.Errorf("%s: %w", q.choice, err)
	}
	w, err := q.write(c, d, kept, did)
	if err != nil {
		return err
	}
	for _, n := range append(did.Notes, w.Notes...) {
		c.say("note: %s", n)
	}
	if c.json {
		return c.printJSON(struct {
			Out string `json:"out"`
			*hygiene.Applied
			*dataset.Written
		}{q.out, did, w})
	}
	for _, s := range kept {
		fmt.Fprintf(c.out, "%s set: %d samples stay, %d are left out\n", s.Name, did.Kept[s.Name], did.Dropped[s.Name])
	}
	fmt.Fprintf(c.out, "%d labels changed; written to %s\n", did.Relabeled, q.out)
	if w.Spec != "" {
		fmt.Fprintf(c.out, "read it as %s\n", w.Spec)
	}
	return nil
}

// decider gives the sets of data as a file wants them.
type decider func(d *dataset.Data, force bool) (hygiene.Corpus, *hygiene.Applied, error)

// readChoice reads decisions, or a list of samples.
func readChoice(path string) (decider, error) {
	listed, err := isSubset(path)
	if err != nil {
		return nil, err
	}
	if listed {
		s, err := data.ReadSubset(path)
		if err != nil {
			return nil, err
		}
		return func(d *dataset.Data, force bool) (hygiene.Corpus, *hygiene.Applied, error) {
			if force {
				s.Data = ""
			}
			kept, err := s.Apply(d)
			if err != nil {
				return nil, nil, err
			}
			after := hygiene.Of(kept)
			return after, hygiene.Compared(hygiene.Of(d), after), nil
		}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	of, ds, err := hygiene.ReadDecisions(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return func(d *dataset.Data, force bool) (hygiene.Corpus, *hygiene.Applied, error) {
		if force {
			of = nil
		}
		return hygiene.Of(d).Apply(of, ds)
	}, nil
}

// isSubset says whether a file lists samples, by its ending and its first lines.
func isSubset(path string) (bool, error) {
	if end := strings.ToLower(filepath.Ext(path)); end == ".npy" || end == ".txt" {
		return true, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head, _ := bufio.NewReaderSize(f, 1<<16).Peek(1 << 16)
	lines := bytes.SplitN(head, []byte{'\n'}, 3)
	first := string(bytes.Join(lines[:min(2, len(lines))], nil))
	return !strings.Contains(first, "pare_decisions") && !strings.Contains(strings.ToLower(first), "action"), nil
}

// write writes the samples that stay in the form that is asked for.
func (q *applying) write(c *cli, d *dataset.Data, kept hygiene.Corpus, did *hygiene.Applied) (*dataset.Written, error) {
	kind, files := "", map[string]bool{}
	for _, s := range kept {
		if o := s.Origin; o != nil {
			kind = o.Kind
			for _, f := range o.Files {
				files[f] = true
			}
		}
	}
	as, end := q.as, strings.ToLower(filepath.Ext(q.out))
	if as == "auto" {
		switch {
		case end == ".npy", end == ".txt" && kind != "lines":
			as = "index"
		case end == ".npz" && (kind != "npz" || len(files) > 1 || did.Relabeled > 0):
			as = "arrays"
		default:
			as = "files"
		}
	}
	switch as {
	case "index":
		return &dataset.Written{Files: 1}, q.index(d, kept, did)
	case "arrays":
		return &dataset.Written{Files: 1, Spec: "npz:" + q.out}, kept.SaveNPZ(c.ctx, q.out)
	}
	how := map[string]dataset.Copying{"files": dataset.Copies, "links": dataset.HardLinks, "symlinks": dataset.Symlinks}[as]
	w, err := d.WriteKept(c.ctx, kept, q.out, how)
	var wrong *catalog.Error
	if errors.As(err, &wrong) {
		err = usage("%s", catalog.Rename(err, func(field string) string {
			return map[string]string{"To": "--out", "How": "--as"}[field]
		}))
	}
	return w, err
}

// index writes the numbers of the training samples that stay.
func (q *applying) index(d *dataset.Data, kept hygiene.Corpus, did *hygiene.Applied) error {
	if did.Relabeled > 0 {
		return usage("--out %s: an index cannot hold %d new labels; give files or arrays by --as", q.out, did.Relabeled)
	}
	if d.Train == nil {
		return usage("--out %s: an index is one of training samples, and there are none", q.out)
	}
	s := &data.Subset{Name: "apply", Data: d.Train.Stored().Digest(), Of: d.Train.Len(), Made: map[string]string{"by": filepath.Base(q.choice)}}
	for i := range kept[0].Len() {
		s.Numbers = append(s.Numbers, int32(kept[0].Number(i)))
	}
	s.Sort()
	b, err := s.Encode(filepath.Ext(q.out))
	if err != nil {
		return err
	}
	return renameio.WriteFile(q.out, b, 0o644, renameio.WithTempDir(filepath.Dir(q.out)))
}
