package hygiene

import (
	"context"
	"fmt"

	"pare/catalog"
	"pare/neighbours"
)

// Options say what is looked for, and by what.
type Options struct {
	Within float64 // how far apart near duplicates are at most: of embeddings by Metric, of hashes in bits; negative: none are looked for
	K      int     // neighbours that are looked at; 0: 10
	Metric neighbours.Metric
	Recall float64 // of neighbours, where there are many; 0: 0.99

	Rows          neighbours.Source // embeddings, one for each sample of the corpus; nil: images are compared by perceptual hashes
	Probabilities []float64         // of the classes, of each sample of the first set, by a model that was not trained on it; nil: the votes of the neighbours
	Margins       []float64         // of the labels of the first set's samples, less that from which on a label is likely right (see data/score, aum-threshold): those of 0 or less are likely wrong; nil: not known
	Threads       int
	Memory        int64
	Dir           string // for what memory does not hold
}

// Findings are what was found in a corpus. Samples are numbers of the corpus.
type Findings struct {
	Sets      []SetStatistics `json:"sets"`
	Exact     []Group         `json:"duplicates"`      // samples that are the same
	Near      []Group         `json:"near_duplicates"` // samples that are alike, those that are the same with them
	NearBy    string          `json:"near_by,omitempty"`
	Recall    float64         `json:"recall,omitempty"` // of the neighbours
	Leaks     []Leak          `json:"leaks"`            // samples of a later set that are like one of an earlier
	SameLeaks int             `json:"same_leaks"`       // of them the same
	Conflicts int             `json:"conflicts"`        // groups of the same samples with different labels
	Labels    []LabelIssue    `json:"label_issues"`
	LabelsBy  string          `json:"labels_by,omitempty"`
	LowMargin []LowMargin     `json:"low_margins,omitempty"` // labels that are likely wrong by the area under the margin
	Margins   bool            `json:"by_margins,omitempty"`  // these were looked for
	Outliers  []Outlier       `json:"outliers"`
	Fence     float64         `json:"fence,omitempty"` // distance from which on a sample is an outlier
	Remarks   []string        `json:"remarks"`

	corpus Corpus
	same   []Pair
	pairs  []Pair // the same ones and those that are alike
}

// Inspect looks at a corpus.
func Inspect(ctx context.Context, c Corpus, o Options) (*Findings, error) {
	if len(c) == 0 || c.Len() == 0 {
		return nil, fmt.Errorf("there are no samples to look at")
	}
	if o.K == 0 {
		o.K = 10
	}
	if o.Rows != nil && o.Rows.Len() != c.Len() {
		return nil, catalog.Errorf("{Rows}: %d embeddings do not fit %d samples (%s)", o.Rows.Len(), c.Len(), c.sizes())
	}
	f := &Findings{corpus: c}
	var err error
	if f.Sets, err = Statistics(ctx, c); err != nil {
		return nil, err
	}
	f.Remarks = Remarks(f.Sets)
	if f.same, err = Duplicates(ctx, c); err != nil {
		return nil, err
	}
	f.Exact = Groups(c.Len(), f.same)
	f.pairs = append([]Pair{}, f.same...)
	labels := c.labels()
	for _, g := range f.Exact {
		if conflict(labels, g.Samples) {
			f.Conflicts++
		}
	}
	if err := f.alike(ctx, &o, labels); err != nil {
		return nil, err
	}
	if o.Probabilities != nil {
		f.LabelsBy = "confident learning, from the probabilities that were given"
		if err := f.doubt(o.Probabilities, labels[:c[0].Len()]); err != nil {
			return nil, err
		}
	}
	if o.Margins != nil {
		f.Margins = true
		if err := f.marginal(o.Margins, labels); err != nil {
			return nil, err
		}
	}
	f.pairs = sorted(f.pairs)
	f.Leaks = c.Leaks(f.pairs)
	f.SameLeaks = len(c.Leaks(f.same))
	return f, nil
}

// sizes are those of the sets, in words.
func (c Corpus) sizes() string {
	text := ""
	for i, s := range c {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%s %d", s.Name, s.Len())
	}
	return text
}

// alike looks for what is nearly the same, and with embeddings for what is far from
// everything and for labels that the neighbours do not share.
func (f *Findings) alike(ctx context.Context, o *Options, labels []int32) error {
	switch {
	case o.Rows != nil:
		a, err := Near(ctx, o.Rows, max(0, o.Within), neighbours.Options{K: o.K, Metric: o.Metric, Recall: o.Recall, Threads: o.Threads, Memory: o.Memory, Dir: o.Dir})
		if err != nil {
			return fmt.Errorf("embeddings: %w", err)
		}
		f.Recall = a.Recall
		f.Outliers, f.Fence = Outliers(a.Result)
		if y := classOf(f.corpus[0]); y != nil && y.Classes > 1 && o.Probabilities == nil {
			f.LabelsBy = fmt.Sprintf("confident learning, from the labels of the %d nearest neighbours of each sample", o.K)
			if err := f.doubt(Votes(a.Result, labels, y.Classes), labels); err != nil {
				return err
			}
		}
		if o.Within < 0 {
			return nil
		}
		f.NearBy = fmt.Sprintf("%s distance of embeddings of at most %v", o.Metric, o.Within)
		f.pairs = append(f.pairs, a.Pairs...)
	case o.Within < 0:
		return nil
	default:
		h, err := Hashes(ctx, f.corpus)
		if err != nil {
			return fmt.Errorf("near duplicates need embeddings: %w", err)
		}
		if o.Within != float64(int(o.Within)) {
			return catalog.Errorf("{Within} %v: hashes differ in a whole number of bits", o.Within)
		}
		ps, err := NearHashes(ctx, h, int(o.Within))
		if err != nil {
			return err
		}
		f.NearBy = fmt.Sprintf("perceptual hashes that differ in at most %v of 64 bits", o.Within)
		f.pairs = append(f.pairs, ps...)
	}
	f.Near = Groups(f.corpus.Len(), f.pairs)
	return nil
}

// doubt looks for labels that are likely wrong among the first samples.
func (f *Findings) doubt(p []float64, labels []int32) (err error) {
	y := classOf(f.corpus[0])
	if y == nil {
		return fmt.Errorf("the samples of the %s set have no classes that could be wrong", f.corpus[0].Name)
	}
	f.Labels, err = LabelIssues(p, labels, y.Classes)
	return err
}

// conflict says whether samples have different labels.
func conflict(labels []int32, samples []int) bool {
	for _, i := range samples {
		if labels[i] != labels[samples[0]] {
			return true
		}
	}
	return false
}
