package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/dataset"
)

// Classes of a source are kept for a target, a network learns them under new numbers, and
// they are written as a set of their own.
func TestDataTransfer(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	ok(t, "model", "train", "mlp:64-20-10", "--data", "digits?n=400", "-o", at("n.onnx"), "--epochs", "3", "--lr", "0.05", "--batch", "20", "--no-bench")
	// The target: test samples of digits 3 and 8, in a file of their own.
	d, err := dataset.Open("digits")
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	for i := range d.Test.Len() {
		if c := d.Test.Label(i); c == 3 || c == 8 {
			k := d.Test.Number(i)
			for _, v := range d.Test.X().Floats[k*64 : (k+1)*64] {
				b, _ := json.Marshal(v)
				rows.Write(append(b, ','))
			}
			rows.WriteString([]string{"a\n", "b\n"}[c/8])
		}
	}
	if err := os.WriteFile(at("t.csv"), []byte(rows.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	target := "csv:" + at("t.csv") + "?header=no&label=last"
	source := []string{"data", "prune", "--source", "digits?n=400", "--target", target, "--surrogate", at("n.onnx")}
	more := func(args ...string) []string { return append(append([]string{}, source...), args...) }
	var kept struct {
		Samples int
		Classes []struct{ Class, Before, After int }
		Facts   struct {
			Kept   []int
			Voters int
			NoVote int `json:"kept_without_vote"`
		}
		Notes []string
	}
	read := func(text string) {
		t.Helper()
		if err := json.Unmarshal([]byte(text), &kept); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	read(ok(t, more("--json", "--method", "label-mapping", "--class-count", "2", "-o", at("k.txt"))...))
	if f := kept.Facts; len(f.Kept) != 2 || f.Kept[0] != 3 || f.Kept[1] != 8 || f.Voters < 50 || f.NoVote != 0 || kept.Samples < 60 {
		t.Fatalf("%+v", kept)
	}
	read(ok(t, more("--json", "--method", "feature-mapping:class-count=2", "-o", at("f.jsonl"))...))
	if f := kept.Facts; len(f.Kept) != 2 || f.Kept[0] != 3 || f.Kept[1] != 8 {
		t.Errorf("%+v", kept)
	}
	ok(t, more("--method", "feature-mapping", "--clusters", "20", "--classes", "0.4", "-o", at("c.csv"))...)
	ok(t, "model", "train", "mlp:64-20-2", "--data", "digits?n=400", "--subset", at("k.txt"), "-o", at("two.onnx"), "--epochs", "3", "--lr", "0.05", "--batch", "10", "--no-bench")
	o := ok(t, "data", "apply", at("k.txt"), "digits?n=400", "-o", at("two.npz"))
	if !strings.Contains(o, "test set") || !strings.Contains(o, "labels changed") {
		t.Error(o)
	}
	two, err := dataset.Open("npz:" + at("two.npz"))
	if err != nil || two.Train.Class().Classes != 2 || two.Test.Class().Classes != 2 || two.Train.Len() < 60 {
		t.Errorf("%+v, %v", two, err)
	}
	s, _, e := pare(t, more("--method", "label-mapping", "--class-count", "2", "-o", at("k.npy"))...)
	if s != 0 || !strings.Contains(e, "labels keep their numbers") {
		t.Errorf("status %d: %s", s, e)
	}
	ok(t, "data", "apply", at("k.npy"), "digits?n=400", "-o", at("plain.npz"))
	if s, _, e := pare(t, "data", "apply", at("k.txt"), "digits?n=400", "-o", at("x.npy")); s != 2 || !strings.Contains(e, "new labels") {
		t.Errorf("status %d: %s", s, e)
	}
	if err := os.WriteFile(at("few.csv"), []byte("1,2,0\n3,4,1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	label := []string{"data", "prune", "--method", "label-mapping", "-o", at("x.txt")}
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{append(label, "--data", "digits"), 2, "--target"},
		{append(label, "--data", "digits", "--target", target), 2, "--surrogate"},
		{append(label, "--data", "digits", "--source", "digits", "--target", target), 2, "--source and --data"},
		{append(label, "--source", "glyph", "--target", target, "--surrogate", at("two.onnx")), 2, "gives 2 numbers"},
		{append(label, "--source", "digits", "--target", "csv:"+at("few.csv")+"?header=no&label=last", "--surrogate", at("n.onnx")), 2, "cannot be shown to the --surrogate"},
		{append(label, "--source", "digits", "--target", "csv:"+at("k.txt"), "--surrogate", at("n.onnx")), 1, "k.txt"},
		{append(label, "--source", "digits", "--target", target, "--surrogate", at("n.onnx"), "--classes", "0"), 2, "--classes 0"},
		{append(label, "--source", "digits", "--target", target, "--surrogate", at("n.onnx"), "--classes", "0.01"), 2, "--classes"},
		{append(label, "--source", "digits", "--target", target, "--surrogate", at("n.onnx"), "--class-count", "11"), 2, "--class-count 11"},
		{append(label, "--source", "digits", "--target", target, "--surrogate", at("n.onnx"), "--clusters", "5"), 2, "--clusters"},
		{append(label, "--source", "digits", "--target", target, "--encoder", at("n.onnx")), 2, "feature-mapping"},
		{more("--method", "feature-mapping", "--clusters", "500", "-o", at("x.txt")), 2, "--clusters 500"},
		{more("--method", "feature-mapping", "--encoder", at("n.onnx"), "-o", at("x.txt")), 2, "--encoder"},
		{more("--method", "rank", "-o", at("x.txt")), 2, "has no target"},
		{more("--method", "label-mapping", "-o", at("x.pdf")), 2, ".txt"},
		{[]string{"data", "apply", at("k.txt"), "glyph", "-o", at("x.npz")}, 2, "other data"},
		{[]string{"model", "train", "mlp:64-10", "--data", "glyph", "--subset", at("k.txt"), "-o", at("x.onnx")}, 2, "other data"},
	} {
		if s, _, e := pare(t, c.args...); s != c.status || !strings.Contains(e, c.says) {
			t.Errorf("%v: status %d, want %d; said %q, want %q", c.args, s, c.status, e, c.says)
		}
	}
}

// A pilot chooses the end that stays, and the cut-off, by a validation set.
func TestDataPilot(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	data := "digits?val=0.6"
	ok(t, "model", "train", "mlp:64-20-10", "--data", data, "-o", at("n.onnx"), "--epochs", "3", "--lr", "0.05", "--batch", "20", "--no-bench", "--record", "dynamics", "--keep-epoch", "last")
	ok(t, "data", "score", "--data", data, "--dynamics", at("n.onnx.dynamics"), "-o", at("aum.csv"))
	prune := func(args ...string) []string {
		return append([]string{"data", "prune", "--data", data, "--score", at("aum.csv"), "--pilot", "mlp:64-20-10", "--pilot-epochs", "2", "-o", at("k.txt")}, args...)
	}
	var x struct {
		Facts struct {
			End   string
			Pilot []struct {
				Choice string
				Score  struct{ Value float64 }
			}
		}
	}
	if err := json.Unmarshal([]byte(ok(t, prune("--json", "--method", "rank", "--end", "auto", "--keep", "0.2")...)), &x); err != nil || len(x.Facts.Pilot) != 2 {
		t.Fatalf("%+v, %v", x, err)
	}
	if p := x.Facts.Pilot; (p[1].Score.Value > p[0].Score.Value) != (x.Facts.End == "easy") {
		t.Errorf("%+v", x)
	}
	if o := ok(t, prune("--json", "--method", "ccs", "--cutoff", "auto", "--keep", "0.75")...); strings.Count(o, `"choice"`) != 3 {
		t.Error(o)
	}
	ok(t, "data", "score", "--data", "digits", "--method", "loss", "--network", at("n.onnx"), "-o", at("all.csv"))
	if s, _, e := pare(t, "data", "prune", "--data", data, "--score", at("all.csv"), "--method", "rank:end=auto", "--pilot", "mlp:64-20-10", "--pilot-epochs", "1", "-o", at("k.txt")); s != 0 || !strings.Contains(e, "validation samples have a score") {
		t.Errorf("status %d: %s", s, e)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{prune("--method", "rank", "--end", "hard"), "auto"},
		{prune("--method", "random-subset"), "auto"},
		{prune("--method", "rank:end=auto", "--pilot-epochs", "0"), "--pilot-epochs"},
		{prune("--method", "rank:end=auto", "--pilot", "mlp:3-10"), "64"},
		{[]string{"data", "prune", "--data", "digits", "--score", at("all.csv"), "--method", "rank:end=auto", "--pilot", "mlp:64-10", "-o", at("x.txt")}, "?val"},
		{[]string{"data", "prune", "--data", data, "--score", at("aum.csv"), "--method", "ccs:cutoff=auto", "-o", at("x.txt")}, "--pilot"},
		{[]string{"data", "prune", "--data", data, "--score", at("aum.csv"), "--pilot-epochs", "3", "-o", at("x.txt")}, "--pilot NET"},
	} {
		if s, _, e := pare(t, c.args...); s == 0 || !strings.Contains(e, c.says) {
			t.Errorf("%v: status %d, said %q, want %q", c.args, s, e, c.says)
		}
	}
}
