package sweep

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"

	"pare/catalog"
	"pare/evidence"
	"pare/report"
	"pare/train"

	"gonum.org/v1/gonum/stat"
)

// Contrast is a fair pair of methods, alike but for one thing, with what Cheng, Zhang,
// Shi: A Survey on Deep Neural Network Pruning (2023), arXiv 2308.06767, expects of it.
type Contrast struct {
	Name    string
	About   string
	A, B    string // entries (see ParseEntry) of the two sides; {keep} is the share of the weights that stays
	ASide   string
	BSide   string
	Expects string // of A against B
	Better  bool   // A is expected to be at least as good
	Lacks   string // why there is no such pair in the catalogue; "": there is
}

// Contrasts are the seven of the survey.
var Contrasts = []Contrast{
	{"unstructured-structured", "single weights against channels, with the same number of parameters", "global-mp", "channels:macs=0:params={keep}:least=0:round=1", "unstructured", "structured",
		"unstructured pruning keeps more accuracy at the same number of parameters; structured pruning is easier to make faster", true, ""},
	{"one-shot-iterative", "little by little over the first half of the training against all at once, in as many epochs", "magnitude:allocate=global:gradual=true", "magnitude:allocate=global", "iterative", "one-shot",
		"iterative pruning is at least as good as one-shot pruning, above all at high sparsity", true, ""},
	{"data-free-data-driven", "channels rated by what layers lose on samples without labels against channels rated by their weights alone, with the same number of parameters", "channels:macs=0:params={keep}:least=0:round=1:score=reconstruction", "channels:macs=0:params={keep}:least=0:round=1:score=norm", "data-driven", "data-free",
		"data-driven pruning is at least as good as data-free pruning", true, ""},
	{"initialised-pre-trained", "the same criterion on the weights of the network given and on initial weights, trained alike afterwards", "snip", "snip:fresh=true", "pre-trained", "initialised",
		"pruning pre-trained weights is better than pruning initial ones", true, ""},
	{"scratch-fine-tune", "the same pruned architecture with the weights that it inherits against new ones, in as many epochs", "magnitude:allocate=global", "scratch:pruner=magnitude:allocate=global:arm=e", "fine-tuned", "from scratch",
		"fine-tuning inherited weights is at least as good at high sparsity; studies disagree for structured pruning (arXiv 1810.05270)", true, ""},
	{"original-transfer", "masks of the task itself against masks of another task", "", "", "original task", "transfer", "masks of a large task transfer to others", false,
		"no method of the catalogue takes masks from one task to another. By hand: prune on the first task, then pare model prune the result on the second with --method magnitude --sparsity, which cuts no further than the zeros that are there, and compare the two files with pare model eval"},
	{"static-dynamic", "the same network for all inputs against one for each input", "", "", "static", "dynamic", "dynamic pruning keeps more accuracy for the same computation, at the cost of the whole network in memory", false,
		"no method of the catalogue decides for each input anew (pare methods --when run-time)"},
}

// FindContrast gives a contrast by name; its error lists those that there are.
func FindContrast(name string) (*Contrast, error) {
	var names []string
	for i := range Contrasts {
		c := &Contrasts[i]
		if c.Name == name {
			if c.Lacks != "" {
				return nil, fmt.Errorf("contrast %s: %s", name, c.Lacks)
			}
			return c, nil
		}
		names = append(names, c.Name)
	}
	near := ""
	if n := catalog.Nearest(name, names); n != "" {
		near = fmt.Sprintf("did you mean %s? ", n)
	}
	return nil, fmt.Errorf("there is no contrast %q: %sthere are %s", name, near, strings.Join(names, ", "))
}

// Cells are the runs of both sides at all sparsities with seeds 1 to n, and of the dense
// network.
func (c *Contrast) Cells(find Finder, sparsities []string, seeds int) ([]*Cell, error) {
	if err := checkSparsities(sparsities); err != nil {
		return nil, err
	}
	var entries []*Entry
	for _, text := range []string{c.A, c.B} {
		all := []string{text}
		if strings.Contains(text, "{keep}") {
			all = nil
			for _, s := range sparsities {
				all = append(all, kept(text, s))
			}
		}
		for _, t := range all {
			e, err := ParseEntry(t, find)
			if err != nil {
				return nil, err
			}
			entries = append(entries, e)
		}
	}
	return Cells(entries, sparsities, seeds)
}

// kept puts the share that stays at a sparsity into an entry.
func kept(text, sparsity string) string {
	x, _ := strconv.ParseFloat(sparsity, 64) // it has been checked
	return strings.ReplaceAll(text, "{keep}", strconv.FormatFloat(1-x, 'g', 12, 64))
}

// Effect is what a contrast comes to at one sparsity: by how much its first side is
// better than its second, seed by seed.
type Effect struct {
	Sparsity string    `json:"sparsity"`
	Seeds    int       `json:"seeds"` // in which both sides ended well
	A        float64   `json:"a"`     // means of the metric
	B        float64   `json:"b"`
	Diff     []float64 `json:"differences"` // A over B, above 0 where A is better, in the metric's units; by seed
	Mean     float64   `json:"mean"`
	Half     *float64  `json:"half"`   // of its 95 % interval (Student's t); null: fewer than two seeds
	Size     *float64  `json:"effect"` // Cohen's d of the pairs: the mean over the deviation of the differences; null: there is none
	Wins     int       `json:"wins"`   // seeds in which A is better
	Says     string    `json:"says"`
}

// Effects compares the sides at each sparsity.
func (c *Contrast) Effects(outs []*Outcome, sparsities []string) (out []Effect) {
	at := func(text, sparsity string) map[uint64]train.Score {
		label, target := text, sparsity
		if strings.Contains(text, "{keep}") {
			label, target = kept(text, sparsity), ""
		}
		by := map[uint64]train.Score{}
		for _, o := range outs {
			if o.Label == label && o.Target == target && o.Error == "" {
				by[o.Seed] = o.Score
			}
		}
		return by
	}
	for _, s := range sparsities {
		a, b := at(c.A, s), at(c.B, s)
		e := Effect{Sparsity: s}
		for seed := uint64(1); len(a) > 0 && seed <= seeds(outs); seed++ {
			x, okA := a[seed]
			y, okB := b[seed]
			if !okA || !okB {
				continue
			}
			d := x.Worse(y.Value)
			e.Seeds++
			e.A, e.B = e.A+(x.Value-e.A)/float64(e.Seeds), e.B+(y.Value-e.B)/float64(e.Seeds)
			if e.Diff = append(e.Diff, d); d > 0 {
				e.Wins++
			}
		}
		e.judge(c)
		out = append(out, e)
	}
	return out
}

func seeds(outs []*Outcome) (n uint64) {
	for _, o := range outs {
		n = max(n, o.Seed)
	}
	return n
}

// judge says what the differences come to: the interval must leave zero out.
func (e *Effect) judge(c *Contrast) {
	if e.Seeds == 0 {
		e.Says = "not measured: runs failed"
		return
	}
	e.Mean = stat.Mean(e.Diff, nil)
	half := evidence.Interval(e.Diff)
	if !math.IsNaN(half) {
		e.Half = &half
		if sd := stat.StdDev(e.Diff, nil); sd > 0 {
			size := e.Mean / sd
			e.Size = &size
		}
	}
	switch {
	case e.Half == nil:
		e.Says = "one seed cannot tell"
	case math.Abs(e.Mean) <= half:
		e.Says = "not told apart by these seeds"
	case (e.Mean > 0) == c.Better:
		e.Says = "as the survey expects"
	default:
		e.Says = "against what the survey expects"
	}
}

// Section is the effects as a table, with the survey's expectation.
func (c *Contrast) Section(es []Effect, score train.Score) report.Section {
	t := &report.Table{Columns: []string{"sparsity", c.ASide, c.BSide, "difference", "effect size", "better in", "that is"}}
	show := func(x float64) report.Cell {
		s := score
		s.Value = x
		return report.Cell{Text: s.Show(), Value: x, IsNum: true}
	}
	for _, e := range es {
		if e.Seeds == 0 {
			t.Rows = append(t.Rows, []report.Cell{report.Text(e.Sparsity), report.Missing(), report.Missing(), report.Missing(), report.Missing(), report.Missing(), report.Text(e.Says)})
			continue
		}
		diff, size := fmt.Sprintf("%+.3g", e.Mean), report.Missing()
		if e.Half != nil {
			diff += fmt.Sprintf(" ± %.3g", *e.Half)
		}
		if e.Size != nil {
			size = report.Number(*e.Size)
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(e.Sparsity), show(e.A), show(e.B), {Text: diff, Value: e.Mean, IsNum: true}, size, report.Text(fmt.Sprintf("%d of %d", e.Wins, e.Seeds)), report.Text(e.Says)})
	}
	return report.Section{Heading: fmt.Sprintf("%s against %s: %s. The survey expects (arXiv 2308.06767): %s", c.ASide, c.BSide, c.About, c.Expects), Table: t,
		Text: "The difference is that of " + cmp.Or(score.Metric, "the metric") + " seed by seed, in its units, above zero where the first is better, with its 95 % interval (Student's t); the effect size is Cohen's d of the pairs."}
}
