package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A network becomes integers with data and without, and what cannot be is refused before
// any work.
func TestQuantize(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	ok(t, "model", "train", "mlp:64-32-10", "--data", "digits?n=600", "-o", at("n.onnx"), "--epochs", "2", "--lr", "0.1", "--batch", "32", "--no-bench")
	float, err := os.Stat(at("n.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-o", at("static.onnx"), "--data", "digits?n=600", "--ranges", "percentile:99.9", "--max-drop", "5"},
		{"-o", at("qat.pare"), "--data", "digits?n=600", "--qat", "--epochs", "1", "--batch", "32", "--lr", "0.01"},
		{"-o", at("dynamic.onnx"), "--mode", "dynamic"},
		{"-o", at("within.onnx"), "--mode", "dynamic", "--data", "digits?n=600", "--max-drop", "5"},
		{"-o", at("four.onnx"), "--mode", "weights", "--bits", "4", "--group", "16"},
	} {
		out := ok(t, append([]string{"model", "quantize", at("n.onnx"), "--json", "--no-bench"}, args...)...)
		var r struct {
			Networks []struct {
				Metrics *struct {
					Scores []struct{ Value float64 }
				}
			}
			Facts struct {
				Layers []struct{ Weight string }
			}
		}
		if err := json.Unmarshal([]byte(out), &r); err != nil || len(r.Facts.Layers) != 2 || len(r.Networks) != 2 {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		if m := r.Networks[1].Metrics; m != nil && m.Scores[0].Value < r.Networks[0].Metrics.Scores[0].Value-.05 {
			t.Errorf("%v: %v", args, r.Networks)
		}
		st, err := os.Stat(args[1])
		if err != nil || st.Size() > float.Size()/2 {
			t.Errorf("%s: %v bytes of %d, %v", args[1], st.Size(), float.Size(), err)
		}
	}
	for _, c := range []struct {
		status int
		want   string
		args   []string
	}{
		{2, "no output", nil},
		{2, "give --data", []string{"-o", at("x.onnx")}},
		{2, "--max-drop measures on data", []string{"-o", at("x.onnx"), "--mode", "dynamic", "--max-drop", "1"}},
		{2, "give --qat", []string{"-o", at("x.onnx"), "--data", "digits", "--epochs", "2"}},
		{2, "give --qat", []string{"-o", at("x.onnx"), "--data", "digits", "--lr", "0.1"}},
		{2, "--ranges", []string{"-o", at("x.onnx"), "--data", "digits", "--ranges", "widest"}},
		{2, "--samples", []string{"-o", at("x.onnx"), "--data", "digits", "--samples", "3"}},
		{2, "--bits 3", []string{"-o", at("x.onnx"), "--mode", "weights", "--bits", "3"}},
		{2, "--bits is of --mode weights", []string{"-o", at("x.onnx"), "--data", "digits", "--bits", "4"}},
		{2, "--group is of --mode weights", []string{"-o", at("x.onnx"), "--mode", "dynamic", "--group", "64"}},
		{2, "--equalise is of --mode static", []string{"-o", at("x.onnx"), "--mode", "dynamic", "--equalise"}},
		{1, "matches no weight", []string{"-o", at("x.onnx"), "--mode", "dynamic", "--exclude", "nobody"}},
	} {
		status, _, said := pare(t, append([]string{"model", "quantize", at("n.onnx"), "--no-bench"}, c.args...)...)
		if status != c.status || !strings.Contains(said, c.want) {
			t.Errorf("%v: status %d, %s", c.args, status, said)
		}
	}
	if status, _, said := pare(t, "model", "quantize", at("static.onnx"), "-o", at("y.onnx"), "--mode", "dynamic", "--no-bench"); status != 1 || !strings.Contains(said, "quantised already") {
		t.Errorf("twice: status %d, %s", status, said)
	}
}
