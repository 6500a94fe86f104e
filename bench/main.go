// Command bench measures Pare against its peers on the same work: PyTorch for
// training, ONNX Runtime for inference, OpenBLAS for products. Every round runs
// Pare and the peer one after the other, so that what disturbs the machine
// disturbs both; a ratio is taken within a round.
//
//	bench/setup.sh                     # a Python environment with the peers
//	go run ./bench                     # everything
//	go run ./bench -only conv -threads 1 -isa avx2
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"pare/internal/kernel"
	"pare/measure"
)

// work is one row: something that Pare and a peer both do.
type work struct {
	Group, Name string
	Peer        string
	Bar         float64 // the ratio to reach
	// ours prepares Pare's side for some threads; theirs is the peer's job, or
	// nil where own gives Pare's own other way.
	ours   func(threads int) (run func() error, done func(), err error)
	theirs map[string]any
	own    func(threads int) (run func() error, done func(), err error)
}

// Row is a result.
type Row struct {
	Group   string         `json:"group"`
	Name    string         `json:"name"`
	Threads int            `json:"threads"`
	Pare    measure.Spread `json:"pare"` // seconds
	Peer    string         `json:"peer"`
	Theirs  measure.Spread `json:"theirs"` // seconds
	Ratio   measure.Spread `json:"ratio"`  // peer's time / Pare's
	Bar     float64        `json:"bar"`
	Hop     float64        `json:"hop,omitempty"` // seconds that a line of the cache takes from core to core and back
	Error   string         `json:"error,omitempty"`
}

// options are the command's flags.
type options struct {
	only    *regexp.Regexp
	repeats int
	threads []int
	python  string
	out     string // files to write, where not empty
	page    string
	svg     string
	per     time.Duration
	solo    string
	cpu     bool
}

func main() {
	debug.SetGCPercent(50) // as in the command
	only := flag.String("only", "", "regular expression over `group/name`")
	repeats := flag.Int("repeats", 9, "rounds")
	threads := flag.String("threads", "1,2", "numbers of threads")
	python := flag.String("python", os.Getenv("PARE_PYTHON"), "Python with the peers; empty: what bench/setup.sh made")
	isa := flag.String("isa", "", "weaker instructions for Pare: avx2 or generic")
	out := flag.String("json", "", "write the rows to this file")
	svg := flag.String("plot", "", "only draw speed against sparsity into this SVG file")
	page := flag.String("page", "", "put the rows as a table into this Markdown file")
	per := flag.Duration("per", 60*time.Millisecond, "time of one side in one round")
	solo := flag.String("solo", "", "run one work of Pare's alone, three times, and print the peak memory")
	cpu := flag.Bool("cpu", false, "measure the time of processors, not of the clock: for machines that others use too, with one thread")
	flag.Parse()
	o := options{cpu: *cpu, repeats: *repeats, python: *python, out: *out, page: *page, svg: *svg, per: *per, solo: *solo}
	err := o.parse(*only, *threads)
	if err == nil {
		err = setISA(*isa)
	}
	if err == nil {
		err = run(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// parse reads the flags that are more than text, and finds Python.
func (o *options) parse(only, threads string) (err error) {
	if o.only, err = regexp.Compile(only); err != nil {
		return err
	}
	for _, field := range strings.Split(threads, ",") {
		t, err := strconv.Atoi(field)
		if err != nil {
			return fmt.Errorf("-threads %s: %w", threads, err)
		}
		o.threads = append(o.threads, t)
	}
	if o.python == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return err
		}
		o.python = filepath.Join(cache, "pare-interop", "bin", "python")
	}
	return nil
}

// setISA makes Pare use weaker instructions; "" leaves those of the machine.
func setISA(name string) error {
	for _, l := range kernel.Levels() {
		if name == l.String() {
			return kernel.SetISA(l)
		}
	}
	return nil
}

func run(o options) error {
	dir, err := os.MkdirTemp("", "pare-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // nothing depends on it
	all := works(dir, o.python)
	if o.solo != "" {
		return alone(all, o.solo)
	}
	if o.svg != "" {
		return plot(o.svg, o.python, dir)
	}
	var rows []Row
	time := "time"
	if o.cpu {
		time = "processor time"
	}
	head := fmt.Sprintf("%s, instructions %v, %d rounds, peer's %s / Pare's", cpu(), kernel.Level(), o.repeats, time)
	fmt.Println(head)
	for _, t := range o.threads {
		r, err := duels(all, o, t)
		if err != nil {
			return err
		}
		rows = append(rows, r...)
	}
	rows = append(rows, memory(all, o.only, o.python)...)
	if o.only.MatchString("bytes on disk/") {
		rows = append(rows, disk()...)
	}
	if o.page != "" {
		if err := putTable(o.page, kernel.Level().String(), table(head, rows)); err != nil {
			return err
		}
	}
	if o.out == "" {
		return nil
	}
	b, err := json.MarshalIndent(rows, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.out, append(b, '\n'), 0o644)
}

// duels runs the chosen works with a number of threads. A peer that broke is
// restarted.
func duels(all []work, o options, threads int) (rows []Row, err error) {
	p, err := startPeer(o.python, threads)
	if err != nil {
		return nil, err
	}
	p.cpu = o.cpu
	for _, w := range all {
		if !o.only.MatchString(w.Group + "/" + w.Name) {
			continue
		}
		r := duel(w, p, threads, o.repeats, o.per)
		rows = append(rows, r)
		r.print()
		if p.broken != nil {
			p.stop()
			if p, err = startPeer(o.python, threads); err != nil {
				return nil, err
			}
			p.cpu = o.cpu
		}
	}
	p.stop()
	return rows, nil
}

// duel runs both sides in turn.
func duel(w work, p *peer, threads, repeats int, per time.Duration) Row {
	r := Row{Group: w.Group, Name: w.Name, Threads: threads, Peer: w.Peer, Bar: w.Bar}
	fail := func(err error) Row { r.Error = err.Error(); return r }
	ours, done, err := w.ours(threads)
	if err != nil {
		return fail(err)
	}
	defer done()
	mine := func(loops int) (float64, error) {
		p.pause()
		defer p.resume()
		return timed(ours, loops, p.cpu)
	}
	var theirs func(loops int) (float64, error)
	if w.own != nil {
		f, done, err := w.own(threads)
		if err != nil {
			return fail(err)
		}
		defer done()
		theirs = func(loops int) (float64, error) { return timed(f, loops, p.cpu) }
	} else {
		id, err := p.prepare(w.theirs)
		if err != nil {
			return fail(err)
		}
		defer p.drop(id)
		theirs = func(loops int) (float64, error) { return p.run(id, loops) }
	}
	sides := []func(int) (float64, error){mine, theirs}
	var loops [2]int
	for i, f := range sides {
		for range 2 {
			s, err := f(1)
			if err != nil {
				return fail(err)
			}
			loops[i] = max(1, int(per.Seconds()/max(s, 1e-7)))
		}
	}
	var times [2][]float64
	var ratios, hops []float64
	for k := range repeats {
		if threads > 1 {
			hops = append(hops, hop().Seconds())
		}
		for j := range sides {
			i := (j + k) % 2 // each goes first in every other round
			s, err := sides[i](loops[i])
			if err != nil {
				return fail(err)
			}
			times[i] = append(times[i], s)
			time.Sleep(5 * time.Millisecond) // threads that spin go to sleep
		}
		ratios = append(ratios, times[1][k]/times[0][k])
	}
	if threads > 1 {
		r.Hop = measure.SpreadOf(hops).Median
	}
	r.Pare, r.Theirs, r.Ratio = measure.SpreadOf(times[0]), measure.SpreadOf(times[1]), measure.SpreadOf(ratios)
	return r
}

// timed is the time of one run, of the process's own where cpu is set; where there are
// several, one more runs before them, as it does on the peer's side.
func timed(f func() error, loops int, cpu bool) (float64, error) {
	if loops > 1 {
		if err := f(); err != nil {
			return 0, err
		}
	}
	start := time.Now()
	now := func() time.Duration { return time.Since(start) }
	if cpu {
		now = processorTime
	}
	t := now()
	for range loops {
		if err := f(); err != nil {
			return 0, err
		}
	}
	return (now() - t).Seconds() / float64(loops), nil
}

func (r Row) print() {
	if r.Error != "" {
		fmt.Printf("%-14s %-44s %dT  %s\n", r.Group, r.Name, r.Threads, r.Error)
		return
	}
	mark := ""
	if r.Ratio.Median < r.Bar {
		mark = "  below"
	}
	unit := unit
	if r.Group == "bytes on disk" {
		unit = bytesOf
	}
	fmt.Printf("%-14s %-44s %dT  %9s  %-12s %9s  %5.2f ± %.2f  (%.2f)%s\n", r.Group, r.Name, r.Threads,
		unit(r.Pare.Median), r.Peer, unit(r.Theirs.Median), r.Ratio.Median, r.Ratio.Half, r.Bar, mark)
}

func bytesOf(n float64) string { return fmt.Sprintf("%.0f kB", n/1e3) }

func unit(s float64) string {
	switch {
	case s >= 1:
		return fmt.Sprintf("%.2f s", s)
	case s >= 1e-3:
		return fmt.Sprintf("%.2f ms", s*1e3)
	}
	return fmt.Sprintf("%.1f µs", s*1e6)
}

// cpu is the processor's name, where the system gives it.
func cpu() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for _, l := range strings.Split(string(b), "\n") {
		if k, v, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return "unknown processor"
}
