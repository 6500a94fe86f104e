package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/model"
	"pare/onnx"
	"pare/prune/structure"
	"pare/zoo"
)

// Every command of the advice runs as it is printed, and the first meets the goal.
func TestAdvise(t *testing.T) {
	dir := t.TempDir()
	n := net(t, dir)
	perceptron := filepath.Join(dir, "mlp.onnx")
	g, err := zoo.New("mlp:64-40-20-10", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := onnx.Write(perceptron, g, onnx.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir) // commands write where they are run
	for _, c := range []struct {
		file, goal string
		data       bool
		meets      func(before, after string) bool
	}{
		{n, "macs=0.5", true, func(before, after string) bool { return costOf(t, after).MACs*2 <= costOf(t, before).MACs }},
		{n, "energy=0.6", false, func(before, after string) bool { return costOf(t, after).MACs < costOf(t, before).MACs }},
		{perceptron, "bytes=0.3", true, func(before, after string) bool { return float64(fileSize(t, after)) <= .3*float64(fileSize(t, before)) }},
	} {
		args := []string{"model", "advise", c.file, "--goal", c.goal, "--samples", "50", "--json"}
		if c.data {
			args = append(args, "--data", "digits?n=300", "--budget", "1s")
		}
		var got struct {
			Study  struct{ Epochs int }
			Advice []struct {
				Rank int
				Rule string
				Args []string
			}
		}
		if err := json.Unmarshal([]byte(ok(t, args...)), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Advice) < 2 || got.Advice[0].Rank != 1 {
			t.Fatalf("%s: %+v", c.goal, got.Advice)
		}
		for _, a := range got.Advice {
			if a.Rank == 0 {
				continue
			}
			if a.Rank == 1 || c.file == perceptron {
				for i, x := range a.Args { // the budget is the machine's; the test's is less
					if x == "--epochs" && a.Args[i+1] != "0" {
						a.Args[i+1] = "1"
					}
				}
				ok(t, append(a.Args, map[bool][]string{true: {"--batch", "64"}}[c.data && !strings.Contains(strings.Join(a.Args, " "), "--epochs 0")]...)...)
			}
			if a.Rank == 1 && !c.meets(c.file, a.Args[4]) {
				t.Errorf("%v does not meet %s", a.Args, c.goal)
			}
		}
	}
	out := ok(t, "model", "advise", n, "--goal", "latency=0.5", "--samples", "50")
	for _, want := range []string{"\n1. pare model prune ", "Measured: ", "Why: ", "Source: ", "PQ index", "Judged by how far the outputs move"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	for want, args := range map[string][]string{"give --data SPEC": {"--goal", "drop=1"}, "did you mean latency?": {"--goal", "latncy=1"}, "is negative": {"--budget", "-1s"}, "at least 1": {"--samples", "0"}} {
		if s, _, e := pare(t, append([]string{"model", "advise", n}, args...)...); s != 2 || !strings.Contains(e, want) {
			t.Errorf("%v: status %d, %s", args, s, e)
		}
	}
}

func costOf(t *testing.T, path string) structure.Cost {
	t.Helper()
	g, err := onnx.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := model.Prepare(g); err != nil {
		t.Fatal(err)
	}
	return structure.CostOf(g)
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

// A contrast prints its effect beside what the survey expects.
func TestContrast(t *testing.T) {
	dir := t.TempDir()
	n := net(t, dir)
	args := []string{"model", "compare", n, "--data", "digits?n=200", "--contrast", "one-shot-iterative", "--sparsity", "0.5", "--seeds", "2", "--epochs", "1", "--batch", "50", "-o", filepath.Join(dir, "c")}
	out := ok(t, args...)
	for _, want := range []string{"iterative against one-shot", "The survey expects (arXiv 2308.06767)", " of 2"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	var got struct {
		Contrast, Expects string
		Effects           []struct{ Seeds int }
	}
	if err := json.Unmarshal([]byte(ok(t, append(args, "--json")...)), &got); err != nil || got.Contrast != "one-shot-iterative" || got.Expects == "" || len(got.Effects) != 1 || got.Effects[0].Seeds != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	for want, args := range map[string][]string{
		"there are unstructured-structured": {"--contrast", "x"},
		"decides for each input":            {"--contrast", "static-dynamic"},
		"masks from one task to another":    {"--contrast", "original-transfer"},
		"leave --methods out":               {"--contrast", "one-shot-iterative", "--methods", "gmp"},
	} {
		if s, _, e := pare(t, append([]string{"model", "compare", n, "--data", "digits"}, args...)...); s != 2 || !strings.Contains(e, want) {
			t.Errorf("%v: status %d, %s", args, s, e)
		}
	}
	if s, _, e := pare(t, "model", "compare", "resnet8", "--data", "digits", "--contrast", "one-shot-iterative"); s != 2 || !strings.Contains(e, "of a trained network") {
		t.Errorf("status %d, %s", s, e)
	}
}
