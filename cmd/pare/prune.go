package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/measure"
	"pare/method"
	"pare/onnx"
	"pare/train"
	"pare/zoo"

	"github.com/spf13/cobra"
)

// recipe registers the flags of a training recipe.
func recipe(cmd *cobra.Command, r *method.Recipe) {
	for _, s := range method.Settings(r) {
		f := cmd.Flags().VarPF(&flagValue{s}, s.Name, "", s.Doc)
		if s.Type == "bool" {
			f.NoOptDefVal = "true"
		}
		under(f, recipeFlags)
	}
	inSections(cmd)
}

// flagValue makes a setting a flag.
type flagValue struct{ method.Setting }

// Type names the value in help texts.
func (f *flagValue) Type() string {
	return kinds[f.Setting.Type]
}

var kinds = map[string]string{"float64": "number", "int": "count", "bool": "bool", "slice": "patterns", "string": "string"}

// settingFlags registers the settings of all methods; those of the chosen one
// are set from what was given.
type settingFlags struct{ given map[string]*givenValue }

// givenValue keeps what was given until the method is known.
type givenValue struct{ text, kind string }

// String is what was given.
func (v *givenValue) String() string { return v.text }

// Set keeps it.
func (v *givenValue) Set(s string) error { v.text = s; return nil }

// Type names the value in help texts.
func (v *givenValue) Type() string { return kinds[v.kind] }

func (s *settingFlags) register(cmd *cobra.Command) {
	s.given = map[string]*givenValue{}
	type use struct {
		method.Setting
		methods  []string
		defaults map[string]bool
	}
	uses := map[string]*use{}
	var order []*use
	for _, m := range method.All() {
		for _, x := range method.Settings(m.Settings()) {
			u := uses[x.Name]
			if u == nil {
				u = &use{Setting: x, defaults: map[string]bool{}}
				uses[x.Name] = u
				order = append(order, u)
			}
			u.methods = append(u.methods, m.Name)
			u.defaults[x.Default] = true
		}
	}
	for _, u := range order {
		s.given[u.Name] = &givenValue{kind: u.Setting.Type}
		of := strings.Join(u.methods, ", ")
		if len(u.methods) == len(method.All()) {
			of = "every method"
		}
		if len(u.defaults) == 1 && u.Default != "" {
			of += "; default " + u.Default
		}
		f := cmd.Flags().VarPF(s.given[u.Name], u.Name, "", fmt.Sprintf("%s (%s)", u.Doc, of))
		if u.Setting.Type == "bool" {
			f.NoOptDefVal = "true"
		}
		under(f, methodFlags)
	}
}

func (s *settingFlags) apply(cmd *cobra.Command, m *method.Method) (any, error) {
	p := m.Settings()
	own := map[string]method.Setting{}
	for _, x := range method.Settings(p) {
		own[x.Name] = x
	}
	for name, v := range s.given {
		if !cmd.Flags().Changed(name) {
			continue
		}
		x, ok := own[name]
		if !ok {
			return nil, usage("method %s has no setting --%s; see: pare methods %s", m.Name, name, m.Name)
		}
		if err := x.Set(v.text); err != nil {
			return nil, usage("--%s: %v", name, err)
		}
	}
	return p, nil
}

func defaults() method.Recipe {
	return method.Recipe{Epochs: 10, Batch: 128, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 1e-4, Loss: "cross-entropy"}
}

func (c *cli) prune() *cobra.Command {
	var out, spec, name, html string
	var seed uint64
	var resume bool
	var drop, latency float64
	var t teaching
	r := defaults()
	set := &settingFlags{}
	cmd := &cobra.Command{Use: "prune FILE -o OUT", Short: "Cut weights or channels, fine-tune, and measure the result", Args: args("FILE"),
		Long: "Prunes a network by a method of the catalogue (pare methods). With --data the result is fine-tuned and measured;\nwithout, methods that need only the weights prune at once. OUT ends in .onnx, or in .pare for the sparse form.",
		Example: `  pare model prune net.onnx -o net90.pare --sparsity 0.9 --data cifar10:DIR --epochs 8 --crop 4 --flip
  pare model prune net.onnx -o small.onnx --method channels --flops 0.5 --data cifar10:DIR --report small.html
  pare model prune net.onnx -o net50.onnx --sparsity 0.5 --epochs 0          # no data, no training

` + dataset.Help,
		RunE: func(cmd *cobra.Command, a []string) error {
			if out == "" {
				return usage("no output: give -o OUT.onnx or OUT.pare")
			}
			m, err := method.Find(name)
			if err != nil {
				return usageError{err}
			}
			settings, err := set.apply(cmd, m)
			if err != nil {
				return err
			}
			o, err := c.engine()
			if err != nil {
				return err
			}
			for _, f := range []string{out, html} {
				if f != "" {
					if err := onnx.CheckWritable(f); err != nil {
						return err
					}
				}
			}
			g, err := c.load(a[0])
			if err != nil {
				return err
			}
			var d *dataset.Data
			if spec != "" {
				if d, err = dataset.Open(spec); err != nil {
					return err
				}
				if err := fits(g, d); err != nil {
					return err
				}
				if d.Train == nil && !cmd.Flags().Changed("epochs") {
					r.Epochs = 0
				}
			} else if !cmd.Flags().Changed("epochs") {
				r.Epochs = 0
			}
			dense, _ := g.Clone(true)
			j := &method.Job{Graph: g, Data: d, Recipe: r, Settings: settings, Seed: seed, Engine: o, Save: out + ".checkpoint", Resume: resume, Log: c.log()}
			if err := t.apply(c, j); err != nil {
				return err
			}
			if err := j.Check(); err != nil {
				return err
			}
			w, err := wish(cmd, g, d, o, drop, latency)
			if err != nil {
				return err
			}
			found := ""
			if w.Good != nil {
				if found, err = method.Seek(cmd.Context(), m, j, w); err != nil {
					return err
				}
				c.say("found: %s", found)
			}
			res, err := c.work(cmd, j, m.Name, func() (*method.Result, error) { return m.Run(cmd.Context(), j) })
			if w.Weakest && errors.Is(err, train.ErrInterrupted) { // another measurement may find another target
				return fmt.Errorf("%w; to go on, give %s in place of --latency", err, found)
			}
			if err != nil {
				return err
			}
			if err := onnx.Save(out, res.Graph, onnx.Options{}); err != nil {
				return err
			}
			j.Clean()
			for _, n := range res.Notes {
				c.say("note: %s", n)
			}
			vs := []*variant{{Name: "dense", File: a[0], Graph: dense}, {Name: strings.TrimSuffix(filepath.Base(out), filepath.Ext(out)), File: out, Graph: res.Graph, Epochs: res.Epochs}}
			return c.finish(cmd, vs, d, html, fmt.Sprintf("%s of %s", m.Title, filepath.Base(a[0])), strings.Join(os.Args, " "))
		}}
	f := cmd.Flags()
	f.StringVarP(&out, "output", "o", "", "file to write (.onnx or .pare)")
	f.StringVar(&name, "method", "global-mp", "method of the catalogue, by name or number")
	f.StringVar(&spec, "data", "", "data to fine-tune on and to measure with")
	f.StringVar(&html, "report", "", "write a report page")
	f.Uint64Var(&seed, "seed", 1, "seed of all that is random")
	f.BoolVar(&resume, "resume", false, "continue from the checkpoint beside the output")
	f.Float64Var(&drop, "max-drop", 0, "seek the strongest cut that loses at most so many points of accuracy before fine-tuning")
	f.Float64Var(&latency, "latency", 0, "seek the weakest cut whose time is at most this share of the dense network's")
	set.register(cmd)
	t.register(cmd)
	recipe(cmd, &r)
	return cmd
}

// wish makes --max-drop or --latency a judgement of pruned networks, nil where
// neither is asked for.
func wish(cmd *cobra.Command, g *graph.Graph, d *dataset.Data, o engine.Options, drop, latency float64) (w method.Wish, err error) {
	f := cmd.Flags()
	for _, name := range []string{"max-drop", "latency"} {
		if f.Changed(name) && (f.Changed("sparsity") || f.Changed("flops")) {
			return w, usage("--%s seeks the target itself: leave --sparsity and --flops out", name)
		}
	}
	switch {
	case f.Changed("max-drop") && f.Changed("latency"):
		return w, usage("--max-drop and --latency are two wishes: give one")
	case f.Changed("max-drop"):
		if d == nil {
			return w, usage("--max-drop measures accuracy: give --data")
		}
		if !(drop >= 0 && drop < 100) {
			return w, usage("--max-drop %v is not a number of points in [0,100)", drop)
		}
		e := train.NewEval(d.Eval(), d.Norm, 128, o)
		dense, err := e.Run(cmd.Context(), g)
		if err != nil {
			return w, err
		}
		w.Good = func(h *graph.Graph) (bool, error) {
			m, err := e.Run(cmd.Context(), h)
			return m.Accuracy >= dense.Accuracy-drop/100, err
		}
	case f.Changed("latency"):
		if !(latency > 0 && latency < 1) {
			return w, usage("--latency %v is not a share in (0,1)", latency)
		}
		dense, _ := g.Clone(true)
		w.Weakest = true
		w.Good = func(h *graph.Graph) (bool, error) {
			s, err := measure.Latency(cmd.Context(), []*graph.Graph{dense, h}, 1, 9, 20*time.Millisecond, o)
			if err != nil {
				return false, err
			}
			return s[1].Ratio.Median <= latency, nil
		}
	}
	return w, nil
}

// log gives methods a way to speak: standard error, unless JSON is wanted.
func (c *cli) log() func(string, ...any) {
	if c.json {
		return nil
	}
	return c.say
}

// work runs a job under a progress bar.
func (c *cli) work(cmd *cobra.Command, j *method.Job, what string, f func() (*method.Result, error)) (*method.Result, error) {
	b := c.bar(max(1, j.Steps()), what)
	j.OnStep = func(step, total int, loss float64) {
		b.grow(total)
		b.set(step, fmt.Sprintf("%s, loss %.3f", what, loss))
	}
	j.Epoch = func(e train.Epoch) {
		if b.p == nil && !c.json {
			c.say("epoch %d: loss %.4f, held out: loss %.4f, accuracy %.2f %%", e.Epoch, e.Loss, e.ValLoss, 100*e.Accuracy)
		}
	}
	defer b.done()
	return f()
}

// finish measures, prints and writes the report.
func (c *cli) finish(cmd *cobra.Command, vs []*variant, d *dataset.Data, html, title, command string) error {
	o, err := c.engine()
	if err != nil {
		return err
	}
	if err := measureAll(cmd.Context(), vs, d, o); err != nil {
		if cmd.Context().Err() != nil {
			return fmt.Errorf("stopped while measuring; %s is written", vs[len(vs)-1].File)
		}
		return err
	}
	rep := page(title, command, vs, d)
	if d != nil && d.Eval() == d.Train {
		c.say("note: accuracy is that of the training set, for there is no other; val=0.1 in --data keeps a part of it out")
	}
	if html != "" {
		if err := writePage(html, rep); err != nil {
			return err
		}
	}
	if c.json {
		return c.printJSON(map[string]any{"networks": vs})
	}
	rep.Print(c.out, c.width())
	return nil
}

func (c *cli) train() *cobra.Command {
	var out, spec, weights, html string
	var seed uint64
	var resume bool
	var t teaching
	r := defaults()
	r.Epochs = 20
	var families []string
	for _, f := range zoo.Families() {
		families = append(families, fmt.Sprintf("  %-16s %s", f.Name, f.Doc))
	}
	cmd := &cobra.Command{Use: "train ARCH|FILE --data SPEC -o OUT", Short: "Train a network of the zoo, or go on with one from a file", Args: args("ARCH|FILE"),
		Example: "  pare model train resnet20 --data cifar10:DIR -o net.onnx --epochs 30 --lr 0.1 --crop 4 --flip\n  pare model train small.onnx --data cifar10:DIR -o better.onnx --teacher big.onnx\n\nNetworks of the zoo:\n" + strings.Join(families, "\n") + "\n\n" + dataset.Help,
		RunE: func(cmd *cobra.Command, a []string) error {
			if out == "" || spec == "" {
				return usage("give --data SPEC and -o OUT\nSee: pare model train --help")
			}
			o, err := c.engine()
			if err != nil {
				return err
			}
			if err := onnx.CheckWritable(out); err != nil {
				return err
			}
			d, err := dataset.Open(spec)
			if err != nil {
				return err
			}
			g, err := c.network(a[0], weights, d.Eval(), seed)
			if err != nil {
				return err
			}
			if err := fits(g, d); err != nil {
				return err
			}
			j := &method.Job{Graph: g, Data: d, Recipe: r, Seed: seed, Engine: o, Save: out + ".checkpoint", Resume: resume}
			if err := t.apply(c, j); err != nil {
				return err
			}
			if err := j.Check(); err != nil {
				return err
			}
			res, err := c.work(cmd, j, a[0], func() (*method.Result, error) {
				es, err := j.Fit(cmd.Context(), g)
				return &method.Result{Graph: g, Epochs: es}, err
			})
			if err != nil {
				return err
			}
			if err := onnx.Save(out, g, onnx.Options{}); err != nil {
				return err
			}
			j.Clean()
			return c.finish(cmd, []*variant{{Name: strings.TrimSuffix(filepath.Base(out), filepath.Ext(out)), File: out, Graph: g, Epochs: res.Epochs}}, d, html, "Training of "+a[0], strings.Join(os.Args, " "))
		}}
	f := cmd.Flags()
	f.StringVarP(&out, "output", "o", "", "file to write (.onnx or .pare)")
	f.StringVar(&spec, "data", "", "data to train on")
	f.StringVar(&weights, "weights", "", "begin with the weights of this .safetensors file")
	f.StringVar(&html, "report", "", "write a report page")
	f.Uint64Var(&seed, "seed", 1, "seed of weights, order and augmentation")
	f.BoolVar(&resume, "resume", false, "continue from the checkpoint beside the output")
	t.register(cmd)
	recipe(cmd, &r)
	return cmd
}

// teaching are the flags of distillation.
type teaching struct {
	file    string
	alpha   float64
	degrees float64
}

func (t *teaching) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.file, "teacher", "", "distil from this network, such as the dense one: its softened outputs are matched too")
	f.Float64Var(&t.alpha, "alpha", .5, "share of the distillation term in the loss")
	f.Float64Var(&t.degrees, "temperature", 4, "temperature of distillation")
}

// apply reads the teacher and puts it into the job's loss.
func (t *teaching) apply(c *cli, j *method.Job) error {
	if t.file == "" {
		return nil
	}
	g, err := c.load(t.file)
	if err != nil {
		return fmt.Errorf("teacher: %w", err)
	}
	if j.Data == nil {
		return usage("--teacher %s teaches on data: give --data", t.file)
	}
	if err := fits(g, j.Data); err != nil {
		return fmt.Errorf("teacher: %w", err)
	}
	j.Loss.Teacher, j.Loss.Alpha, j.Loss.T = g, t.alpha, t.degrees
	return nil
}
