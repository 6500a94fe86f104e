package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/measure"
	"pare/model"
	"pare/model/all"
	"pare/model/sweep"

	"github.com/spf13/cobra"
)

// comparison is what the flags of compare say.
type comparison struct {
	methods, sparsities []string
	data, dir           string
	contrast            string
	latencyCmd          string
	pair                *sweep.Contrast // of that name
	told
	seeds, jobs   int
	retry, strict bool
	recipe        model.Recipe
}

func (c *cli) compare() *cobra.Command {
	q := &comparison{recipe: model.Defaults()}
	cmd := &cobra.Command{Use: "compare FILE|ARCH --data SPEC --methods a,b", Short: "Run methods at several sparsities and seeds on the same network, data and recipe: a table and a Pareto plot", Args: args("FILE|ARCH"),
		Long: `Runs every method at every sparsity with every seed, all on the same network, data and recipe, and the dense network
trained alike beside them. It writes a table and a plot of the metric against weights that are left.

A method may have settings of its own: gmp:variant=keep:every=50 (a list is given by repeating its setting). Where
weights read from a shared array, a sparsity of 0.9 is a budget of 0.1. A method whose sparsity is set there, or that
has none (channels:macs=0.5), is run once for each seed. With an architecture of the zoo in place of a file each seed
starts from its own initial weights. No method sees the test set.

Every run that ends is a line of results.jsonl in the folder, with its network in a file beside it; the same command
again makes only the runs that are missing, and a run that was stopped goes on from its checkpoint. A run that fails is
shown as such and does not stop the others; it is repeated only with --retry. The exit status is 1 then.

Networks are timed when all runs are made, on Pare's engine and, with --latency-cmd, by a command of yours, such as one
that runs them in another runtime (bench/ortime.py does in ONNX Runtime). What has been timed by the same command is not
timed again.`,
		Example: `  pare model compare net.onnx --data cifar10:DIR --methods global-mp,gmp,magnitude:allocate=erk --sparsity 0.8,0.9,0.95 --seeds 2 --epochs 8 --crop 4 --flip
  pare model compare net.onnx --data cifar10:DIR --contrast one-shot-iterative --epochs 8
  pare model compare mlp:64-100-10 --data digits --methods gmp,gmp:variant=keep --epochs 20 --report page.html
  pare model compare net.onnx --data cifar10:DIR --methods channels:macs=0.5 --latency-cmd 'python bench/ortime.py {} --threads 1'

` + dataset.Help,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runCompare(cmd, a[0], q) }}
	f := cmd.Flags()
	f.StringSliceVar(&q.methods, "methods", nil, "methods of the catalogue, by name or number, with settings as NAME:SETTING=VALUE")
	f.StringVar(&q.contrast, "contrast", "", "a ready comparison in place of --methods: "+strings.Join(contrastNames(), ", ")+" (3 seeds and sparsities 0.5, 0.8, 0.9, 0.95 where they are not given)")
	f.StringSliceVar(&q.sparsities, "sparsity", []string{"0.8", "0.9", "0.95"}, "sparsities that each method is run at")
	c.dataFlags(cmd, &q.data, "data to train on and to measure with")
	f.IntVar(&q.seeds, "seeds", 2, "number of runs of each, with seeds from 1")
	f.StringVarP(&q.dir, "output", "o", "pare-compare", "folder for results, networks and checkpoints")
	f.IntVar(&q.jobs, "jobs", 0, "runs at a time, each on one thread (0: as many as threads; 1: one on all threads)")
	f.BoolVar(&q.retry, "retry", false, "repeat runs that failed")
	f.BoolVar(&q.strict, "strict", false, strictHelp)
	f.StringVar(&q.latencyCmd, "latency-cmd", "", "a command that measures every network too, beside the network before in 5 rounds, such as 'python bench/ortime.py {}': {} is the path of an ONNX file, and the last line printed a number of milliseconds (it may take 10 minutes for each)")
	f.StringVar(&q.html, "report", "", "write a report page (.html)")
	f.StringVar(&q.page, "page", "", "write a page of documentation (.md) with its plots beside it")
	f.StringVar(&q.plot, "plot", "", "write the Pareto plot (.svg)")
	c.runFlags(cmd)
	settingFlags(cmd, &q.recipe, recipeFlags)
	c.answerFlags(cmd)
	inSections(cmd)
	return cmd
}

func (c *cli) runCompare(cmd *cobra.Command, name string, q *comparison) error {
	if err := q.contrasted(cmd, name); err != nil {
		return err
	}
	if q.data == "" || len(q.methods) == 0 && q.pair == nil {
		return usage("give --data SPEC and --methods NAME,NAME, or --contrast NAME\nSee: pare model compare --help")
	}
	if err := cmp.Or(atLeast(1, "seeds", q.seeds), atLeast(0, "jobs", q.jobs)); err != nil {
		return err
	}
	if q.latencyCmd != "" {
		if err := model.CheckCommand(q.latencyCmd); err != nil {
			return usage("%s", catalog.Rename(err, func(string) string { return "--latency-cmd" }))
		}
	}
	cells, err := q.cells()
	if err != nil {
		return usageError{err}
	}
	o, err := c.beginComparison(cmd, name, q.data, q.dir, q.files(2))
	if err != nil {
		return err
	}
	if err := c.ownTokens(name); err != nil {
		return err
	}
	d, err := c.open(q.data)
	if err != nil {
		return err
	}
	q.recipe.Renorm = c.renorm(cmd, name, q.recipe.Renorm)
	s := &sweep.Sweep{Dir: q.dir, Data: d, Recipe: q.recipe, Cells: cells, Engine: o, Jobs: q.jobs, Retry: q.retry, LatencyCmd: q.latencyCmd}
	if s.Jobs == 0 {
		if s.Jobs = c.threads; s.Jobs == 0 {
			s.Jobs = runtime.GOMAXPROCS(0)
		}
	}
	if s.Networks, err = c.seeded(name, d, &s.Recipe, q.seeds); err != nil {
		return err
	}
	if err := (&model.Job{Graph: s.Networks[1], Data: d, Recipe: s.Recipe, Engine: o}).Check(); err != nil {
		return err
	}
	if s.Metrics, err = c.noteComparison(q.data, &s.Recipe, d, s.Methods(), q.seeds); err != nil {
		return err
	}
	outs, err := c.compareCells(cmd, s)
	if err != nil {
		return err
	}
	return c.compared(name, q, s, outs)
}

// contrastNames are the ready comparisons.
func contrastNames() (out []string) {
	for _, c := range sweep.Contrasts {
		out = append(out, c.Name)
	}
	return out
}

// contrasted finds the ready comparison that is asked for, with its own defaults.
func (q *comparison) contrasted(cmd *cobra.Command, name string) (err error) {
	switch {
	case q.contrast == "":
		return nil
	case len(q.methods) > 0:
		return usage("--contrast has methods of its own: leave --methods out")
	}
	if q.pair, err = sweep.FindContrast(q.contrast); err != nil {
		return usageError{err}
	}
	if _, err := os.Stat(name); err != nil {
		return usage("contrasts are of a trained network, and there is no file %s: pare model train ARCH -o net.onnx makes one", name)
	}
	if !cmd.Flags().Changed("seeds") {
		q.seeds = 3
	}
	if !cmd.Flags().Changed("sparsity") {
		q.sparsities = []string{"0.5", "0.8", "0.9", "0.95"}
	}
	return nil
}

// cells are the runs that are asked for.
func (q *comparison) cells() ([]*sweep.Cell, error) {
	if q.pair != nil {
		return q.pair.Cells(all.New, q.sparsities, q.seeds)
	}
	var es []*sweep.Entry
	for _, text := range q.methods {
		e, err := sweep.ParseEntry(text, all.New)
		if err != nil {
			return nil, err
		}
		es = append(es, e)
	}
	return sweep.Cells(es, q.sparsities, q.seeds)
}

// seeded reads or builds the network that each seed starts from, and checks that it goes
// with the data.
func (c *cli) seeded(name string, d *dataset.Data, r *model.Recipe, seeds int) (map[uint64]*graph.Graph, error) {
	out := map[uint64]*graph.Graph{}
	for seed := uint64(1); seed <= uint64(seeds); seed++ {
		if _, err := os.Stat(name); err == nil && seed > 1 {
			out[seed] = out[1]
			continue
		}
		by, err := r.Judge()
		if err != nil {
			return nil, err
		}
		g, err := c.network(name, "", d.Eval(), seed)
		if err == nil && seed == 1 {
			err = c.fits(name, g, d, r)
		} else if err == nil {
			_, err = model.Fits(g, d, by) // its notes are those of the first
		}
		if err != nil {
			return nil, err
		}
		out[seed] = g
	}
	return out, nil
}

// compareCells makes the runs.
func (c *cli) compareCells(cmd *cobra.Command, s *sweep.Sweep) (outs []*sweep.Outcome, err error) {
	err = c.comparing(cmd.Context(), s.Dir, func(p *comparing) error {
		s.OnStep = p.step
		s.OnCell = func(o *sweep.Outcome, done, all int) {
			p.ended(fmt.Sprintf("%s %s seed %d", o.Label, o.Target, o.Seed), fmt.Sprintf("%s %s, %d numbers kept", o.Score.Metric, o.Score.Show(), o.Size.Kept), o.Error, done, all)
		}
		s.OnTime = p.timed
		outs, err = s.Run(cmd.Context())
		return err
	})
	return outs, err
}

// compared prints and writes what came out.
func (c *cli) compared(name string, q *comparison, s *sweep.Sweep, outs []*sweep.Outcome) error {
	rows := sweep.Summarise(outs)
	from, err := c.comparisonOrigin(name, s.Data, s.Engine, &q.recipe)
	if err != nil {
		return err
	}
	name = filepath.Base(name)
	runs := sweep.Runs(outs)
	warnings := measure.RunWarnings(runs)
	rep := s.Page(name, from, rows, outs)
	var effects []sweep.Effect
	if q.pair != nil {
		effects = q.pair.Effects(outs, q.sparsities)
		rep.Add(q.pair.Section(effects, sweep.Scored(rows)))
	}
	if err := q.write("pare model compare", rep, q.public(s, name, from, rows, outs)); err != nil {
		return err
	}
	said := map[string]any{"rows": rows, "runs": outs, "warnings": append([]string{}, warnings...)}
	if q.pair != nil {
		said["contrast"], said["expects"], said["effects"] = q.pair.Name, q.pair.Expects, effects
	}
	c.keepReport(rep)
	if err := c.result(said); err != nil {
		return err
	}
	if !c.json {
		for _, n := range sweep.Notes(rows, outs) {
			c.say("note: %s", n)
		}
		rep.Print(c.out, c.width())
	}
	return cmp.Or(measure.RunsFailed(runs), c.warn(warnings, q.strict))
}
