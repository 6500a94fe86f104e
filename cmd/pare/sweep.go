package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"pare/measure"
	"pare/report"
	"pare/run/queue"
	"pare/run/sweep"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
)

// sweeping is what the flags of sweep say.
type sweeping struct {
	file, dir  string
	page       string
	jobs       int
	retry, dry bool
	listen     string
	join       joining
}

// sweepLong explains pare sweep.
const sweepLong = `Searches over methods, budgets, settings and recipes by the file of a sweep: every combination, some drawn at random, or
successive halving, which trains many a little and the better ones further.

  models: net.onnx                  # or an architecture, built anew for each seed; or a list
  data: cifar10:DIR?val=0.1         # with a validation set: it alone decides
  methods:
    - dense                         # the control: trained alike and not cut
    - global-mp
    - method: gmp                   # gmp:variant=keep gives settings, too
      settings: {every: [10, 50], power: {from: 1, to: 5}}
  budgets: {sparsity: [0.8, 0.9]}   # of each method that has such a setting; ranked apart
  recipe: {epochs: 9, lr: {from: 0.001, to: 0.3, log: true}}
  seeds: 2                          # or a list
  search: {kind: halving, draws: 27, seed: 1, eta: 3, min-epochs: 1}   # or {kind: random, draws: 30}, or grid
  among: budget                     # runs are ranked among those with the same budget; method: and the same method
  stop: {rule: median, after: 3}    # of random and grid: a run behind the others is stopped
  hours: 8                          # no run begins after that; what is running is paused
  metric: accuracy                  # that decides, on the validation set

Runs are made as child processes, --jobs at a time. What comes out is a line of results.jsonl in the folder, where the page
report.html grows, runs/ has a directory of each run (pare runs --runs DIR/runs list) and work/ its network. The same
command again makes only what is missing, goes on with what was stopped, and takes up what is new in the file. A run
that failed does not stop the others; it is repeated only with --retry. The exit status is 1 then.

With --listen or --nats runs go through a queue to workers, on this machine or on others (pare worker): --listen opens the
queue in this process, with its files in the folder, --nats joins one that is there. Workers may come, go and die.`

func (c *cli) sweeps() *cobra.Command {
	q := &sweeping{}
	cmd := &cobra.Command{Use: "sweep FILE.yaml -o DIR", Short: "Search over methods, budgets, settings and recipes: a grid, at random, or by successive halving", Args: args("FILE.yaml"), Long: sweepLong,
		Example: `  pare sweep digits.yaml -o digits --dry-run           # what would run
  pare sweep digits.yaml -o digits --jobs 2 --threads 1
  pare sweep digits.yaml -o digits --retry             # what failed, once more
  pare runs --runs digits/runs list --status done
  PARE_TOKEN=secret pare sweep digits.yaml -o digits --listen 0.0.0.0:4222     # and on each machine:
  PARE_TOKEN=secret pare worker --nats nats://10.0.0.5:4222`,
		RunE: func(cmd *cobra.Command, a []string) error {
			q.file = a[0]
			return c.runSweep(cmd, q)
		}}
	f := cmd.Flags()
	f.StringVarP(&q.dir, "output", "o", "", "folder for results, runs, networks and the page")
	f.IntVar(&q.jobs, "jobs", 0, "runs at a time (0: as many as cores, or as --threads leaves room for; with a queue 64, of which workers take what they can)")
	f.BoolVar(&q.retry, "retry", false, "repeat runs that failed")
	f.BoolVar(&q.dry, "dry-run", false, "say what would run, and make nothing")
	f.StringVar(&q.page, "page", "", "write a page of documentation (.md) with its plots beside it")
	f.StringVar(&q.listen, "listen", "", "open a queue for workers at `HOST:PORT`; one that other machines reach asks for a token or a certificate")
	q.join.flags(f, "join the queue at this address, such as nats://10.0.0.5:4222, in place of opening one")
	inSections(cmd)
	return cmd
}

// queued says whether workers make the runs.
func (q *sweeping) queued() bool { return q.listen != "" || q.join.access.URL != "" }

// waiting is how many runs are in a queue at once.
const waiting = 64

// threads are those of each run, and jobs how many run at a time.
func (q *sweeping) share(threads int) (jobs, each int) {
	cores := runtime.GOMAXPROCS(0)
	if jobs = q.jobs; q.queued() {
		return cmp.Or(jobs, waiting), max(1, threads)
	}
	if jobs == 0 {
		jobs = max(1, cores/max(1, threads))
	}
	return jobs, cmp.Or(threads, max(1, cores/jobs))
}

func (c *cli) runSweep(cmd *cobra.Command, q *sweeping) error {
	if q.dir == "" {
		return usage("no folder: give -o DIR")
	}
	if err := cmp.Or(atLeast(0, "jobs", q.jobs), atLeast(0, "threads", c.threads)); err != nil {
		return err
	}
	if err := q.settleQueue(); err != nil {
		return err
	}
	s, text, err := sweep.Read(q.file, vocabulary())
	if err != nil {
		if _, e := os.Stat(q.file); e != nil {
			return err
		}
		return usageError{err}
	}
	r := &sweep.Runner{Sweep: s, Dir: q.dir, Retry: q.retry}
	r.Jobs, r.Threads = q.share(c.threads)
	if err := c.sweepPlaces(q, s); err != nil {
		return err
	}
	if err := c.sweepInputs(q, r); err != nil {
		return err
	}
	if err := r.Open(); err != nil {
		return err
	}
	if q.dry {
		return c.tellPlan(r)
	}
	if err := renameio.WriteFile(filepath.Join(q.dir, sweep.CopyFile), text, 0o644); err != nil {
		return err
	}
	if r.Maker, err = c.maker(cmd.Context(), q); err != nil {
		return err
	}
	return c.makeSweep(cmd.Context(), q, r)
}

// sweepPlaces checks where files go, and takes the folder.
func (c *cli) sweepPlaces(q *sweeping, s *sweep.Sweep) error {
	in := append(dataFiles(s.Data), input{what: "file of the sweep", path: q.file})
	for _, m := range s.Models {
		in = append(in, input{what: "model", path: m})
	}
	if q.dry {
		return nil
	}
	if err := c.folder("output", q.dir); err != nil {
		return err
	}
	return c.claim(places{in: in, out: append([]file{{"output", filepath.Join(q.dir, sweep.ResultsFile), []string{".jsonl"}}}, (&told{page: q.page}).files(2)...)})
}

// sweepTag is the tag of a sweep's runs.
func sweepTag(file string) string {
	return fmt.Sprintf("sweep:%.50s", strings.Trim(notTagged.ReplaceAllString(stem(file), "-"), "-"))
}

// notTagged is what a tag has no place for.
var notTagged = regexp.MustCompile(`[^\pL\pN._-]+`)

// pageEvery is how long the page waits at least for its next state.
const pageEvery = 10 * time.Second

// makeSweep makes what is missing, and tells of it.
func (c *cli) makeSweep(ctx context.Context, q *sweeping, r *sweep.Runner) error {
	done, all := r.Progress()
	b := c.bar(all, "sweeping")
	defer b.done()
	b.set(done, "sweeping")
	start, before, paged := time.Now(), done, time.Now()
	r.On = func(o *sweep.Outcome, done, all int) {
		b.grow(all)
		b.set(done, fmt.Sprintf("%d of %d runs", done, all))
		if b.p == nil && !c.json && o.Status != sweep.Dropped {
			left := ""
			if done > before && r.Sweep.Search.Kind != sweep.Halving { // which makes few of them to their end
				d := time.Since(start) / time.Duration(done-before) * time.Duration(all-done)
				left = fmt.Sprintf(", about %v left", d.Round(time.Second))
			}
			c.say("%s seed %d: %s (%d of %d%s)", o.Label, o.Seed, r.Said(o), done, all, left)
		}
		if time.Since(paged) > pageEvery {
			paged = time.Now()
			c.unkept(c.sweepPage(q, r, r.Results()))
		}
	}
	err := r.Run(ctx)
	b.done()
	res := r.Results()
	if e := c.sweepPage(q, r, res); err == nil {
		err = e
	} else if e != nil {
		c.say("warning: the page is not written: %v", e)
	}
	if err != nil && ctx.Err() != nil {
		return stopped("stopped: %s; what is running is paused, and the same command goes on from there", res.Said())
	}
	if err != nil {
		return fmt.Errorf("%w\nWhat is done is kept in %s, and the same command makes the rest", err, q.dir)
	}
	if m, ok := r.Maker.(*queue.Maker); ok && res.Counts[sweep.Missing]+res.Counts[sweep.Paused] == 0 {
		if err := m.Clear(ctx); err != nil {
			c.say("warning: files of the sweep stay in the queue: %v", err)
		}
	}
	return c.swept(q, r, res)
}

// sweepPage writes the page.
func (c *cli) sweepPage(q *sweeping, r *sweep.Runner, res *sweep.Results) error {
	return res.Page("Sweep of "+stem(q.file), c.sweepFacts(q, r, measure.Quote(append([]string{"pare"}, c.args...)...))).SaveHTML(filepath.Join(q.dir, sweep.ReportFile))
}

// sweepFacts are how a sweep was made, by a command.
func (c *cli) sweepFacts(q *sweeping, r *sweep.Runner, command string) []report.Fact {
	return append([]report.Fact{{Name: "Command", Text: command, Code: true}, {Name: "Pare", Text: version()}, {Name: "Processor", Text: measure.Processor()},
		{Name: "Jobs", Text: fmt.Sprintf("%d at a time, of %d threads", r.Jobs, r.Threads)}}, r.Facts(pathless)...)
}

// tableRows is how many lines of the table are printed.
const tableRows = 40

// swept prints what came out.
func (c *cli) swept(q *sweeping, r *sweep.Runner, res *sweep.Results) error {
	if q.page != "" {
		command := measure.Quote("pare", "sweep", filepath.Base(q.file), "-o", filepath.Base(q.dir), fmt.Sprintf("--jobs=%d", r.Jobs), fmt.Sprintf("--threads=%d", r.Threads))
		if err := res.Page("Sweep of "+stem(q.file), c.sweepFacts(q, r, command)).SaveMarkdown(q.page, writtenBy("pare sweep")); err != nil {
			return err
		}
	}
	if c.json {
		if err := c.printJSON(res); err != nil {
			return err
		}
	} else {
		res.Table(tableRows).Print(c.out, c.width())
		if n := len(res.Rows) - tableRows; n > 0 {
			fmt.Fprintf(c.out, "%d more lines are in %s\n", n, filepath.Join(q.dir, sweep.ReportFile))
		}
		fmt.Fprintf(c.out, "%s in %v\n", res.Said(), time.Duration(res.Seconds*float64(time.Second)).Round(time.Second))
	}
	c.say("page: %s", filepath.Join(q.dir, sweep.ReportFile))
	if res.Spent {
		c.say("note: the hours of the sweep are spent: %d of %d runs are missing or paused; with more hours in the file the same command goes on", res.Counts[sweep.Missing]+res.Counts[sweep.Paused], len(res.Runs))
	}
	failed := res.Counts[sweep.Failed]
	for _, o := range res.Runs {
		if o.Status == sweep.Failed {
			err := fmt.Errorf("%d of %d runs failed, such as %s with seed %d: %s\n--retry makes them again", failed, len(res.Runs), o.Label, o.Seed, o.Why)
			if failed == len(res.Runs) {
				err = errors.New("every run failed: " + o.Why)
			}
			return err
		}
	}
	return nil
}

// tellPlan says what would run.
func (c *cli) tellPlan(r *sweep.Runner) error {
	ps := r.Plans()
	if c.json {
		return c.printJSON(ps)
	}
	t := &report.Table{Columns: []string{"run", "seed", "now", "command"}}
	missing := 0
	for _, p := range ps {
		if p.Status == sweep.Missing || p.Status == sweep.Paused {
			missing++
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(p.Label), report.Count(int64(p.Seed)), report.Text(string(p.Status)), report.Text("pare " + measure.Quote(p.Args...))})
	}
	t.Print(c.out, c.width())
	fmt.Fprintf(c.out, "%d runs, %d of them to be made or gone on with, %d at a time on %d threads each\n", len(ps), missing, r.Jobs, r.Threads)
	for _, n := range r.Notes() {
		fmt.Fprintln(c.out, n)
	}
	return nil
}
