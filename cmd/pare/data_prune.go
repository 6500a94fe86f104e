package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"pare/catalog"
	"pare/data"
	"pare/report"

	"github.com/spf13/cobra"
)

// defaultSubset is the method of pare data prune.
const defaultSubset = "random-subset"

func (c *cli) pruneData() *cobra.Command {
	q := &fromFiles{method: c.chooseOfData("prune", defaultSubset)}
	cmd := &cobra.Command{Use: "prune --data SPEC -o OUT.txt", Short: "Choose the training samples that stay",
		Args: args(),
		Long: `Chooses samples of a training set by a method of the catalogue (pare methods), at random where none is named, which is
the baseline that others must beat. OUT is the list of their numbers, in .txt, .csv, .jsonl or .npy; pare model train
--subset OUT trains on it.

The settings of the method are flags: pare data prune --method NAME --help shows those of NAME.`,
		Example: `  pare data prune --data cifar10:DIR --method ccs --keep 0.1 --cutoff 0.3 --score aum.csv -o tenth.txt
  pare data prune --data cifar10:DIR --method rank --end easy --floor 0.5 --keep 0.2 --score prototypes.csv -o easy.txt
  pare data prune --data 'jsonl:train.jsonl?text=text&length=512' --model SmolLM2-135M.gguf --method quantile --score perplexity.csv -o middle.txt
  pare data prune --data cifar10:DIR --keep 0.1 --stratified -o random.txt
  pare data prune --data cifar10:DIR --method k-centre --samples 1000 --encoder net.onnx -o centres.jsonl
  pare data prune --data 'cifar10:DIR?val=0.1' --method rank --end auto --pilot resnet20 --keep 0.3 --score aum.csv -o third.txt
  pare data prune --method label-mapping --source photos:DIR --target flowers:DIR --surrogate small.onnx --classes 0.4 -o kept.txt
  pare model train resnet20 --data cifar10:DIR --subset tenth.txt --epochs 200 -o net.onnx`,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runPruneData(cmd, q) }}
	f := cmd.Flags()
	f.StringVarP(&q.to, "output", "o", "", "list of samples to write (.txt, .csv, .jsonl or .npy)")
	f.StringVar(&q.score, "score", "", "file of scores that samples are chosen by (.csv, .jsonl or .npy)")
	f.StringVar(&q.hard, "hard", "", "end of the scores that is hard, low or high, where the file does not say")
	f.StringVar(&q.cut, "cut", "", "another file of scores, by which the very hardest are cut off (ccs)")
	f.StringVar(&q.language, "model", "", "language model that made the tokens of the texts that were scored")
	q.transfer.flags(f)
	q.pilot.flags(f)
	q.flags(c, cmd, defaultSubset)
	return cmd
}

// subsetSummary is what stays.
type subsetSummary struct {
	File     string         `json:"file"`
	Samples  int            `json:"samples"`
	Classes  []classCount   `json:"classes,omitempty"`
	Coverage *float64       `json:"coverage,omitempty"` // mean distance of all samples to the nearest that stays, where there are embeddings
	Facts    any            `json:"facts,omitempty"`
	Notes    []catalog.Text `json:"notes,omitempty"`
	*data.Subset
}

// classCount is what a class keeps.
type classCount struct {
	Class  int32  `json:"class"`
	Name   string `json:"name,omitempty"`
	Before int    `json:"before"`
	After  int    `json:"after"`
}

func (c *cli) runPruneData(cmd *cobra.Command, q *fromFiles) error {
	j, err := q.job(c, cmd, subsetFiles)
	if err != nil {
		return err
	}
	res, err := data.Run(cmd.Context(), q.method, j)
	if err != nil {
		return err
	}
	if res.Subset.Classes != nil && strings.EqualFold(filepath.Ext(q.to), ".npy") {
		res.Note("%s is an array, which says nothing of classes: labels keep their numbers and validation sets stay whole (.txt, .csv and .jsonl say it)", q.to)
	}
	if err := q.write(c, res, res.Subset.Encode); err != nil {
		return err
	}
	s := &subsetSummary{File: q.to, Samples: len(res.Subset.Numbers), Facts: res.Facts, Notes: res.Notes, Subset: res.Subset}
	in := map[int32]bool{}
	for _, k := range res.Subset.Numbers {
		in[k] = true
	}
	s.count(j, in)
	if e := j.Embeddings; e != nil && j.Targets == nil {
		var places []int
		for i := range e.N {
			if in[int32(j.Set.Number(i))] {
				places = append(places, i)
			}
		}
		by, err := data.Coverage(e, e.Only(places))
		if err != nil {
			return err
		}
		s.Coverage = &by
	}
	if c.json {
		return c.printJSON(s)
	}
	fmt.Fprintf(c.out, "%d of %d samples stay, by %s: %s\n", s.Samples, s.Of, s.Name, q.to)
	if s.Coverage != nil {
		fmt.Fprintf(c.out, "mean distance of a sample to the nearest that stays: %.4g\n", *s.Coverage)
	}
	if len(s.Classes) > 0 && len(s.Classes) <= 100 {
		fmt.Fprintln(c.out)
		t := &report.Table{Columns: []string{"class", "name", "samples", "stay", "share"}}
		for _, x := range s.Classes {
			t.Rows = append(t.Rows, []report.Cell{report.Text(fmt.Sprint(x.Class)), report.Text(x.Name), report.Count(int64(x.Before)), report.Count(int64(x.After)), report.Text(fmt.Sprintf("%.1f %%", 100*float64(x.After)/float64(x.Before)))})
		}
		t.Print(c.out, c.width())
	}
	return nil
}

// count counts the classes.
func (s *subsetSummary) count(j *data.Job, in map[int32]bool) {
	class := data.Classes(j.Set)
	if class == nil {
		return
	}
	y := j.Set.Class()
	all := make([]classCount, y.Classes)
	for i, c := range class {
		if c < 0 || int(c) >= len(all) {
			continue
		}
		if all[c].Before++; in[int32(j.Set.Number(i))] {
			all[c].After++
		}
	}
	for c, x := range all {
		if x.Before > 0 {
			if x.Class = int32(c); c < len(y.Names) {
				x.Name = y.Names[c]
			}
			s.Classes = append(s.Classes, x)
		}
	}
}
