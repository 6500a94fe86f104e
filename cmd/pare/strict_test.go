package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// A training that ends at chance is warned of in the last line; with --strict it is a
// failure, and the network is written all the same.
func TestStrict(t *testing.T) {
	out := filepath.Join(t.TempDir(), "net.onnx")
	call := func(args ...string) (int, string, string) {
		var o, e bytes.Buffer
		status := run(append([]string{"model", "train", "mlp:64-10", "--data", "digits?n=600", "-o", out, "--batch", "20", "--epochs", "1", "--no-bench", "--force"}, args...), &o, &e)
		lines := strings.Split(strings.TrimSpace(e.String()), "\n")
		return status, o.String(), lines[len(lines)-1]
	}
	hurt := []string{"--lr", "0.0000001"}
	if status, o, last := call(hurt...); status != 0 || !strings.HasPrefix(last, "warning: net: it knows no more than chance") || !strings.Contains(o, "Warning: net: it knows") {
		t.Errorf("status %d, last line %q, said %s", status, last, o)
	}
	if status, _, last := call(append(hurt, "--strict")...); status != 1 || !strings.HasPrefix(last, "pare: net: it knows no more than chance") || !strings.HasSuffix(last, "(--strict)") {
		t.Errorf("strictly: status %d, last line %q", status, last)
	}
	status, o, _ := call(append(hurt, "--json")...)
	var got struct {
		Warnings []string
		Networks []struct {
			Training struct {
				Rate float64 `json:"learning_rate"`
				Set  string
			}
		}
	}
	if err := json.Unmarshal([]byte(o), &got); err != nil || status != 0 || len(got.Warnings) != 1 || got.Networks[0].Training.Rate != 1e-7 {
		t.Errorf("status %d, %+v (%v)", status, got, err)
	}
	status, _, last := call("--lr", "0.5", "--epochs", "8", "--strict")
	if status != 0 || strings.Contains(last, "warning") {
		t.Errorf("a good training: status %d, last line %q", status, last)
	}
}

// What a training decides by itself is said with the flag that decides it.
func TestSaysRate(t *testing.T) {
	var o, e bytes.Buffer
	out := filepath.Join(t.TempDir(), "net.onnx")
	if status := run([]string{"model", "train", "mlp:64-10", "--data", "digits", "-o", out, "--batch", "20", "--epochs", "4", "--no-bench"}, &o, &e); status != 0 {
		t.Fatal(e.String())
	}
	for _, want := range []string{"are held out, to keep the best epoch (--keep-epoch last trains on all)", "from a range test of", "(--lr sets it)"} {
		if !strings.Contains(e.String(), want) {
			t.Errorf("%q is not said: %s", want, e.String())
		}
	}
}
