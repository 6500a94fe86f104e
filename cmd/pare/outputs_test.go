package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	runs "pare/run"
)

// What a command reads is not written over, nor is one output by another, nor what is
// no file; nothing is written, and nothing left, where that is refused.
func TestOutputs(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	net(t, ".")
	for _, x := range []error{os.Link("net.onnx", "hard.onnx"), os.Symlink("net.onnx", "soft.onnx"), os.Mkdir("folder.onnx", 0o755), syscall.Mkfifo("pipe.onnx", 0o644),
		os.Symlink("/dev/null", "null.onnx"), os.Symlink("later.onnx", "dangling.onnx"), os.Mkdir("sub", 0o755), os.WriteFile("plain", nil, 0o644)} {
		if x != nil {
			t.Fatal(x)
		}
	}
	csv(t, ".")
	ok(t, "model", "convert", "mlp:64-8-10", "-o", "teacher.onnx")
	ok(t, "model", "convert", "resnet8", "-o", "w.safetensors")
	prune := "model prune net.onnx --sparsity 0.5 "
	for _, c := range []struct {
		status     int
		args, want string
	}{
		{2, prune + "-o net.onnx", "is the input itself: give another file, or --force"},
		{2, prune + "-o ./sub/../net.onnx", "is the input itself"},
		{2, prune + "-o soft.onnx", "is the input itself"},
		{2, prune + "-o hard.onnx", "is the input itself"},
		{2, prune + "-o teacher.onnx --teacher teacher.onnx --data digits --epochs 1", "is the teacher itself"},
		{2, prune + "-o teacher.onnx --teacher teacher.onnx --data digits --epochs 1 --force", "is the teacher itself"},
		{2, "model train net.onnx -o teacher.onnx --teacher teacher.onnx --data digits", "is the teacher itself"},
		{2, "model train net.onnx -o net.onnx --data digits", "is the input itself"},
		{2, "model compare net.onnx --data digits --methods gmp --report a.html --page p.md --plot p.svg", "--plot and --page are both p.svg"},
		{2, "model compare net.onnx --data digits --methods gmp -o plain", "plain is a file; a folder is needed"},
		{2, "quickstart --dir plain", "plain is a file; a folder is needed"},
		{1, "quickstart --dir /proc/x", ""},
		{2, "model convert net.onnx -o net.onnx --simplify", "or --force"},
		{2, "model convert resnet8 --weights w.safetensors -o w.safetensors", "is the file of weights itself"},
		{1, prune + "-o folder.onnx", "is a folder"},
		{1, prune + "-o pipe.onnx", "pipe.onnx"},
		{1, prune + "-o null.onnx", "is a device"},
		{1, prune + "-o nosuch/x.onnx", "output folder"},
		{1, prune + "-o /proc/x.onnx", "/proc"},
		{1, prune + "-o " + strings.Repeat("x", 240) + ".onnx", "too long"},
		{2, prune + "-o x.tflite", "does not end in"},
		{2, prune + "-o x.onnx --report x.onnx", "does not end in"},
	} {
		before := listing(t)
		if s, _, e := pare(t, strings.Fields(c.args)...); s != c.status || !strings.Contains(e, c.want) {
			t.Errorf("%s: status %d, want %d; said %q, want %q", c.args, s, c.status, e, c.want)
		}
		if after := listing(t); after != before {
			t.Errorf("%s: the folder holds\n%s\nit held\n%s", c.args, after, before)
		}
	}
	if !samePlace("dangling.onnx", "later.onnx") || samePlace("dangling.onnx", "net.onnx") {
		t.Error("a link to nothing is not what it links to")
	}
	ok(t, strings.Fields(prune+"-o net.onnx --force --no-bench")...)
	ok(t, strings.Fields(prune+"-o x.pare --no-bench")...)
	ok(t, strings.Fields(prune+"-o x.pare --no-bench")...) // an output of before is replaced
}

// listing is what the folder holds, with sizes.
func listing(t *testing.T) string {
	t.Helper()
	es, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range es {
		st, err := os.Lstat(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(e.Name(), " ", st.Size(), " ", st.ModTime()))
	}
	return strings.Join(out, "\n")
}

// A checkpoint and an output belong to one run; what is gone on with or begun anew is
// what was asked for; what a killed run left is cleared away.
func TestOwnership(t *testing.T) {
	t.Chdir(t.TempDir())
	args := strings.Fields("model train mlp:64-8-10 --data digits --epochs 1 --batch 64 --no-bench -o o.pare")
	lock, err := runs.Take("o.pare")
	if err != nil {
		t.Fatal(err)
	}
	if s, _, e := pare(t, args...); s != 1 || !strings.Contains(e, fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("status %d, %q", s, e)
	}
	lock.Release()
	if err := os.WriteFile("o.pare.checkpoint", []byte("of another run"), 0o644); err != nil {
		t.Fatal(err)
	}
	if s, _, e := pare(t, args...); s != 2 || !strings.Contains(e, "give --resume to go on with it, or --force") {
		t.Errorf("status %d, %q", s, e)
	}
	if s, _, e := pare(t, append(args, "--resume")...); s != 1 || !strings.Contains(e, "no checkpoint of Pare") {
		t.Errorf("status %d, %q", s, e)
	}
	if b, err := os.ReadFile("o.pare.checkpoint"); err != nil || string(b) != "of another run" {
		t.Errorf("%v: %s", err, b)
	}
	for _, name := range []string{".o.pare.checkpoint3141592653589", ".o.pare2718281828459"} {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if s, _, e := pare(t, append(args, "--force")...); s != 0 || !strings.Contains(e, "was not measured (--no-bench)") {
		t.Errorf("status %d, %q", s, e)
	}
	if s, _, e := pare(t, append(args, "--resume")...); s != 0 || !strings.Contains(e, "there is no checkpoint o.pare.checkpoint to go on from; the run begins anew") {
		t.Errorf("status %d, %q", s, e)
	}
	if es, _ := os.ReadDir("."); len(es) != 1 {
		t.Errorf("left behind: %v", es)
	}
}

// Names that a file gives are shown, not obeyed, in tables, errors, notes and JSON.
func TestPrintable(t *testing.T) {
	t.Chdir(t.TempDir())
	evil := "a\x1b[2J\a\u202eb\n.onnx"
	net(t, ".")
	if err := os.Rename("net.onnx", evil); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"model", "inspect", evil}, {"model", "inspect", evil, "--json"}, {"model", "bench", evil, "--rounds", "1"}, {"model", "bench", evil, "--rounds", "1", "--json"},
		{"model", "eval", evil, "--data", "digits"}, {"model", "prune", evil, "-o", "x\x1b[1m.onnx", "--sparsity", "0.5"}, {"model", "inspect", "no" + evil}, {"model", evil}, {evil},
		{"model", "prune", evil, "--" + evil}, {"model", "prune", evil, "-o", evil + "x"}, {"methods", evil}, {"model", "eval", evil, "--data", evil},
	} {
		_, o, e := pare(t, args...)
		for _, text := range []string{o, e} {
			if strings.ContainsAny(text, "\x1b\a\u202e") {
				t.Errorf("pare %q: %q", args, text)
			}
		}
	}
	var out, said bytes.Buffer
	c := newCLI(nil, &out, &said)
	c.say("%s", evil)
	if strings.ContainsAny(said.String(), "\x1b\a\u202e") {
		t.Errorf("%q", &said)
	}
}
