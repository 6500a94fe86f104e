package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"pare/catalog"
	"pare/dataset"
	"pare/internal/kernel"
	"pare/measure"
	"pare/model"
	"pare/report"
	runs "pare/run"
	"pare/run/job"

	"github.com/spf13/cobra"
)

// recording is the run that a command leaves.
type recording struct {
	dir        string // --runs
	none       bool   // --no-run
	given      bool   // --runs was given
	again      *runs.Entry
	job        *job.Control       // that the run is made for; nil: none
	active     *runs.Active       // nil: there is none
	link       string             // beside the output
	worked     bool               // work has begun
	validation map[string]float64 // what the network is worth on the validation set, where a search asks
	broken     bool               // it was said that a file of it cannot be written
}

// Where runs go unless --runs says otherwise.
const (
	runsFolder = "pare-runs"
	runsEnv    = "PARE_RUNS" // another folder, or noRuns
	noRuns     = "off"
)

// runFlags is the heading of the flags of runs.
const runFlags = "the run"

// resumeHelp explains --resume where a command has no checkpoint beside its output.
const resumeHelp = "go on with `RUN`, one of pare runs list that has not ended: it brings its own flags"

// resumeOwn explains --resume where it has.
const resumeOwn = "go on with `RUN`, one of pare runs list that has not ended, which brings its own flags; without RUN, with the run that makes the output and has not ended"

// runsDefault is the folder of runs where no flag names one; "": none are kept.
func runsDefault() string {
	switch dir := os.Getenv(runsEnv); dir {
	case "":
		return runsFolder
	case noRuns:
		return ""
	default:
		return dir
	}
}

// runFlags adds the flags of a command that leaves a run.
func (c *cli) runFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.rec.dir, "runs", "", "folder, `DIR`, in which the run leaves a directory of its own (default "+runsFolder+", or the environment's "+runsEnv+")")
	f.BoolVar(&c.rec.none, "no-run", false, "leave no directory of the run")
	if f.Lookup("resume") == nil {
		f.Bool("resume", false, resumeHelp)
	}
	for _, name := range []string{"runs", "no-run", "resume"} {
		under(f.Lookup(name), runFlags)
	}
}

// store is where the command's run goes; nil: nowhere.
func (c *cli) store(cmd *cobra.Command) (*runs.Store, error) {
	if c.rec.job != nil {
		return runs.NewStore(c.rec.job.Store)
	}
	c.rec.given = cmd.Flags().Changed("runs")
	dir := c.rec.dir
	switch {
	case c.rec.none && c.rec.given:
		return nil, usage("--runs and --no-run: give one")
	case c.rec.given && dir == "":
		return nil, usage("--runs is empty: give a folder, or --no-run")
	case !c.rec.given:
		dir = runsDefault()
	}
	if c.rec.none || dir == "" {
		return nil, nil
	}
	return runs.NewStore(dir)
}

// program is what computes.
func (c *cli) program() runs.Program {
	p := runs.Program{Pare: version(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, Processor: measure.Processor(), Instructions: kernel.Level().String(), Threads: c.threads}
	if p.Threads == 0 {
		p.Threads = runtime.GOMAXPROCS(0)
	}
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			switch {
			case s.Key == "vcs.revision":
				p.Revision = s.Value + p.Revision
			case s.Key == "vcs.modified" && s.Value == "true":
				p.Revision += "+"
			}
		}
	}
	return p
}

// begin begins the command's run, or takes up the one that is gone on with: in is what it
// reads. Where nobody asked for a folder of runs and there can be none, that is a warning.
func (c *cli) begin(cmd *cobra.Command, r *runs.Record, in ...input) error {
	if c.rec.again != nil {
		return c.reopen(c.rec.again)
	}
	s, err := c.store(cmd)
	if s == nil || err != nil {
		return err
	}
	r.Command, r.Args = strings.TrimPrefix(cmd.CommandPath(), "pare "), slices.Clone(c.args)
	if r.Folder, err = os.Getwd(); err != nil {
		return err
	}
	if r.Inputs, err = inputFiles(in); err != nil {
		return err
	}
	if c.rec.job != nil {
		return c.beginJob(s, r)
	}
	c.rec.active, err = s.Create(r, c.program())
	if err == nil || c.rec.given {
		if err != nil {
			err = fmt.Errorf("the run cannot be kept in --runs %s: %w", c.rec.dir, err)
		}
		return err
	}
	c.say("warning: this run leaves no directory, for there can be none in %s: %v (--runs DIR gives another place, --no-run asks for none)", s.Dir, err)
	return nil
}

// beginMany begins a run that makes many: what it goes on with stands in its own folder, so
// that --resume without a run means nothing.
func (c *cli) beginMany(cmd *cobra.Command, r *runs.Record, in ...input) error {
	if c.rec.again == nil && cmd.Flags().Changed("resume") {
		return usage("--resume wants a run: %s --resume RUN\nSee: pare runs list", cmd.CommandPath())
	}
	return c.begin(cmd, r, in...)
}

// outputFolder is the record of a run that writes a folder.
func outputFolder(dir string) *runs.Record {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return &runs.Record{Outputs: []runs.File{{Name: "output", Path: dir}}}
}

// inputFiles are the files that a run reads, with their digests. What is no file is left to who
// reads it.
func inputFiles(in []input) (out []runs.File, err error) {
	for _, i := range in {
		if i.path == "" {
			continue
		}
		if _, err := os.Stat(i.path); err != nil {
			continue
		}
		f := runs.File{Name: i.what}
		if f.Path, err = filepath.Abs(i.path); err != nil {
			return nil, err
		}
		if f.Bytes, f.SHA256, err = runs.FileDigest(f.Path); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// reopen takes up a run.
func (c *cli) reopen(e *runs.Entry) error {
	if err := e.Record.Unchanged(); err != nil {
		return err
	}
	s, err := runs.NewStore(filepath.Dir(e.Dir))
	if err != nil {
		return err
	}
	p := c.program()
	if c.rec.active, err = s.Reopen(e.Name, p); err != nil {
		return err
	}
	for _, was := range e.Record.Sittings[:1] {
		if was.Program.Instructions != p.Instructions {
			c.say("note: %s was begun with %s instructions and goes on with %s: the last bits of what comes out may be others", e.Name, was.Program.Instructions, p.Instructions)
		}
	}
	return nil
}

// note adds to the record what is known when work begins.
func (c *cli) note(change func(*runs.Record)) error {
	c.rec.worked = true
	if c.rec.active == nil {
		return nil
	}
	return c.rec.active.Update(change)
}

// noteJob notes what a job works with.
func (c *cli) noteJob(m model.Method, j *model.Job, spec string) error {
	if err := c.note(func(r *runs.Record) {
		if m != nil {
			r.Methods, r.Settings = []string{m.Card().Name}, catalog.Values(m)
		}
		r.Seeds, r.Data, r.Recipe, r.Sets = []uint64{j.Seed}, spec, nil, setsOf(j.Data)
		if j.Recipe.Epochs > 0 {
			r.Recipe = catalog.Values(&j.Recipe)
		}
	}); err != nil {
		return err
	}
	metrics, err := c.metrics()
	j.Record = c.pausing(metrics.Watcher("", true))
	return err
}

// metrics are where metrics go; nil: nowhere.
func (c *cli) metrics() (*runs.Metrics, error) {
	if c.rec.active == nil {
		return nil, nil
	}
	return c.rec.active.Metrics()
}

func setsOf(d *dataset.Data) (out []runs.Set) {
	if d == nil {
		return nil
	}
	for _, s := range []*dataset.Set{d.Train, d.Val, d.Test} {
		if s != nil {
			out = append(out, runs.Set{Name: s.Name, Samples: s.Len(), SHA256: s.Digest()})
		}
	}
	return out
}

// result prints what came out where JSON is asked for, and keeps it with the run.
func (c *cli) result(v any) error {
	if c.rec.active != nil {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetIndent("", " ")
		err := e.Encode(v)
		if err == nil {
			err = c.rec.active.Write(runs.ResultsFile, b.Bytes())
		}
		c.unkept(err)
	}
	if !c.json {
		return nil
	}
	return c.printJSON(v)
}

// keepReport keeps a page with the run.
func (c *cli) keepReport(page *report.Report) {
	if c.rec.active != nil {
		c.unkept(page.SaveHTML(filepath.Join(c.rec.active.Dir, runs.ReportFile)))
	}
}

// keepValues keeps what networks are worth with the run: the last, and the one before it.
func (c *cli) keepValues(ns []*measure.Network) {
	if c.rec.active == nil {
		return
	}
	values := ns[len(ns)-1].Values()
	if len(ns) > 1 {
		for name, x := range ns[0].Values() {
			if name != "time_ratio" {
				values[name+"_before"] = x
			}
		}
	}
	maps.Copy(values, c.rec.validation)
	c.unkept(c.rec.active.Update(func(r *runs.Record) {
		r.Values = values
		if m := ns[len(ns)-1].Metrics; m != nil {
			r.Metric = m.Main().Metric
		}
	}))
}

// unkept says once that a file of the run cannot be written: what the command is for is
// done all the same.
func (c *cli) unkept(err error) {
	if err != nil && !c.rec.broken {
		c.rec.broken = true
		c.say("warning: the directory of the run is not complete: %v", err)
	}
}

// endRun writes how the run ended. One that came to no work leaves nothing.
func (c *cli) endRun(status int, err error) {
	a := c.rec.active
	if a == nil {
		return
	}
	if m, _ := a.Metrics(); m != nil {
		c.unkept(m.Err())
	}
	if !c.rec.worked || status == 2 {
		a.Discard()
		if c.rec.again == nil && c.rec.link != "" && !a.Resume {
			a.Unlink(c.rec.link)
		}
		return
	}
	how := runs.Done
	switch {
	case status > 2:
		how = runs.Stopped
		err = nil
	case err != nil:
		how, err = runs.Failed, errors.New(c.explain(err))
	case status != 0:
		how = runs.Failed
	}
	c.unkept(a.Update(func(r *runs.Record) { r.Outputs = digested(r.Outputs) }))
	c.unkept(a.End(how, err))
	if how == runs.Stopped && c.rec.job == nil {
		c.say("pare: pare %s --resume %s goes on with it, too", a.Record().Command, a.Name)
	}
}

// digested are the outputs of a run with the digests of those that are there.
func digested(fs []runs.File) []runs.File {
	out := slices.Clone(fs)
	for i := range out {
		if n, sum, err := runs.FileDigest(out[i].Path); err == nil {
			out[i].Bytes, out[i].SHA256 = n, sum
		}
	}
	return out
}
