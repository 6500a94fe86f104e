package score

import (
	"context"
	_ "embed"
	"fmt"
	"math"
	"slices"

	"pare/catalog"
	"pare/data"
	"pare/dataset"
)

// Perplexity scores texts by how unlikely they are to a language model.
type Perplexity struct{}

//go:embed perplexity.md
var perplexityDoc string

// NewPerplexity is the method; it has no settings.
func NewPerplexity() *Perplexity { return &Perplexity{} }

// Card describes the method.
func (*Perplexity) Card() *catalog.Card {
	return &catalog.Card{Name: "perplexity", Title: "Perplexity of a text under a language model", Noun: "data", Doc: perplexityDoc, Cuts: "nothing: it scores samples", Needs: catalog.Samples,
		Paper: "Marion, Üstün, Pozzobon, Wang, Fadaee, Hooker: When Less is More: Investigating Data Pruning for Pretraining LLMs at Scale (2023), arXiv 2309.04564"}
}

// textsTogether is how many texts are read at a time.
const textsTogether = 64

// Run scores: exp of the mean negative log-probability of a text's tokens.
func (*Perplexity) Run(ctx context.Context, j *data.Job) (*data.Result, error) {
	x := j.Set.X()
	if j.Language == nil && x.Tokens > 0 {
		return nil, catalog.Errorf("a text is unlikely to a language model: give {Language}, one on this machine")
	}
	if x.Ints == nil || x.Tokens == 0 {
		return nil, catalog.Errorf("the samples are no texts of tokens: give {Data} of lines, or of records with the column of the texts (text=COLUMN), and {Language}")
	}
	fields := []int{0, slices.IndexFunc(j.Set.Fields, func(f *dataset.Field) bool { return f.Aside && slices.Equal(f.Shape, x.Shape) && f.Ints != nil })}
	n := min(textsTogether, j.Set.Len())
	to := []dataset.Buffer{{Field: 0, Raw: true, I: make([]int64, n*x.Size())}}
	if fields[1] > 0 {
		to = append(to, dataset.Buffer{Field: fields[1], Raw: true, I: make([]int64, n*x.Size())})
	}
	l := &dataset.Loader{Set: j.Set, Size: n, Norm: dataset.Raw, Threads: j.Engine.Threads}
	var out []float64
	var short []int
	for i := 0; len(out) < j.Set.Len(); i++ {
		got, err := l.FillContext(ctx, 0, i, to)
		if err != nil {
			return nil, err
		}
		for k := range got {
			var text []int
			for p := k * x.Size(); p < (k+1)*x.Size(); p++ {
				if len(to) == 1 || to[1].I[p] != 0 {
					text = append(text, int(to[0].I[p]))
				}
			}
			sum, scored, err := j.Language.Loss(ctx, text)
			if err != nil {
				return nil, fmt.Errorf("sample %d: %w", j.Set.Number(len(out)), err)
			}
			if scored == 0 {
				short = append(short, j.Set.Number(len(out)))
			}
			out = append(out, math.Exp(sum/float64(max(1, scored))))
		}
	}
	if short != nil {
		return nil, catalog.Errorf("%d texts have fewer than two tokens and no perplexity, the first of them %v: leave them out of {Data}", len(short), short[:min(10, len(short))])
	}
	return &data.Result{Score: data.NewScore(j.Set, data.High, out)}, nil
}
