// Command mutants breaks methods on purpose, one at a time, and says whether tests, and
// the experiments that put the papers' claims to the test, notice.
//
//	go run ./scripts/mutants                       all: tests, then claims of what survives these
//	go run ./scripts/mutants --tests gmp 'rd-*'    some, by what they break or by name; tests alone
//	go run ./scripts/mutants --sample 6 --seed 7   some by chance
//	go run ./scripts/mutants --page docs/mutants.md
//
// A breakage is a few lines in a list of this package: an old piece of a file, a new one,
// and what is wrong then. The source is never edited: the go command takes the mutated
// file by its -overlay flag, so it can be stopped at any time, and several can run side
// by side. First the packages are tested that the list names; where these notice nothing,
// those that depend on the mutated one; then, unless --tests is given, the method's
// experiment is tried. The exit status is 1 where something that nobody has argued for
// survives, and 2 where a mutant does not apply or build, or tests fail without one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	status, err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "mutants:", err)
	}
	stop()
	os.Exit(status)
}

// settings are the flags.
type settings struct {
	tests, claims, near bool
	sample              int
	seed                uint64
	seeds, jobs         int
	timeout, limit      time.Duration
	page, done          string
}

// run is the command. It gives the exit status.
func run(ctx context.Context, args []string, out, usage io.Writer) (int, error) {
	s := settings{}
	f := flag.NewFlagSet("mutants", flag.ContinueOnError)
	f.SetOutput(usage)
	f.BoolVar(&s.tests, "tests", false, "run tests alone (with neither --tests nor --reproduce: both, claims where tests notice nothing)")
	f.BoolVar(&s.claims, "reproduce", false, "try claims alone, of mutants that have an experiment")
	f.BoolVar(&s.near, "near", false, "run the tests of the packages that a mutant names alone, not of those that depend on them")
	f.IntVar(&s.sample, "sample", 0, "number of mutants that are drawn by chance (0: all)")
	f.Uint64Var(&s.seed, "seed", 1, "seed of the sample")
	f.IntVar(&s.seeds, "seeds", 0, "seeds of an experiment (0: its own number)")
	f.IntVar(&s.jobs, "jobs", 1, "mutants at a time")
	f.DurationVar(&s.timeout, "timeout", 3*time.Minute, "time for a package's tests, which have noticed where they take longer; for a mutant before tests that it does not name; and for an experiment")
	f.DurationVar(&s.limit, "limit", 0, "time for all: mutants that are not done then are left out (0: no limit)")
	f.StringVar(&s.done, "done", "", "file of what came of mutants, a line each: they are not run again, and more lines are added; to go on where a run was stopped")
	f.StringVar(&s.page, "page", "", "write a page of documentation (.md)")
	f.Usage = func() {
		fmt.Fprintln(usage, "usage: mutants [FLAG…] [NAME|METHOD…]")
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return 2, err
	}
	if s.jobs < 1 || s.sample < 0 || s.seeds < 0 || s.timeout <= 0 || s.limit < 0 {
		return 2, errors.New("--jobs and --timeout are above 0, and --sample, --seeds and --limit not below")
	}
	if !s.tests && !s.claims {
		s.tests, s.claims = true, true
	}
	all, err := mutants(list)
	if err == nil {
		all, err = choose(all, f.Args())
	}
	if err != nil {
		return 2, err
	}
	if s.sample > 0 {
		all = draw(all, s.sample, s.seed)
	}
	l, err := newLab(".", s, out)
	if err != nil {
		return 2, err
	}
	defer l.close()
	results, err := l.all(ctx, all)
	if err != nil {
		return 2, err
	}
	if s.page != "" {
		if err := savePage(s.page, results, s.claims); err != nil {
			return 2, err
		}
	}
	return summary(out, results), nil
}

// summary says what came of all, and gives the exit status.
func summary(out io.Writer, results []*result) int {
	n := map[string]int{}
	for _, r := range results {
		n[r.word()]++
	}
	fmt.Fprintf(out, "\n%d mutants: %d killed, %d survived, %d survived as argued, %d left out\n", len(results), n[killed], n[survived], n[argued], n[leftOut])
	if n[survived] > 0 {
		return 1
	}
	return 0
}
