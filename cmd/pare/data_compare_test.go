package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/data/sweep"
)

// Methods that choose samples are compared: tables, page and plots are written, nothing is
// made twice, and what failed is said.
func TestDataCompare(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	args := []string{"data", "compare", "mlp:64-12-10", "--data", "digits?n=320&test_n=200", "--methods", "rs2,ccs:cutoff=0.1", "--keep", "0.25,0.5", "--epochs", "3", "--batch", "16", "--lr", "0.05", "-o", at("c")}
	with := func(more ...string) []string { return append(append([]string{}, args...), more...) }
	o := ok(t, with("--report", at("r.html"), "--page", at("p.md"), "--plot", at("share.svg"))...)
	for _, want := range []string{"random-subset", "ccs:cutoff=0.1", "all", "±", "time to 95 %", "steps to 99 %", "better than random"} {
		if !strings.Contains(o, want) {
			t.Errorf("the table lacks %q:\n%s", want, o)
		}
	}
	md, err := os.ReadFile(at("p.md"))
	if err != nil || !bytes.Contains(md, []byte("](p-3.svg)")) || !bytes.Contains(md, []byte("| rs2 |")) || bytes.Contains(md, []byte(dir)) {
		t.Errorf("%v\n%s", err, md)
	}
	lines, _ := os.ReadFile(at("c/results.jsonl"))
	var x struct {
		Rows    []sweep.Row
		Runs    []sweep.Outcome
		Verdict []string
	}
	if err := json.Unmarshal([]byte(ok(t, with("--json")...)), &x); err != nil || len(x.Rows) != 7 || len(x.Runs) != 14 || len(x.Verdict) != 4 {
		t.Errorf("%d rows, %d runs, %v", len(x.Rows), len(x.Runs), err)
	}
	if again, _ := os.ReadFile(at("c/results.jsonl")); !bytes.Equal(again, lines) || bytes.Count(lines, []byte("\n")) != 14 {
		t.Error("runs were made again")
	}
	s, o, e := pare(t, "data", "compare", "mlp:64-12-10", "--data", "digits?n=320&test_n=200", "--methods", "rank@el2n:window=20", "--keep", "0.25", "--seeds", "1", "--epochs", "3", "--batch", "16", "--lr", "0.05", "-o", at("c"))
	if s != 1 || !strings.Contains(e, "1 of 3 runs failed") || !strings.Contains(o, "What failed") {
		t.Errorf("status %d: %s", s, e)
	}
	if s, o, _ = pare(t, "data", "compare", "--help"); s != 0 || !strings.Contains(o, "--reach") || strings.Contains(o, "--sampler") {
		t.Errorf("status %d: %s", s, o)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"data", "compare", "mlp:64-10", "--methods", "rs2"}, "--data"},
		{[]string{"data", "compare", "mlp:64-10", "--data", "digits"}, "--methods"},
		{[]string{"data", "compare", "--data", "digits", "--methods", "rs2"}, "FILE|ARCH"},
		{with("--methods", "rs3"), "rs2"},
		{with("--methods", "aum"), "rank@aum"},
		{with("--methods", "label-mapping"), "another task"},
		{with("--keep", "0"), "share"},
		{with("--keep", "0.5,0.50"), "twice"},
		{with("--keep", "0.01"), "fewer than a batch"},
		{with("--keep", "0.95"), "cutoff"},
		{with("--seeds", "0"), "--seeds"},
		{with("--jobs", "0"), "--jobs"},
		{with("--reach", "1.5"), "--reach"},
		{with("--equal", "time"), "--equal"},
		{with("--epochs", "0"), "--epochs"},
		{with("--sampler", "rs2:0.1"), "--sampler"},
		{with("--page", at("x.txt")), ".md"},
		{with("--methods", "rs2,rs2"), "same run"},
		{with("-o", at("p.md")), "folder"},
	} {
		if s, _, e := pare(t, c.args...); s != 2 || !strings.Contains(e, c.says) {
			t.Errorf("%v: status %d; said %q, want %q", c.args, s, e, c.says)
		}
	}
}
