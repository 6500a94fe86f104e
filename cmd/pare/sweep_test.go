package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pare/run/sweep"
)

const sweepText = `
models: mlp:64-16-10
data: digits?val=0.2
methods:
  - dense
  - {method: gmp, settings: {every: [5, 20]}}
  - global-mp
budgets: {sparsity: [0.8]}
recipe: {epochs: 4, batch: 64, lr: [0.05, 0.2]}
search: {kind: halving, eta: 2, min-epochs: 1}
`

// sweepFile writes the file of a sweep.
func sweepFile(t *testing.T, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, "s.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// swept makes a sweep by the program, and gives what it prints.
func swept(t *testing.T, dir string, want int, args ...string) (*sweep.Results, string) {
	t.Helper()
	p, said := program(t, dir, append([]string{"sweep", "s.yaml", "--json"}, args...)...)
	var out bytes.Buffer
	p.Stdout = &out
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	if got := status(t, p); got != want {
		t.Fatalf("status %d, not %d: %s", got, want, said)
	}
	if want != 0 {
		return nil, said.String()
	}
	res := &sweep.Results{}
	if err := json.Unmarshal(out.Bytes(), res); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	return res, said.String()
}

// command runs a command line in this process.
func command(t *testing.T, args ...string) (code int, out, said string) {
	t.Helper()
	var a, b bytes.Buffer
	code = run(args, &a, &b)
	return code, a.String(), b.String()
}

// came is what came out, without times and names.
func came(res *sweep.Results) string {
	var b strings.Builder
	for _, o := range res.Runs {
		fmt.Fprintln(&b, o.ID, o.Status, o.Why, o.Epochs, o.Curve, o.Validation, o.Test)
	}
	return b.String()
}

// A sweep makes its runs as children, to the same bytes as the command itself, keeps them in
// a store, and makes nothing twice; one that is stopped and killed comes to the same.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	sweepFile(t, dir, sweepText)
	if _, said := swept(t, dir, 2); !strings.Contains(said, "give -o DIR") {
		t.Error(said)
	}
	res, _ := swept(t, dir, 0, "-o", "out", "--jobs", "2")
	if res.Counts[sweep.Done] != 2 || res.Counts[sweep.Dropped] != 6 || len(res.Runs) != 8 {
		t.Fatalf("%v", res.Counts)
	}
	for _, o := range res.Runs {
		if o.Status != sweep.Done {
			continue
		}
		if o.Epochs != 4 || !(o.Validation > .5) || !(o.Test > .5) || o.Numbers["validation_accuracy"] != float64(o.Validation) || o.Numbers["accuracy"] != float64(o.Test) {
			t.Errorf("%+v", o)
		}
		if _, err := os.Stat(filepath.Join(dir, "out", o.File)); err != nil {
			t.Error(err)
		}
	}
	code, list, said := command(t, "runs", "--runs", filepath.Join(dir, "out", "runs"), "list", "--tag", "sweep:s", "--json")
	if n := strings.Count(list, `"pare_run"`); code != 0 || n != 8 {
		t.Errorf("%d runs are listed: %s", n, said)
	}
	page, err := os.ReadFile(filepath.Join(dir, "out", "report.html"))
	if err != nil || !bytes.Contains(page, []byte("gmp every=5 sparsity=0.8")) || !bytes.Contains(page, []byte("What each setting does")) {
		t.Errorf("the page: %v", err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "out", sweep.ResultsFile))
	if err != nil {
		t.Fatal(err)
	}
	again, _ := swept(t, dir, 0, "-o", "out")
	after, err := os.ReadFile(filepath.Join(dir, "out", sweep.ResultsFile))
	if err != nil || !bytes.Equal(before, after) || came(again) != came(res) {
		t.Errorf("it is made again: %v", err)
	}

	for i, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGTERM} {
		p, said := program(t, dir, "sweep", "s.yaml", "-o", "cut", "--jobs", "2")
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		longer(t, filepath.Join(dir, "cut", sweep.ResultsFile), 2+3*i)
		p.Process.Signal(sig) //nolint:errcheck // it may have ended
		if got := status(t, p); got == 1 || got == 2 {
			t.Fatalf("status %d: %s", got, said)
		}
	}
	cut, _ := swept(t, dir, 0, "-o", "cut", "--jobs", "2")
	if came(cut) != came(res) {
		t.Errorf("%s\nwant\n%s", came(cut), came(res))
	}
	for _, o := range res.Runs {
		if o.Status != sweep.Done {
			continue
		}
		a, err := os.ReadFile(filepath.Join(dir, "out", o.File))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(dir, "cut", o.File)); err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: other bytes, %v", o.File, err)
		}
	}
}

// longer waits until a file has so many.
func longer(t *testing.T, path string, n int) {
	t.Helper()
	for late := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		if b, _ := os.ReadFile(path); bytes.Count(b, []byte("\n")) >= n {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("%s has not come to %d lines", path, n)
		}
	}
}

// A run whose loss explodes in the last epoch before a pause makes that epoch again before it
// pauses.
func TestPauseAfterExplosion(t *testing.T) {
	dir := t.TempDir()
	sweepFile(t, dir, `
models: mlp:64-64-32-10
data: digits?val=0.2
methods: [gmp:every=20:power=1.87607:sparsity=0.95]
recipe: {epochs: 27, batch: 16, lr: [0.22084, 0.05], decay: 0.0001}
search: {kind: halving, min-epochs: 3}
`)
	res, _ := swept(t, dir, 0, "-o", "out", "--jobs", "1")
	if o := res.Runs[0]; o.Status != sweep.Dropped || o.Epochs != 3 || o.Tries != 1 {
		t.Errorf("%+v", o)
	}
}

// What is wrong is said before anything is made, by the flag or the place in the file.
func TestSweepWrong(t *testing.T) {
	for _, c := range []struct{ old, new, args, want string }{
		{"gmp", "gpm", "", "s.yaml: line 6, column 14: "},
		{"val=0.2", "n=50", "", "digits?n=50 has no validation set, by which runs are chosen: keep a part of the training set, as in digits?n=50&val=0.1"},
		{"mlp:64-16-10", "mlp:63-16-10", "", "mlp:63-16-10"},
		{"mlp:64-16-10", "none.onnx", "", "none.onnx is neither a file nor a network for this data"},
		{"digits?val", "digit?val", "", "data: "},
		{"epochs: 4", "epochs: 4, loss: foo", "", "loss"},
		{"epochs: 4", "epochs: 4, batch: [64, 100000]", "", `line 9, column 42: mapping key "batch" already defined`},
		{"", "", "--jobs -1", "--jobs -1"},
		{"", "", "--listen 127.0.0.1:1 --nats nats://127.0.0.1:1", "--listen opens a queue, and --nats joins one"},
		{"", "", "--listen 0.0.0.0:4222", "no credential is asked for"},
		{"", "", "--nats nats://10.0.0.1:4222", "no credential is given"},
		{"", "", "--listen 127.0.0.1:0 --creds x", "--creds is for --nats"},
		{"", "", "--listen nowhere", "such as 127.0.0.1:4222 is needed\n"},
		{"", "", "--listen 127.0.0.1:99999", "the port is a number up to 65535"},
		{"", "", "--token-file x", "--token-file is for a queue: give --listen or --nats"},
		{"", "", "--tls-ca x", "--tls-ca is for a queue"},
		{"", "", "--nats nats://127.0.0.1:1 --tls-key x", "--tls-cert and --tls-key go together"},
		{"", "", "--nats nats://127.0.0.1:1", "nobody answers there"},
	} {
		dir := t.TempDir()
		path := sweepFile(t, dir, strings.Replace(sweepText, c.old, c.new, 1))
		out := filepath.Join(dir, "out")
		code, _, said := command(t, append([]string{"sweep", path, "-o", out}, strings.Fields(c.args)...)...)
		if code == 0 || !strings.Contains(said, c.want) {
			t.Errorf("%q %s: status %d: %s", c.new, c.args, code, said)
		}
		if _, err := os.Stat(filepath.Join(out, sweep.ResultsFile)); err == nil {
			t.Errorf("%q: something was made", c.new)
		}
	}
}

// What would run is said, and nothing is written.
func TestSweepDry(t *testing.T) {
	dir := t.TempDir()
	path := sweepFile(t, dir, sweepText)
	out := filepath.Join(dir, "out")
	code, said, _ := command(t, "sweep", path, "-o", out, "--dry-run")
	if _, err := os.Stat(out); code != 0 || err == nil || !strings.Contains(said, "8 runs, 8 of them") || !strings.Contains(said, "--method 'gmp:every=5:sparsity=0.8'") {
		t.Errorf("status %d, %v: %s", code, err, said)
	}
}

// Data travels with the files that it names, and what it names else stays.
func TestTraveling(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"a.csv", "b.csv", "t.json"} {
		if err := os.WriteFile(name, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for spec, want := range map[string]string{
		"digits":                                "digits",
		"digits?val=0.1":                        "digits?val=0.1",
		"a.csv":                                 "{data0}",
		"a.csv?label=last":                      "{data0}?label=last",
		"csv:a.csv,b.csv?val=0.1":               "csv:{data0},{data1}?val=0.1",
		"lines:a.csv?tokenizer=t.json&length=8": "lines:{data0}?tokenizer={data1}&length=8",
		"csv:part-*.csv":                        "csv:part-*.csv",
		"table:a.csv?labels=none&x=t.json":      "table:{data0}?labels=none&x=t.json",
	} {
		got, files, err := traveling(spec)
		if err != nil || got != want || strings.Count(got, "{") != len(files) {
			t.Errorf("%s: %s, %d files, %v", spec, got, len(files), err)
		}
	}
}
