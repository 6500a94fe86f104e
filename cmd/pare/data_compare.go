package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"pare/catalog"
	"pare/data/sweep"
	"pare/dataset"
	"pare/graph"
	"pare/measure"
	"pare/model"
	"pare/report"

	"github.com/spf13/cobra"
)

// choosing is what the flags of data compare say.
type choosing struct {
	methods, shares  []string
	data, dir, equal string
	told
	reach         []float64
	seeds, jobs   int
	retry, strict bool
	recipe        model.Recipe
}

// theirOwn are the settings of a recipe that the comparison sets itself, or that are not
// about learning from labels.
func theirOwn(name string) bool {
	return slices.Contains([]string{"sampler", "keep-epoch", "recover", "inner"}, name)
}

func (c *cli) compareData() *cobra.Command {
	q := &choosing{recipe: model.Defaults()}
	cmd := &cobra.Command{Use: "compare FILE|ARCH --data SPEC --methods a,b", Short: "Train on what methods keep, at several shares and seeds, beside random samples and all of them: accuracy and time to accuracy", Args: args("FILE|ARCH"),
		Long: `Trains the same network by the same recipe on what each method keeps of the training set, at every share with every seed, on
random samples (always), and on all of them. It writes a table of the metric, the times of epochs, and when a share of what all
samples come to is reached: in seconds, with what was spent to choose, and in steps.

A method may have settings, and a score that it chooses by: ` + sweep.EntryHelp + `, as in
ccs:cutoff=0.1@aum or rank:end=easy@el2n:window=5 (aum where none is named). rs2 is a sampler: it draws other samples in each epoch.
Scores, networks and embeddings are those of the seed's own training on all samples, whose time then counts as selection.
The test set (or else the validation set) judges after each epoch and chooses nothing.

Every run that ends is a line of results.jsonl in the folder; the same command again makes only the runs that are missing, and a
run that was stopped goes on from its checkpoint. A run that fails is shown as such and does not stop the others; it is
repeated only with --retry. The exit status is 1 then.`,
		Example: `  pare data compare mlp:784-100-10 --data idx:DIR --methods rs2,ccs:cutoff=0.1,rank:end=hard@el2n --keep 0.1,0.3,0.5,0.7 --seeds 3 --epochs 15
  pare data compare resnet20 --data cifar10:DIR --methods rs2,rs2:replace=true,herding,k-centre --keep 0.1 --epochs 15 --lr 0.1 --crop 4 --flip
  pare data compare mlp:64-100-10 --data digits --methods rs2,ccs:cutoff=0.1 --keep 0.3 --equal steps --report page.html

` + dataset.Help,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runCompareData(cmd, a[0], q) }}
	f := cmd.Flags()
	f.StringSliceVar(&q.methods, "methods", nil, "methods that choose samples, "+sweep.EntryHelp)
	f.StringSliceVar(&q.shares, "keep", []string{"0.1", "0.3", "0.5", "0.7"}, "shares of the samples that each keeps")
	c.dataFlags(cmd, &q.data, "data to train on and to judge by")
	f.IntVar(&q.seeds, "seeds", 2, "number of runs of each, with seeds from 1")
	f.StringVar(&q.equal, "equal", string(sweep.Epochs), "what trainings on few samples have as many of as that on all: epochs, or steps")
	f.Float64SliceVar(&q.reach, "reach", []float64{.95, .99}, "shares of the accuracy of all samples that times are given for")
	f.StringVarP(&q.dir, "output", "o", "pare-data-compare", "folder for results, networks and checkpoints")
	f.IntVar(&q.jobs, "jobs", 1, "runs at a time, each on one thread where there are several (1: one on all threads, whose times nothing disturbs)")
	f.BoolVar(&q.retry, "retry", false, "repeat runs that failed")
	f.BoolVar(&q.strict, "strict", false, strictHelp)
	f.StringVar(&q.html, "report", "", "write a report page (.html)")
	f.StringVar(&q.page, "page", "", "write a page of documentation (.md) with its plots beside it")
	f.StringVar(&q.plot, "plot", "", "write the plot of the metric by share (.svg)")
	c.runFlags(cmd)
	settingFlags(cmd, &q.recipe, recipeFlags, theirOwn)
	c.answerFlags(cmd)
	inSections(cmd)
	return cmd
}

func (c *cli) runCompareData(cmd *cobra.Command, name string, q *choosing) error {
	if q.data == "" || len(q.methods) == 0 {
		return usage("give --data SPEC and --methods NAME,NAME\nSee: pare data compare --help")
	}
	if err := cmp.Or(atLeast(1, "seeds", q.seeds), atLeast(1, "jobs", q.jobs)); err != nil {
		return err
	}
	for _, x := range q.reach {
		if !(x > 0 && x <= 1) {
			return usage("--reach %v: a share above 0 and up to 1 is needed", x)
		}
	}
	cells, err := q.cells()
	if err != nil {
		return usageError{err}
	}
	o, err := c.beginComparison(cmd, name, q.data, q.dir, q.files(len(q.shares)+2))
	if err != nil {
		return err
	}
	d, err := c.open(q.data)
	if err != nil {
		return err
	}
	q.recipe.Renorm = c.renorm(cmd, name, q.recipe.Renorm)
	s := &sweep.Sweep{Dir: q.dir, Networks: map[uint64]*graph.Graph{}, Data: d, Recipe: q.recipe, Cells: cells, Equal: sweep.Equal(q.equal), Engine: o, Jobs: q.jobs, Retry: q.retry}
	if s.Networks, err = c.seeded(name, d, &q.recipe, q.seeds); err != nil {
		return err
	}
	if err := s.Check(); err != nil {
		return usage("%s", catalog.Rename(err, compareFlag))
	}
	if err := (&model.Job{Graph: s.Networks[1], Data: d, Recipe: s.Recipe, Engine: o}).Check(); err != nil {
		return err
	}
	if s.Metrics, err = c.noteComparison(q.data, &s.Recipe, d, q.methods, q.seeds); err != nil {
		return err
	}
	outs, err := c.compareSets(cmd, s)
	if err != nil {
		return err
	}
	return c.comparedData(name, q, s, outs)
}

// compareFlag calls a field by the flag, or the setting of a method, that it is.
func compareFlag(field string) string {
	if name, ok := map[string]string{"Data": "data", "Methods": "methods", "Equal": "equal", "Keep": "keep", "Samples": "samples", "Cutoff": "cutoff"}[field]; ok {
		return "--" + name
	}
	return "--" + model.SettingName(nil, field)
}

// cells are the runs that are asked for.
func (q *choosing) cells() ([]*sweep.Cell, error) {
	var es []*sweep.Entry
	for _, text := range q.methods {
		e, err := sweep.ParseEntry(text)
		if err != nil {
			return nil, err
		}
		es = append(es, e)
	}
	return sweep.Cells(es, q.shares, q.seeds)
}

// compareSets makes the runs.
func (c *cli) compareSets(cmd *cobra.Command, s *sweep.Sweep) (outs []*sweep.Outcome, err error) {
	err = c.comparing(cmd.Context(), s.Dir, func(p *comparing) error {
		s.OnStep = p.step
		s.OnRun = func(o *sweep.Outcome, done, all int) {
			p.ended(fmt.Sprintf("%s %s seed %d", o.Label, o.Keep, o.Seed), fmt.Sprintf("%s %s, %d samples an epoch", o.Score.Metric, o.Score.Show(), o.Samples), o.Error, done, all)
		}
		outs, err = s.Run(cmd.Context())
		return err
	})
	return outs, err
}

// comparedData prints and writes what came out.
func (c *cli) comparedData(name string, q *choosing, s *sweep.Sweep, outs []*sweep.Outcome) error {
	rows := sweep.Summarise(outs, q.reach)
	from, err := c.comparisonOrigin(name, s.Data, s.Engine, &s.Recipe)
	if err != nil {
		return err
	}
	name = filepath.Base(name)
	rep := s.Page(name, from, rows, outs)
	if err := q.write("pare data compare", rep, q.public(s, name, from, rows, outs)); err != nil {
		return err
	}
	runs := sweep.Runs(outs)
	warnings := measure.RunWarnings(runs)
	c.keepReport(rep)
	if err := c.result(map[string]any{"rows": rows, "runs": outs, "warnings": append([]string{}, warnings...), "verdict": rep.Verdict}); err != nil {
		return err
	}
	if !c.json {
		rep.Print(c.out, c.width())
	}
	if err := measure.RunsFailed(runs); err != nil {
		return err
	}
	return c.warn(warnings, q.strict)
}

// public is the page of documentation, which tells no paths.
func (q *choosing) public(s *sweep.Sweep, name string, from *measure.Origin, rows []*sweep.Row, outs []*sweep.Outcome) *report.Report {
	r := s.Page(name, publicOrigin(from, q.data), rows, outs)
	of := []string{"pare data compare", name, "--data", pathless(q.data), "--methods", strings.Join(q.methods, ","), "--keep", strings.Join(q.shares, ","), fmt.Sprint("--seeds ", q.seeds), "--equal", q.equal}
	r.Subtitle = strings.Join(append(of, settingWords(&q.recipe, theirOwn)...), " ")
	if s.Engine.Threads > 0 {
		r.Subtitle += fmt.Sprint(" --threads ", s.Engine.Threads)
	}
	return r
}
