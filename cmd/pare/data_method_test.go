package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A training is recorded, its samples are scored and chosen, and a network learns from
// those that stay.
func TestDataScorePruneTrain(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	ok := func(args ...string) string {
		t.Helper()
		s, o, e := pare(t, args...)
		if s != 0 {
			t.Fatalf("%v: status %d: %s", args, s, e)
		}
		return o
	}
	short := []string{"--data", "digits?n=300", "--epochs", "3", "--lr", "0.05", "--batch", "50", "--no-bench"}
	ok(append([]string{"model", "train", "mlp:64-20-10", "-o", at("n.onnx"), "--record", "dynamics"}, short...)...)
	ok("data", "score", "--data", "digits?n=300", "--dynamics", at("n.onnx.dynamics"), "-o", at("aum.csv"))
	ok("data", "score", "--data", "digits?n=300", "--method", "loss", "--network", at("n.onnx"), "-o", at("loss.jsonl"))
	var scores struct {
		Score, Hard string
		Samples     int
		Hardest     []struct{ ID int }
	}
	if err := json.Unmarshal([]byte(ok("data", "score", "--json", "--data", "digits?n=300", "--method", "prototypes", "--encoder", at("n.onnx"), "-o", at("p.csv"))), &scores); err != nil ||
		scores.Score != "prototypes" || scores.Hard != "high" || scores.Samples != 300 || len(scores.Hardest) != 10 {
		t.Errorf("%+v: %v", scores, err)
	}
	var kept struct {
		Subset   string
		Samples  int
		Of       int
		Coverage float64
		Classes  []struct{ Before, After int }
	}
	text := ok("data", "prune", "--json", "--data", "digits?n=300", "--method", "ccs", "--keep", "0.5", "--cutoff", "0.1", "--score", at("loss.jsonl"), "--cut", at("aum.csv"), "--encoder", at("n.onnx"), "-o", at("half.txt"))
	if err := json.Unmarshal([]byte(text), &kept); err != nil || kept.Subset != "ccs" || kept.Samples != 150 || kept.Of != 300 || len(kept.Classes) != 10 || !(kept.Coverage > 0) {
		t.Errorf("%+v: %v", kept, err)
	}
	ok("data", "prune", "--data", "digits?n=300", "--method", "rank:end=easy", "--within", "cluster", "--floor", "0.5", "--samples", "100", "--score", at("p.csv"), "-o", at("easy.csv"))
	ok(append([]string{"model", "train", "mlp:64-20-10", "-o", at("h.onnx"), "--subset", at("half.txt"), "--keep-epoch", "last"}, short...)...)
	ok(append([]string{"model", "train", "mlp:64-20-10", "-o", at("r.onnx"), "--sampler", "rs2:0.5"}, short...)...)

	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"data", "score", "--data", "glyph?n=300", "--dynamics", at("n.onnx.dynamics"), "-o", at("x.csv")}, 2, "--data"},
		{[]string{"data", "score", "--data", "digits?n=300", "-o", at("x.csv")}, 2, "--dynamics"},
		{[]string{"data", "score", "--data", "digits?n=300", "-o", at("x.txt")}, 2, ".csv"},
		{[]string{"data", "score", "--data", "digits?n=300", "--method", "ccs", "-o", at("x.csv")}, 2, "pare data prune"},
		{[]string{"data", "prune", "--data", "digits?n=300", "--method", "aum", "-o", at("x.txt")}, 2, "pare data score"},
		{[]string{"data", "prune", "--data", "digits?n=300", "--method", "ccs:keep=2", "-o", at("x.txt")}, 2, "--keep 2"},
		{[]string{"data", "prune", "--data", "digits?n=300", "--method", "rnak", "-o", at("x.txt")}, 2, "rank"},
		{[]string{"data", "prune", "--data", "digits?n=300", "--method", "rank", "-o", at("x.txt")}, 2, "--score"},
		{[]string{"data", "prune", "--data", "digits?n=300", "--keep", "0.001", "-o", at("x.txt")}, 2, "--keep"},
		{[]string{"data", "prune", "--data", "digits?n=300", "--hard", "low", "-o", at("x.txt")}, 2, "--score"},
		{[]string{"model", "train", "mlp:64-10", "--data", "glyph?n=300", "--subset", at("half.txt"), "-o", at("x.onnx")}, 2, "other data"},
		{[]string{"model", "train", "mlp:64-10", "--data", "digits?n=300", "--subset", at("aum.csv"), "-o", at("x.onnx")}, 1, "file of scores"},
		{[]string{"model", "train", "mlp:64-10", "--data", "digits?n=300", "--sampler", "rs2:0.001", "-o", at("x.onnx")}, 2, "--sampler"},
		{[]string{"model", "train", "mlp:64-10", "--data", "digits?n=300", "--record", "all", "-o", at("x.onnx")}, 2, "dynamics"},
	} {
		if s, _, e := pare(t, c.args...); s != c.status || !strings.Contains(e, c.says) {
			t.Errorf("%v: status %d, want %d; said %q, want %q", c.args, s, c.status, e, c.says)
		}
	}
	if _, err := os.Stat(at("x.csv")); err == nil {
		t.Error("an output was written")
	}
}
