package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// A ticket is found, held against its controls and its stability measured by one
// command; so are the arms of an architecture trained from scratch.
func TestTickets(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	ok(t, "model", "train", "mlp:64-16-10", "--data", "digits?n=320", "-o", at("n.onnx"), "--epochs", "1", "--batch", "64")
	_, _, e := pare(t, "model", "prune", at("n.onnx"), "-o", at("t.pare"), "--method", "rewind", "--rewind", "1ep", "--rounds", "2", "--rates", "fc1*=0.4",
		"--controls", "reinit,permute", "--stability", "2", "--data", "digits?n=320", "--epochs", "2", "--batch", "32")
	for _, want := range []string{"9 trainings", "control permute", "D_O"} {
		if !strings.Contains(e, want) {
			t.Errorf("no %q in %s", want, e)
		}
	}
	if _, _, e = pare(t, "model", "prune", at("n.onnx"), "-o", at("s.onnx"), "--method", "scratch", "--flops", "0.5", "--arm", "all", "--trainings", "2",
		"--data", "digits?n=320", "--epochs", "1", "--batch", "32"); !strings.Contains(e, "Scratch-B: accuracy") || !strings.Contains(e, "verdict") {
		t.Error(e)
	}
	if left, _ := filepath.Glob(at("*.checkpoint*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}
