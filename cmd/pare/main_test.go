package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/onnx"
	"pare/zoo"
)

// pare runs the command line in process.
func pare(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(args, &o, &e)
	return status, o.String(), e.String()
}

func ok(t *testing.T, args ...string) string {
	t.Helper()
	s, o, e := pare(t, args...)
	if s != 0 {
		t.Fatalf("pare %v: status %d\n%s", args, s, e)
	}
	return o
}

// net writes an untrained network for the digits.
func net(t *testing.T, dir string) string {
	t.Helper()
	g, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: .5})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "net.onnx")
	if err := onnx.Write(path, g, onnx.Options{}); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestModelCommands(t *testing.T) {
	dir := t.TempDir()
	n := net(t, dir)
	at := func(name string) string { return filepath.Join(dir, name) }
	if o := ok(t, "model", "inspect", n); !strings.Contains(o, "layer1.0.conv1.weight") || !strings.Contains(o, "Channels that can be cut") {
		t.Error(o)
	}
	var x struct {
		Size struct{ Params int64 } `json:"size"`
	}
	if err := json.Unmarshal([]byte(ok(t, "model", "inspect", n, "--json")), &x); err != nil || x.Size.Params == 0 {
		t.Errorf("%v %+v", err, x)
	}
	ok(t, "model", "prune", n, "-o", at("s.pare"), "--sparsity", "0.9")
	ok(t, "model", "prune", n, "-o", at("c.onnx"), "--method", "channels", "--flops", "0.5", "--data", "digits", "--epochs", "1", "--batch", "64", "--report", at("r.html"))
	a, _ := os.Stat(n)
	for name, most := range map[string]float64{"s.pare": .2, "c.onnx": .75} {
		b, err := os.Stat(at(name))
		if err != nil || float64(b.Size()) > most*float64(a.Size()) {
			t.Errorf("%s: %v of %d bytes", name, b, a.Size())
		}
	}
	if b, err := os.ReadFile(at("r.html")); err != nil || !bytes.Contains(b, []byte("<svg")) {
		t.Errorf("report: %v", err)
	}
	ok(t, "model", "prune", n, "-o", at("g.onnx"), "--method", "65", "--data", "digits?n=320", "--epochs", "1", "--batch", "32", "--every", "2")
	ok(t, "model", "prune", n, "-o", at("d.onnx"), "--max-drop", "5", "--data", "digits", "--epochs", "0")
	ok(t, "model", "prune", n, "-o", at("l.onnx"), "--method", "channels", "--latency", "0.95", "--threads", "1")
	ok(t, "model", "train", "mlp:64-16-10", "--data", "digits", "-o", at("m.onnx"), "--epochs", "1", "--batch", "64")
	ok(t, "model", "train", at("m.onnx"), "--data", "digits", "-o", at("m2.onnx"), "--epochs", "1", "--batch", "64", "--teacher", n, "--json")
	ok(t, "model", "eval", at("s.pare"), "--data", "digits", "--json")
	ok(t, "model", "bench", at("c.onnx"), "--vs", n, "--rounds", "2")
	ok(t, "model", "convert", at("s.pare"), "-o", at("s.onnx"), "--sparse")
	ok(t, "methods")
	if o := ok(t, "methods", "gmp"); !strings.Contains(o, "--power") {
		t.Error(o)
	}
	left, _ := filepath.Glob(at("*.checkpoint"))
	hidden, _ := filepath.Glob(at(".*"))
	if len(left)+len(hidden) > 0 {
		t.Errorf("left behind: %v %v", left, hidden)
	}
}

func TestWrongUse(t *testing.T) {
	dir := t.TempDir()
	n := net(t, dir)
	out := filepath.Join(dir, "out.onnx")
	bad := filepath.Join(dir, "bad.onnx")
	b, _ := os.ReadFile(n)
	os.WriteFile(bad, b[:len(b)/2], 0o644) //nolint:errcheck // the cases below fail then
	for _, c := range []struct {
		status int
		want   string
		args   []string
	}{
		{2, "no output", []string{"model", "prune", n}},
		{2, "takes", []string{"model", "prune"}},
		{2, "there is no flag --nosuch", []string{"model", "prune", n, "--nosuch"}},
		{2, "there is no command", []string{"model", "nosuch"}},
		{2, "no method", []string{"model", "prune", n, "-o", out, "--method", "nosuch"}},
		{2, "no setting --flops: it belongs to layer-lottery, lapp, consensus, spa, emo, scratch", []string{"model", "prune", n, "-o", out, "--flops", "0.5"}},
		{2, "two goals", []string{"model", "prune", n, "-o", out, "--max-drop", "1", "--latency", "0.5", "--data", "digits"}},
		{2, "leave --sparsity", []string{"model", "prune", n, "-o", out, "--max-drop", "1", "--sparsity", "0.5"}},
		{2, "give --data", []string{"model", "prune", n, "-o", out, "--max-drop", "1"}},
		{2, "--sparsity much: a number is needed", []string{"model", "prune", n, "-o", out, "--sparsity", "much"}},
		{2, "--sparsity 1.5: a number in [0,1) is needed", []string{"model", "prune", n, "-o", out, "--sparsity", "1.5"}},
		{1, "no cut of channels reaches", []string{"model", "prune", n, "-o", out, "--method", "channels", "--flops", "0.0001"}},
		{2, "no training set: give --data, or --epochs 0", []string{"model", "prune", n, "-o", out, "--epochs", "3"}},
		{1, "no such file", []string{"model", "inspect", filepath.Join(dir, "absent.onnx")}},
		{1, "damaged", []string{"model", "inspect", bad}},
		{1, "output folder", []string{"model", "prune", n, "-o", filepath.Join(dir, "no", "such", "x.onnx")}},
		{2, "does not end in .onnx or .pare", []string{"model", "prune", n, "-o", filepath.Join(dir, "out.txt")}},
		{2, "does not end in .html", []string{"model", "prune", n, "-o", out, "--report", filepath.Join(dir, "r.md")}},
		{2, "did you mean pare model prune?", []string{"model", "prun"}},
		{1, "is a folder", []string{"model", "convert", n, "-o", dir}},
		{1, "samples of shape", []string{"model", "eval", n, "--data", "csv:" + csv(t, dir)}},
		{2, "no data", []string{"model", "eval", n}},
		{1, "neither a file nor", []string{"model", "train", "nosuch", "--data", "digits", "-o", out}},
		{2, "--lr -1: a number above 0, or auto is needed", []string{"model", "prune", n, "-o", out, "--data", "digits", "--lr", "-1"}},
		{1, "the loss became", []string{"model", "prune", n, "-o", out, "--data", "digits", "--batch", "32", "--lr", "1e30", "--epochs", "1"}},
		{2, "did you mean", []string{"reproduce", "chanels"}},
		{2, "--page", []string{"reproduce", "08", "--beside", "x.json"}},
		{2, "--first-seed", []string{"reproduce", "08", "--first-seed", "-1"}},
		{2, "--seeds", []string{"reproduce", "08", "--seeds", "-1"}},
	} {
		s, _, e := pare(t, c.args...)
		if s != c.status || !strings.Contains(e, c.want) {
			t.Errorf("pare %v: status %d, want %d; said %q, want something with %q", c.args, s, c.status, e, c.want)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a failed command wrote its output")
	}
}

// The shell is told the names that fit.
func TestCompletion(t *testing.T) {
	for want, args := range map[string][]string{
		"global-mp\t":     {"model", "prune", "--method", ""},
		"resnet20\n":      {"model", "train", "res"},
		"gmp\t":           {"methods", ""},
		"65\t":            {"reproduce", ""},
		"cifar10:\n":      {"model", "eval", "x", "--data", "ci"},
		"--sparsity\t":    {"model", "prune", "--sp"},
		"nesterov\n":      {"model", "train", "x", "--optimizer", ""},
		"global\nuniform": {"model", "prune", "--method", "granet", "--rank", ""},
		"none\n":          {"model", "prune", "--method=lottery", "--controls", ""},
		"--rank\t":        {"model", "prune", "--method", "granet", "--ra"},
		"quickstart\t":    {"q"},
		"complete -o def": nil,
	} {
		a := append([]string{"__complete"}, args...)
		if args == nil {
			a = []string{"completion", "bash"}
		}
		if o := ok(t, a...); !strings.Contains(o, want) {
			t.Errorf("pare %v says %q, want something with %q", a, o, want)
		}
	}
}

func csv(t *testing.T, dir string) string {
	path := filepath.Join(dir, "d.csv")
	if err := os.WriteFile(path, []byte("1,2,0\n3,4,1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// The generated pages are those of this program.
func TestDocs(t *testing.T) {
	dir := t.TempDir()
	ok(t, "docs", dir)
	for _, name := range []string{"methods.md", "commands.md", "operators.md"} {
		a, _ := os.ReadFile(filepath.Join(dir, name))
		b, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("docs/%s is not up to date: run go generate ./cmd/pare (%v)", name, err)
		}
	}
}
