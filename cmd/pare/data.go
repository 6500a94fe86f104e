package main

import (
	"fmt"
	"slices"
	"strings"

	"pare/dataset"
	"pare/model"
	"pare/report"
	"pare/train"

	"github.com/spf13/cobra"
)

func (c *cli) data() *cobra.Command {
	m := &cobra.Command{Use: "data", Short: "See what data sets hold and what is wrong with them, score their samples, choose those that stay", RunE: noCommand}
	m.AddCommand(c.inspectData(), c.dedupData(), c.applyData(), c.scoreData(), c.pruneData(), c.compareData(), c.benchData())
	return m
}

func (c *cli) inspectData() *cobra.Command {
	recipe := model.Defaults()
	q := &looking{}
	cmd := &cobra.Command{Use: "inspect SPEC [FILE]", Short: "Show the fields of a data set, what is there twice or in doubt, and how the fields go with a network's inputs and outputs",
		Args: func(cmd *cobra.Command, a []string) error {
			if len(a) == 1 || len(a) == 2 {
				return nil
			}
			return args("SPEC", "[FILE]")(cmd, a)
		},
		Example: `  pare data inspect npz:train.npz
  pare data inspect 'parquet:DIR?bind=input_ids=ids' net.onnx
  pare data inspect cifar10:DIR --html cifar10.html               # with the samples that are there twice
  pare data inspect cifar10:DIR --encoder net.onnx --decisions decisions.csv --html cifar10.html
  pare data inspect mnist:DIR --aum mlp:784-64-11 --decisions decisions.csv --html mnist.html
  pare data inspect npz:train.npz --probabilities held-out.npy --decisions decisions.csv

` + dataset.Help,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runInspectData(a, &recipe, q) }}
	c.lookingFlags(cmd, q)
	cmd.Flags().StringVar(&q.html, "html", "", "write a page that shows what was found, with the samples")
	cmd.Flags().StringVar(&q.decisions, "decisions", "", "write what was found, and what is suggested, to a .csv or .jsonl file, for pare data apply")
	cmd.Flags().StringVar(&q.probabilities, "probabilities", "", "a .npy file of the probabilities of the classes of each training sample, by a model that was not trained on it (cross-validated): labels in doubt are found by them")
	q.aum.flags(cmd)
	settingOf(cmd, &recipe, "loss")
	c.answerFlags(cmd)
	inSections(cmd)
	return cmd
}

// setDescription is a set of a data set.
type setDescription struct {
	Name    string                `json:"set"`
	Samples int                   `json:"samples"`
	Fields  []dataset.Description `json:"fields"`
}

func (c *cli) runInspectData(a []string, r *model.Recipe, q *looking) error {
	if err := c.claim(places{in: append(dataFiles(a[0]), q.inputs()...), out: []file{{"html", q.html, pages}, {"decisions", q.decisions, lists}}}); err != nil {
		return err
	}
	if len(a) == 2 {
		if err := c.ownTokens(a[1]); err != nil {
			return err
		}
	}
	d, err := c.open(a[0])
	if err != nil {
		return err
	}
	var sets []setDescription
	for _, s := range []*dataset.Set{d.Train, d.Val, d.Test} {
		if s == nil {
			continue
		}
		fields, err := await(c.ctx, s.Describe)
		if err != nil {
			return err
		}
		sets = append(sets, setDescription{s.Name, s.Len(), fields})
	}
	var bound *train.Binding
	var wrong error
	if len(a) == 2 {
		if bound, wrong = c.bound(a[1], d, r); wrong != nil && bound == nil {
			return wrong
		}
	}
	found, err := c.look(a[0], d, q, q.asked())
	if err != nil {
		return err
	}
	if c.json {
		out := map[string]any{"data": a[0], "norm": d.NormName, "notes": d.Notes, "sets": sets}
		if found != nil {
			out["found"] = found
		}
		if wrong != nil {
			out["error"] = c.explain(wrong)
		} else if bound != nil {
			out["network"] = bound
		}
		if err := c.printJSON(out); err != nil {
			return err
		}
		return wrong
	}
	c.tellSets(d, sets)
	c.tellFound(found)
	if len(a) == 2 {
		c.tellBinding(a[1], bound, wrong)
	}
	return wrong
}

// bound sees a network with the samples. Where they do not go together, the binding is
// empty and the error says why.
func (c *cli) bound(name string, d *dataset.Data, r *model.Recipe) (*train.Binding, error) {
	g, err := c.load(name)
	if err != nil {
		return nil, err
	}
	by, err := r.Judge()
	if err != nil {
		return nil, err
	}
	v, err := train.NewView(g, d.Eval(), 1, by.Objective)
	if err != nil {
		return &train.Binding{}, fmt.Errorf("%s: %w", name, err)
	}
	b := v.Describe()
	return &b, nil
}

// tellSets prints what sets hold.
func (c *cli) tellSets(d *dataset.Data, sets []setDescription) {
	for _, s := range sets {
		fmt.Fprintf(c.out, "%s set: %d samples\n", s.Name, s.Samples)
		t := &report.Table{Columns: []string{"field", "shape", "holds", "least", "most", "mean", "deviation", "NaN", "first samples"}}
		for _, f := range s.Fields {
			holds := f.Type
			if f.Classes > 0 {
				holds = fmt.Sprintf("%d classes", f.Classes)
			}
			t.Rows = append(t.Rows, []report.Cell{report.Text(f.Name), report.Text(fmt.Sprint(f.Shape)), report.Text(holds), report.Number(f.Least), report.Number(f.Most),
				report.Number(f.Mean), report.Number(f.Spread), report.Count(int64(f.NaN + f.Infinite)), report.Text(strings.Join(f.First[:min(2, len(f.First))], " | "))})
		}
		t.Print(c.out, c.width())
		for _, f := range s.Fields {
			if text := counts(&f); text != "" {
				fmt.Fprintf(c.out, "%s: %s\n", f.Name, text)
			}
		}
		fmt.Fprintln(c.out)
	}
	fmt.Fprintf(c.out, "input normalised: %s\n", d.NormName)
	for _, n := range d.Notes {
		fmt.Fprintf(c.out, "note: %s\n", n)
	}
}

// counts says how often each class is there; of many, the most and the least frequent.
func counts(f *dataset.Description) string {
	if len(f.Counts) == 0 {
		return ""
	}
	order := make([]int, len(f.Counts))
	for i := range order {
		order[i] = i
	}
	const most = 16
	if len(order) > most {
		slices.SortStableFunc(order, func(a, b int) int { return f.Counts[b] - f.Counts[a] })
	}
	var out []string
	for n, i := range order {
		if len(order) > most && n == most/2 {
			out = append(out, "…")
		}
		if len(order) > most && n >= most/2 && n < len(order)-most/2 {
			continue
		}
		name := fmt.Sprint(i)
		if i < len(f.Names) {
			name += " " + f.Names[i]
		}
		out = append(out, fmt.Sprintf("%s: %d", name, f.Counts[i]))
	}
	text := "class " + strings.Join(out, ", ")
	if f.None > 0 {
		text += fmt.Sprintf("; none: %d", f.None)
	}
	return text
}

// tellBinding prints how a network takes the samples.
func (c *cli) tellBinding(name string, b *train.Binding, wrong error) {
	fmt.Fprintf(c.out, "\n%s\n", name)
	if wrong != nil {
		fmt.Fprintln(c.out, "does not go with these fields")
		return
	}
	t := &report.Table{Columns: []string{"input", "takes", "is given"}}
	for _, i := range b.Inputs {
		given := "field " + i.Field
		if i.Value != nil {
			given = fmt.Sprintf("%v for all samples", *i.Value)
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(i.Input), report.Text(i.Shape + " " + i.Type), report.Text(given)})
	}
	t.Print(c.out, c.width())
	if len(b.Terms) == 0 {
		fmt.Fprintln(c.out, "loss: there is nothing that an output could be compared with; a teacher can still be matched")
	}
	for _, s := range b.Terms {
		fmt.Fprintf(c.out, "loss: %s: output %s against %s\n", s.Loss, s.Output, strings.Join(s.Targets, ", "))
	}
	c.notes(name, b.Notes)
}
