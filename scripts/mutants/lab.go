package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"pare/internal/house"
)

// What may come of a mutant.
const (
	killed   = "killed"
	survived = "SURVIVED"
	argued   = "argued" // survived, and the list says why that is right
	leftOut  = "left out"
)

// result is what came of a mutant.
type result struct {
	*Mutant
	by      string   // the first test or claim that noticed; "": none
	ran     []string // packages whose tests, and experiments, were run
	cut     string   // why not all was run; "": it was
	seconds float64
}

func (r *result) word() string {
	switch {
	case r.by != "":
		return killed
	case r.cut != "":
		return leftOut
	case r.Survives != "":
		return argued
	}
	return survived
}

// lab runs mutants.
type lab struct {
	settings
	root string
	dir  string // of files for a while
	out  io.Writer

	packages map[string]*house.Package
	level    map[string]int

	mu    sync.Mutex
	known map[string]outcome
	whole map[string]*sync.Once // what is known of tests and claims without a mutant
	wrong map[string]error
}

func newLab(root string, s settings, out io.Writer) (*lab, error) {
	ps, err := house.Read(root)
	if err != nil {
		return nil, err
	}
	known, err := readDone(s.done)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mutants-")
	return &lab{settings: s, root: root, dir: dir, out: out, packages: ps, level: house.Level(), known: known, whole: map[string]*sync.Once{}, wrong: map[string]error{}}, err
}

func (l *lab) close() { os.RemoveAll(l.dir) }

// all runs mutants side by side, and prints what comes of each as it comes.
func (l *lab) all(ctx context.Context, ms []*Mutant) ([]*result, error) {
	out := make([]*result, len(ms))
	errs := make([]error, len(ms))
	short := ctx
	if l.limit > 0 {
		var stop context.CancelFunc
		short, stop = context.WithTimeout(ctx, l.limit)
		defer stop()
	}
	next := make(chan int)
	var wait sync.WaitGroup
	for range l.jobs {
		wait.Go(func() {
			for i := range next {
				if o, ok := l.known[ms[i].Name]; ok {
					out[i] = &result{Mutant: ms[i], by: o.By, ran: o.Ran}
					continue
				}
				begin := time.Now()
				r, err := l.one(short, ms[i])
				r.seconds = time.Since(begin).Seconds()
				out[i], errs[i] = r, errors.Join(err, l.say(r, err))
			}
		})
	}
	for i := range ms {
		next <- i
	}
	close(next)
	wait.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return out, errors.Join(errs...)
}

// say prints what came of a mutant, and remembers it.
func (l *lab) say(r *result, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	what := r.by
	switch {
	case err != nil:
		what = err.Error()
	case r.by == "":
		what = strings.TrimPrefix(strings.Join([]string{r.cut, "ran " + strings.Join(r.ran, " ")}, "; "), "; ")
	}
	fmt.Fprintf(l.out, "%-8s  %-34s %5.0f s  %s\n", r.word(), r.Name, r.seconds, what)
	if err != nil || r.cut != "" {
		return nil
	}
	return addDone(l.done, outcome{r.Name, r.by, r.ran})
}

// one runs a mutant: the tests that must notice, those of what depends on the package,
// and the experiment.
func (l *lab) one(ctx context.Context, m *Mutant) (*result, error) {
	r := &result{Mutant: m}
	if ctx.Err() != nil {
		r.cut = "out of time"
		return r, nil
	}
	dir, err := os.MkdirTemp(l.dir, "")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	overlay, err := m.overlay(l.root, dir)
	if err != nil {
		return r, err
	}
	if l.tests {
		if err := l.test(ctx, r, overlay); err != nil || r.by != "" || r.cut != "" {
			return r, err
		}
	}
	if l.claims && m.Claims != "" {
		return r, l.reproduce(ctx, r, overlay, dir)
	}
	return r, nil
}

// test runs tests until one notices. Those of packages that the mutant does not name
// begin within the time for a mutant alone.
func (l *lab) test(ctx context.Context, r *result, overlay string) error {
	begin := time.Now()
	folders := r.Tests
	if !l.near {
		folders = append(slices.Clone(folders), l.above(r.Mutant)...)
	}
	for i, p := range folders {
		if i >= len(r.Tests) && time.Since(begin) > l.timeout {
			break
		}
		if err := l.sound(ctx, "tests of "+p, func() error {
			by, err := l.goTest(ctx, p, "")
			if err == nil && by != "" {
				err = fmt.Errorf("tests of %s fail without a mutant: %s", p, by)
			}
			return err
		}); err != nil {
			return late(ctx, r, err)
		}
		by, err := l.goTest(ctx, p, overlay)
		if err != nil {
			return late(ctx, r, fmt.Errorf("mutant %s: %w", r.Name, err))
		}
		r.ran = append(r.ran, p)
		if r.by = by; by != "" {
			return nil
		}
	}
	return nil
}

// late makes of an error where time is up the reason that something was left out.
func late(ctx context.Context, r *result, err error) error {
	if ctx.Err() != nil {
		r.cut = "out of time"
		return nil
	}
	return err
}

// above are the packages that depend on a mutated one and have tests, the lowest first,
// without those that are named already.
func (l *lab) above(m *Mutant) []string {
	from := map[string]bool{filepath.ToSlash(filepath.Dir(m.File)): true}
	for again := true; again; {
		again = false
		for folder, p := range l.packages {
			if !from[folder] && slices.ContainsFunc(p.Imports, func(i string) bool { return from[i] }) {
				from[folder], again = true, true
			}
		}
	}
	var out []string
	for folder := range from {
		aside := strings.HasPrefix(folder, "scripts/") || folder == "bench" || folder == "interop"
		tests, _ := filepath.Glob(filepath.Join(l.root, filepath.FromSlash(folder), "*_test.go"))
		if !aside && len(tests) > 0 && !slices.Contains(m.Tests, folder) {
			out = append(out, folder)
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		if d := l.level[a] - l.level[b]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return out
}

// sound makes sure, once, that something holds without a mutant.
func (l *lab) sound(ctx context.Context, what string, try func() error) error {
	l.mu.Lock()
	once := l.whole[what]
	if once == nil {
		once = &sync.Once{}
		l.whole[what] = once
	}
	l.mu.Unlock()
	once.Do(func() {
		err := try()
		l.mu.Lock()
		l.wrong[what] = err
		l.mu.Unlock()
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wrong[what]
}

// command is one of the go command's, which ends with the context.
func (l *lab) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = l.root
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 10 * time.Second
	return c
}

// event is a line of go test -json.
type event struct {
	Action, Package, Test, Output, FailedBuild string
}

// goTest tests a package, and gives the first test that fails. It returns an error
// where the package does not build.
func (l *lab) goTest(ctx context.Context, folder, overlay string) (string, error) {
	args := []string{"test", "-json", "-vet=off", "-failfast", "-timeout", l.timeout.String(), "-p", fmt.Sprint(max(1, runtime.NumCPU()/l.jobs))}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	c := l.command(ctx, "go", append(args, "./"+folder)...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	b, err := c.Output()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	by, said, end := "", "", "ended without a test's word"
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		switch {
		case strings.HasPrefix(e.Output, "panic: test timed out"):
			end = "takes too long"
		case e.Action == "build-output":
			said += e.Output
		case e.FailedBuild != "":
			return "", fmt.Errorf("%s does not build:\n%s", folder, said)
		case e.Action == "fail" && e.Test != "" && by == "":
			by = fmt.Sprintf("%s %s", folder, e.Test)
		}
	}
	if err != nil && by == "" {
		if len(b) == 0 {
			return "", fmt.Errorf("go test: %w\n%s", err, stderr.Bytes())
		}
		by = folder + " " + end
	}
	return by, nil
}

// trial is what pare reproduce --json says of an experiment.
type trial struct {
	Claims []struct {
		Text  string `json:"text"`
		Holds bool   `json:"holds"`
	} `json:"claims"`
}

// reproduce tries the experiment with a mutant.
func (l *lab) reproduce(ctx context.Context, r *result, overlay, dir string) error {
	short, stop := context.WithTimeout(ctx, l.timeout)
	defer stop()
	if err := l.sound(ctx, "claims of "+r.Claims, func() error {
		by, err := l.try(ctx, r.Claims, "", dir)
		if err == nil && by != "" {
			err = fmt.Errorf("without a mutant, %s", by)
		}
		return err
	}); err != nil {
		return late(ctx, r, err)
	}
	by, err := l.try(short, r.Claims, overlay, dir)
	if err != nil {
		return late(short, r, fmt.Errorf("mutant %s: %w", r.Name, err))
	}
	r.by, r.ran = by, append(r.ran, "reproduce "+r.Claims)
	return nil
}

// try runs an experiment, and gives the first claim that does not hold, or the error
// that it ended with.
func (l *lab) try(ctx context.Context, name, overlay, dir string) (string, error) {
	pare := filepath.Join(dir, "pare")
	args := []string{"build", "-o", pare}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	if b, err := l.command(ctx, "go", append(args, "./cmd/pare")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("pare does not build: %w\n%s", err, b)
	}
	c := l.command(ctx, pare, "reproduce", name, "--json", "--seeds", fmt.Sprint(l.seeds))
	var stderr bytes.Buffer
	c.Stderr = &stderr
	b, err := c.Output()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err == nil {
		return "", nil
	}
	var ts []trial
	if json.Unmarshal(b, &ts) == nil {
		for _, t := range ts {
			for _, x := range t.Claims {
				if !x.Holds {
					return fmt.Sprintf("reproduce %s: %s", name, x.Text), nil
				}
			}
		}
	}
	text, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
	if text == "" {
		return "", fmt.Errorf("pare reproduce %s: %w", name, err)
	}
	return fmt.Sprintf("reproduce %s ends with: %s", name, text), nil
}
