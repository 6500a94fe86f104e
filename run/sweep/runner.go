package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"pare/run"
	"pare/run/job"

	"github.com/google/renameio/v2"
)

// Runner makes the runs of a sweep.
type Runner struct {
	Sweep  *Sweep
	Inputs *Inputs
	Metric Metric // which decides
	Dir    string // with the results
	Maker  job.Maker
	Jobs   int  // at a time
	Retry  bool // runs that have failed are made again

	Threads int // of each job

	// On is told of every outcome that comes, how many runs have come to their end, and of
	// how many that are known by now to be wanted; it may be nil.
	On func(o *Outcome, done, all int)

	mu       sync.Mutex
	members  []*member
	brackets []*bracket
	ledger   *run.Ledger[Outcome]
	fresh    map[string]bool // retried: what the ledger says of them does not count
	live     map[string]bool // that are being made
	spent    time.Duration   // in earlier sittings
	began    time.Time
}

// errSpent ends runs where the hours are spent.
var errSpent = errors.New("the hours of the sweep are spent")

// ended is a job that a worker gives back.
type ended struct {
	m        *member
	until    int
	done     *job.Done
	err      error
	curve    Curve
	hopeless string
}

// Open reads what is there of a sweep, and plans the rest. Nothing is made.
func (r *Runner) Open() (err error) {
	cs := r.Sweep.Configs()
	if len(cs) == 0 {
		return errors.New("the sweep asks for no runs")
	}
	if r.members, err = r.Sweep.members(cs, r.Inputs, r.Threads); err != nil {
		return err
	}
	seen := map[string]*member{}
	for _, m := range r.members {
		if o := seen[m.job.ID]; o != nil {
			return fmt.Errorf("two combinations are the same run: %s and %s", o.Label(true), m.Label(true))
		}
		seen[m.job.ID] = m
	}
	r.brackets = r.Sweep.brackets(r.members)
	r.fresh, r.live = map[string]bool{}, map[string]bool{}
	if r.ledger, err = openLedger(r.Dir); err != nil {
		return err
	}
	if r.spent, err = r.readSpent(); err != nil {
		return err
	}
	for _, m := range r.members { // of a sitting that was killed
		if o := r.ledger.Find(m.job.ID); o != nil {
			r.spent = max(r.spent, time.Duration(o.Elapsed*float64(time.Second)))
		}
	}
	if r.Retry {
		for _, m := range r.members {
			if o := r.ledger.Find(m.job.ID); o != nil && o.Status == Failed {
				r.fresh[m.job.ID] = true
			}
		}
	}
	return nil
}

// of is what a run has come to; nil: nothing that counts.
func (r *Runner) of(m *member) *Outcome {
	o := r.ledger.Find(m.job.ID)
	switch {
	case o == nil || r.fresh[m.job.ID]:
		return nil
	case o.Status == Stopped && r.Sweep.Stop != nil:
		c := *o
		c.Status = Done // nothing of it is missing
		return &c
	}
	return o
}

// Spent says whether the hours of a sweep are over.
func (r *Runner) Spent() bool { return r.Sweep.Hours > 0 && r.left() <= 0 }

// left is the time that the sweep still has.
func (r *Runner) left() time.Duration {
	return time.Duration(r.Sweep.Hours*float64(time.Hour)) - r.elapsed()
}

func (r *Runner) elapsed() time.Duration {
	if r.began.IsZero() {
		return r.spent
	}
	return r.spent + time.Since(r.began)
}

// Run makes what is missing, and returns when all is made, the hours are spent, ctx ends
// (with its error), or jobs cannot be made. What has come out by then is in the ledger.
func (r *Runner) Run(ctx context.Context) error {
	r.began = time.Now()
	defer r.writeSpent() //nolint:errcheck // the outcomes say it, too, up to the last
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if r.Sweep.Hours > 0 {
		t := time.AfterFunc(r.left(), func() { stop(errSpent) })
		defer t.Stop()
	}
	results := make(chan *ended)
	var queue []*member
	var failed error
	running := 0
	for {
		if r.Spent() { // the timer may be late
			stop(errSpent)
		}
		if failed == nil && ctx.Err() == nil {
			var err error
			if queue, err = r.plan(); err != nil {
				failed = err
				stop(err)
			}
		}
		for failed == nil && ctx.Err() == nil && running < r.Jobs && len(queue) > 0 {
			m := queue[0]
			queue = queue[1:]
			r.live[m.job.ID] = true
			running++
			until := r.bracketOf(m).until()
			go func() { results <- r.make(ctx, m, until) }()
		}
		if running == 0 {
			break
		}
		e := <-results
		running--
		delete(r.live, e.m.job.ID)
		if err := r.take(ctx, e); err != nil && failed == nil {
			failed = err
			stop(err)
		}
	}
	switch cause := context.Cause(ctx); {
	case failed != nil:
		return failed
	case errors.Is(cause, errSpent):
		return nil
	default:
		return cause
	}
}

// bracketOf is the bracket of a member.
func (r *Runner) bracketOf(m *member) *bracket {
	return r.brackets[slices.IndexFunc(r.brackets, func(b *bracket) bool { return b.cell == m.cell })]
}

// plan goes on in all brackets, and gives the runs that are to be made now, in their order.
func (r *Runner) plan() ([]*member, error) {
	wanted := map[*member]bool{}
	for _, b := range r.brackets {
		lacks, drops := b.advance(r.Sweep, r.Metric.Higher, r.of)
		for _, m := range lacks {
			wanted[m] = true
		}
		for _, d := range drops {
			o := *r.of(d.m)
			if o.Status == Dropped && o.Why == d.why {
				continue
			}
			o.Status, o.Why, o.Elapsed = Dropped, d.why, r.elapsed().Seconds()
			if err := r.add(&o); err != nil {
				return nil, err
			}
		}
	}
	var out []*member
	for _, m := range r.members {
		if wanted[m] && !r.live[m.job.ID] {
			out = append(out, m)
		}
	}
	return out, nil
}

// make makes a job up to a pause, or its end.
func (r *Runner) make(ctx context.Context, m *member, until int) *ended {
	j := *m.job
	j.Until = until
	e := &ended{m: m, until: until}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	es := &epochs{metric: r.Metric.Name}
	note := func(p *run.Point) {
		if !es.note(p) || e.hopeless != "" || r.Sweep.Stop == nil {
			return
		}
		if median, hopeless := r.Sweep.Stop.Hopeless(es.curve, r.others(m), r.Metric.Higher); hopeless {
			e.hopeless = fmt.Sprintf("after %s the best was %s, behind the median of the means of others, %s",
				plural(len(es.curve), "epoch"), r.Metric.show(best(es.curve, r.Metric.Higher)), r.Metric.show(median))
			e.curve = slices.Clone(es.curve)
			stop()
		}
	}
	e.done, e.err = r.Maker.Make(ctx, &j, note)
	if e.err != nil || e.hopeless != "" && e.done.Status != run.Done {
		return e
	}
	if e.curve = es.curve; e.done.Run != "" { // the file has what was not told
		var read *epochs
		read, e.err = curveOf(filepath.Join(r.Dir, RunsFolder, e.done.Run), r.Metric.Name)
		if e.err == nil && len(read.curve) > 0 {
			e.curve = read.curve
		}
	}
	return e
}

// others are the curves that the median rule looks at.
func (r *Runner) others(m *member) (out [][]float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.members {
		if x == m || x.cell != m.cell {
			continue
		}
		if o := r.ledger.Find(x.job.ID); o != nil && (o.Status == Done || o.Status == Stopped) {
			out = append(out, o.Curve)
		}
	}
	return out
}

// add appends an outcome to the ledger and tells of it.
func (r *Runner) add(o *Outcome) error {
	r.mu.Lock()
	err := r.ledger.Add(o)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	if r.On != nil {
		done, all := r.Progress()
		r.On(o, done, all)
	}
	return nil
}

// Progress is how many runs have come to what they will, and how many there are.
func (r *Runner) Progress() (done, all int) {
	for _, m := range r.members {
		if o := r.of(m); o != nil && (o.Status == Done || o.Status == Failed || o.Status == Dropped) {
			done++
		}
	}
	return done, len(r.members)
}

// spentFile has the seconds that a sweep was at work.
const spentFile = "spent.json"

func (r *Runner) readSpent() (time.Duration, error) {
	b, err := os.ReadFile(filepath.Join(r.Dir, spentFile))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	var x struct {
		Seconds float64 `json:"seconds"`
	}
	if err == nil {
		err = json.Unmarshal(b, &x)
	}
	if err == nil && !(x.Seconds >= 0 && x.Seconds < 1e10) {
		err = errors.New("its seconds are no time")
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", filepath.Join(r.Dir, spentFile), err)
	}
	return time.Duration(x.Seconds * float64(time.Second)), nil
}

func (r *Runner) writeSpent() error {
	b := fmt.Appendf(nil, "{\"seconds\":%.3f}\n", r.elapsed().Seconds())
	return renameio.WriteFile(filepath.Join(r.Dir, spentFile), b, 0o644, renameio.WithTempDir(r.Dir))
}
