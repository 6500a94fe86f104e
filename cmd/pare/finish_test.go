package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/report"
)

// A report says its verdict first and how it was made, a card stands beside the file
// only where it is asked for, and sizes are those of the files.
func TestReportAndCard(t *testing.T) {
	dir := t.TempDir()
	n := net(t, dir)
	at := func(name string) string { return filepath.Join(dir, name) }
	size := func(name string) int64 {
		st, err := os.Stat(at(name))
		if err != nil {
			t.Fatal(err)
		}
		return st.Size()
	}
	data := "digits?n=200&test_n=100"
	o := ok(t, "model", "prune", n, "-o", at("s.pare"), "--sparsity", "0.9", "--data", data, "--epochs", "0", "--threads", "1", "--report", at("r.html"))
	if !strings.HasPrefix(o, "s against dense: smaller on disk by ") || !strings.Contains(o, "one sample on Pare's engine, one thread") {
		t.Errorf("no verdict first: %s", o)
	}
	page, err := os.ReadFile(at("r.html"))
	if err != nil {
		t.Fatal(err)
	}
	card, err := os.ReadFile(at("s.pare.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--data &#39;digits?n=200&amp;test_n=100&#39; --epochs 0", "SHA-256", "normalisation", "processor", "global-mp", "sparsity 0.9", "<dt>seed</dt><dd>1</dd>"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if !bytes.HasPrefix(card, []byte("---\nlibrary_name: onnx\n")) || !bytes.Contains(card, []byte("- sparse\n")) {
		t.Errorf("%s", card)
	}
	ok(t, "model", "prune", n, "-o", at("t.onnx"), "--sparsity", "0.5")
	if _, err := os.Stat(at("t.onnx.md")); err == nil {
		t.Error("a card was written that nobody asked for")
	}
	ok(t, "model", "prune", n, "-o", at("t.onnx"), "--sparsity", "0.5", "--card", at("README.md"))
	size("README.md")
	if s, _, e := pare(t, "model", "prune", n, "-o", at("t.onnx"), "--card", at("card.txt")); s != 2 || !strings.Contains(e, "--card") {
		t.Errorf("status %d: %s", s, e)
	}
	var x struct {
		OnDisk int64 `json:"on_disk"`
		Engine string
	}
	if err := json.Unmarshal([]byte(ok(t, "model", "eval", at("s.pare"), "--data", data, "--threads", "1", "--json")), &x); err != nil || x.OnDisk != size("s.pare") || x.Engine != "Pare's engine, one thread" {
		t.Errorf("%v: %+v, the file has %d bytes", err, x, size("s.pare"))
	}
	if o := ok(t, "model", "eval", at("s.pare"), "--data", data); !strings.Contains(o, report.Bytes(size("s.pare")).Text) {
		t.Errorf("eval does not say the file's %d bytes: %s", size("s.pare"), o)
	}
}
