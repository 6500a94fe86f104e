package main

import (
	"fmt"
	"math"
	"slices"

	"pare/catalog"
	"pare/data"
	"pare/report"

	"github.com/spf13/cobra"
)

// defaultScore is the method of pare data score.
const defaultScore = "aum"

func (c *cli) scoreData() *cobra.Command {
	q := &fromFiles{method: c.chooseOfData("score", defaultScore)}
	cmd := &cobra.Command{Use: "score --data SPEC -o OUT.csv", Short: "Give each training sample a number: how hard it is",
		Args: args(),
		Long: `Scores the samples of a training set by a method of the catalogue (pare methods): by what a training made of them
(--dynamics), by what a network gives (--network), by where they lie among embeddings (--embeddings, or --encoder), or, of
texts, by how likely they are to a language model (--model).
OUT ends in .csv, .jsonl or .npy. It says which end of the scores is hard, and which data they are of; samples go by
their numbers in the file that the data comes from.`,
		Example: `  pare model train resnet20 --data cifar10:DIR -o net.onnx --record dynamics
  pare data score --data cifar10:DIR --dynamics net.onnx.dynamics -o aum.csv
  pare data score --data cifar10:DIR --method el2n --window 10 --dynamics net.onnx.dynamics -o el2n.csv
  pare data score --data cifar10:DIR --method prototypes --encoder net.onnx -o prototypes.csv
  pare data score --data digits --method grand --network net.onnx -o grand.jsonl
  pare data score --data 'jsonl:train.jsonl?text=text&length=512' --method perplexity --model SmolLM2-135M.gguf -o perplexity.csv
  pare data score --data mnist:DIR --method memorisation --network mlp:784-64-10 -o memorised.csv`,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runScoreData(cmd, q) }}
	cmd.Flags().StringVarP(&q.to, "output", "o", "", "file of scores to write (.csv, .jsonl or .npy)")
	cmd.Flags().StringSliceVar(&q.networks, "network", nil, "networks that give the scores, or their gradients: the mean of several; an architecture where weights are drawn anew")
	cmd.Flags().StringVar(&q.language, "model", "", "language model on this machine to which texts are likely or not (perplexity); it makes the tokens of lines, and of the column that text= in --data names")
	q.flags(c, cmd, defaultScore)
	return cmd
}

// scoreSummary is what scores are.
type scoreSummary struct {
	File      string         `json:"file"`
	Samples   int            `json:"samples"`
	Never     int            `json:"never,omitempty"` // never learnt
	Quartiles [5]float64     `json:"quartiles"`       // least, quarters, most, of those that are finite
	Hardest   []scoredSample `json:"hardest"`
	Facts     any            `json:"facts,omitempty"`
	Notes     []catalog.Text `json:"notes,omitempty"`
	*data.Score
}

// scoredSample is a sample with its score; null: it was never learnt.
type scoredSample struct {
	ID    int32    `json:"id"`
	Class *int32   `json:"class,omitempty"`
	Value *float64 `json:"value"`
}

// hardestShown is how many of the hardest samples are listed.
const hardestShown = 10

func (c *cli) runScoreData(cmd *cobra.Command, q *fromFiles) error {
	j, err := q.job(c, cmd, scoreFiles)
	if err != nil {
		return err
	}
	res, err := data.Run(cmd.Context(), q.method, j)
	if err != nil {
		return err
	}
	if err := q.write(c, res, res.Score.Encode); err != nil {
		return err
	}
	s := summary(res, j, q.to)
	if c.json {
		return c.printJSON(s)
	}
	fmt.Fprintf(c.out, "%d samples scored by %s, %s is hard: %s\n", s.Samples, s.Name, s.Hard, q.to)
	fmt.Fprintf(c.out, "least %.4g, quarters %.4g, %.4g, %.4g, most %.4g\n\nthe hardest:\n", s.Quartiles[0], s.Quartiles[1], s.Quartiles[2], s.Quartiles[3], s.Quartiles[4])
	t := &report.Table{Columns: []string{"sample", "class", s.Name}}
	for _, x := range s.Hardest {
		class, value := "", "never learnt"
		if x.Class != nil {
			class = fmt.Sprint(*x.Class)
		}
		if x.Value != nil {
			value = fmt.Sprintf("%.4g", *x.Value)
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(fmt.Sprint(x.ID)), report.Text(class), report.Text(value)})
	}
	t.Print(c.out, c.width())
	return nil
}

func summary(res *data.Result, j *data.Job, file string) *scoreSummary {
	s := &scoreSummary{File: file, Samples: len(res.Score.Values), Facts: res.Facts, Notes: res.Notes, Score: res.Score}
	var finite []float64
	for _, v := range res.Score.Values {
		if math.IsInf(v, 0) {
			s.Never++
		} else {
			finite = append(finite, v)
		}
	}
	slices.Sort(finite)
	for i := range s.Quartiles {
		if len(finite) > 0 {
			s.Quartiles[i] = finite[i*(len(finite)-1)/4]
		}
	}
	hard := slices.Clone(res.Score.Values)
	if res.Score.Hard == data.Low {
		for i := range hard {
			hard[i] = -hard[i]
		}
	}
	class := map[int32]int32{}
	for i, c := range data.Classes(j.Set) {
		class[int32(j.Set.Number(i))] = c
	}
	for _, i := range data.Order(hard)[:min(hardestShown, len(hard))] {
		x := scoredSample{ID: res.Score.Numbers[i]}
		if k, ok := class[x.ID]; ok {
			x.Class = &k
		}
		if v := res.Score.Values[i]; !math.IsInf(v, 0) {
			x.Value = &v
		}
		s.Hardest = append(s.Hardest, x)
	}
	return s
}
