package main

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	runs "pare/run"
)

var kills = flag.Int("kills", 50, "how often TestKilled kills a process")

// killing is a command that is killed again and again, and gone on with.
type killing struct {
	args string
	out  string // the file that it makes
	want [32]byte
	took time.Duration
	went int // how often a run went on from its checkpoint
}

// A process that is killed at any instant is gone on with to the same bytes, by the name of
// its run, by the same command with --resume, or, of a comparison, by the same command. Its
// record can be read at any time, says that it died, and its metrics have no step twice.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	net(t, dir)
	s, err := runs.NewStore(filepath.Join(dir, "runs"))
	if err != nil {
		t.Fatal(err)
	}
	cases := []*killing{
		{args: "model train mlp:64-32-10 --data digits --epochs 10 --batch 32 --no-bench -o t.onnx", out: "t.onnx"},
		{args: "model prune net.onnx --method gmp --sparsity 0.8 --data digits?n=640 --epochs 3 --batch 32 --no-bench -o g.pare", out: "g.pare"},
		{args: "model prune net.onnx --method magnitude --rounds 3 --sparsity 0.8 --data digits --epochs 2 --batch 32 --no-bench -o r.pare", out: "r.pare"},
		{args: "model compare mlp:64-16-10 --methods gmp --sparsity 0.5,0.8 --seeds 1 --jobs 1 --data digits?n=640 --epochs 2 --batch 32 -o c", out: "c/gmp-0.8-seed1-*.pare"},
	}
	for _, k := range cases {
		began := time.Now()
		p, said := program(t, dir, append(strings.Fields(k.args), "--no-run", "--threads", "1")...)
		if p.Start(); status(t, p) != 0 {
			t.Fatalf("%s: %s", k.args, said)
		}
		k.took, k.want = time.Since(began), k.sum(t, dir)
		os.RemoveAll(filepath.Join(dir, filepath.Dir(k.out), k.out)) //nolint:errcheck // it is written over
		if k.out[:2] == "c/" {
			os.RemoveAll(filepath.Join(dir, "c")) //nolint:errcheck // the test fails then
		}
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for killed, n := 0, 0; killed < *kills; n++ {
		k := cases[n%len(cases)]
		killed += k.untilDone(t, dir, s, r)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	for _, k := range cases[:3] {
		if k.went == 0 && *kills >= 50 {
			t.Errorf("%s never went on from a checkpoint: seed %d", k.args, seed)
		}
	}
	if es, bad, err := s.List(); err != nil || bad != nil || len(es) == 0 {
		t.Errorf("%d runs, %v, %v", len(es), bad, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.checkpoint")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

// sum is the digest of what is made.
func (k *killing) sum(t *testing.T, dir string) [32]byte {
	t.Helper()
	fs, _ := filepath.Glob(filepath.Join(dir, k.out))
	if len(fs) != 1 {
		t.Fatalf("%s: %v is made", k.args, fs)
	}
	b, err := os.ReadFile(fs[0])
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(b)
}

// untilDone begins the command, kills it after a random time and goes on with it, until it is
// done. It says how often it was killed.
func (k *killing) untilDone(t *testing.T, dir string, s *runs.Store, r *rand.Rand) (killed int) {
	args := append(strings.Fields(k.args), "--runs", "runs", "--threads", "1")
	before, _ := s.Names()
	for {
		do := args
		names, err := s.Names()
		if err != nil {
			t.Fatal(err)
		}
		var last string
		if len(names) > len(before) {
			last = names[len(names)-1]
		}
		e, err := s.Entry(last)
		if err == nil && e.Status == runs.Done { // it was killed as it left
			break
		}
		if err == nil && e.Status != runs.Died && e.Status != runs.Failed {
			t.Fatalf("%s: %s after it was killed", last, e.Status)
		}
		switch {
		case err != nil && last != "" && !runs.Unfinished(filepath.Join(s.Dir, last)):
			t.Fatal(err)
		case err == nil && r.IntN(2) == 0:
			do = append(strings.Fields(k.args)[:2:2], "--resume", last, "--runs", "runs")
		case killed > 0 && !strings.Contains(k.args, "compare"):
			do = append(args[:len(args):len(args)], "--resume")
		}
		p, said := program(t, dir, do...)
		var out bytes.Buffer
		p.Stdout = &out
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		after := time.Duration(r.Float64() * 1.1 * float64(k.took))
		late := time.AfterFunc(after, func() { p.Process.Kill() }) //nolint:errcheck // it may have ended
		code := status(t, p)
		if !late.Stop() && code < 0 {
			if killed++; killed > 200 {
				t.Fatalf("%v does not end", do)
			}
			continue
		}
		if code != 0 {
			t.Fatalf("%v: status %d: %s", do, code, said)
		}
		break
	}
	if k.sum(t, dir) != k.want {
		t.Errorf("%s: other bytes after %d kills", k.args, killed)
	}
	k.metrics(t, s)
	if k.out[:2] == "c/" {
		os.RemoveAll(filepath.Join(dir, "c")) //nolint:errcheck // the next begins anew then
	}
	return killed
}

// metrics checks those of the run that has just ended.
func (k *killing) metrics(t *testing.T, s *runs.Store) {
	t.Helper()
	e, err := s.Find(runs.Latest)
	if err != nil {
		t.Fatal(err)
	}
	if e.Status != runs.Done || e.Record.Values == nil && !strings.Contains(k.args, "compare") {
		t.Errorf("%s: %s, %v", e.Name, e.Status, e.Record.Values)
	}
	ps, err := runs.ReadMetrics(filepath.Join(e.Dir, runs.MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	last := e.Record.Sittings[len(e.Record.Sittings)-1].Began
	if len(ps) > 0 && len(e.Record.Sittings) > 1 && ps[0].Time.Before(last.Add(-time.Millisecond)) {
		k.went++ // what it had made was not made again
	}
	for _, p := range ps {
		if _, ok := p.Get(runs.Loss); !ok {
			continue
		}
		if at := fmt.Sprint(p.Of, p.Training, " ", p.Step); seen[at] {
			t.Errorf("%s: step %s is there twice", e.Name, at)
		} else {
			seen[at] = true
		}
	}
	if len(seen) < 30 && !strings.Contains(k.args, "compare") { // all of it may have been made before
		t.Errorf("%s: %d steps", e.Name, len(seen))
	}
	if _, err := os.Stat(filepath.Join(e.Dir, runs.CheckFolder)); err == nil {
		t.Errorf("%s has a checkpoint still", e.Name)
	}
}
