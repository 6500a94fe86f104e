package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/model/sweep"
)

// A comparison writes its table, page and plots, is not made twice, and says
// what failed.
func TestCompare(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	args := []string{"model", "compare", "mlp:64-12-10", "--data", "digits?n=320&test_n=200", "--methods", "global-mp,gmp:every=2", "--sparsity", "0.5,0.9",
		"--epochs", "2", "--batch", "32", "-o", at("c")}
	o := ok(t, append(args, "--report", at("r.html"), "--page", at("p.md"), "--plot", at("p2.svg"))...)
	for _, want := range []string{"global-mp", "gmp:every=2", "dense", "0.9", "±"} {
		if !strings.Contains(o, want) {
			t.Errorf("the table lacks %q:\n%s", want, o)
		}
	}
	md, err := os.ReadFile(at("p.md"))
	if err != nil || !bytes.Contains(md, []byte("](p.svg)")) || !bytes.Contains(md, []byte("| global-mp |")) || bytes.Contains(md, []byte(dir)) {
		t.Errorf("%v\n%s", err, md)
	}
	for _, f := range []string{"p.svg", "p2.svg"} {
		b, err := os.ReadFile(at(f))
		if err != nil {
			t.Fatal(err)
		}
		for d := xml.NewDecoder(bytes.NewReader(b)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", f, err)
			}
		}
	}
	lines, _ := os.ReadFile(at("c/results.jsonl"))
	var x struct {
		Rows []sweep.Row
		Runs []sweep.Outcome
	}
	if err := json.Unmarshal([]byte(ok(t, append(args, "--json")...)), &x); err != nil || len(x.Rows) != 5 || len(x.Runs) != 10 || x.Rows[1].Kept >= x.Rows[0].Kept {
		t.Errorf("%v: %+v", err, x.Rows)
	}
	if again, _ := os.ReadFile(at("c/results.jsonl")); !bytes.Equal(lines, again) {
		t.Error("runs were made twice")
	}
	timed := ok(t, append(args, "--latency-cmd", "wc -c < {}", "--page", at("t.md"))...)
	if md, _ := os.ReadFile(at("t.md")); !strings.Contains(timed, "time by command") || !bytes.Contains(md, []byte("--latency-cmd 'wc -c < {}'")) || !bytes.Contains(md, []byte("in 5 rounds: wc -c < {}.")) {
		t.Errorf("%s\n%s", timed, md)
	}
	nets, _ := filepath.Glob(at("c/gmp_every=2-0.9-seed*.pare"))
	if len(nets) != 2 {
		t.Errorf("networks: %v", nets)
	}
	ok(t, "model", "eval", nets[0], "--data", "digits")

	bad := append(args, "--methods", "magnitude:include=nosuch", "--seeds", "1")
	if s, o, e := pare(t, bad...); s != 1 || !strings.Contains(e, "2 of 7 runs failed") || !strings.Contains(o, "What failed") || !strings.Contains(o, "failed") {
		t.Errorf("status %d, %q\n%s", s, e, o)
	}
	for want, more := range map[string][]string{
		"no method":                        {"--methods", "nosuch"},
		"no setting":                       {"--methods", "gmp:nosuch=1"},
		"neither N:M":                      {"--methods", "magnitude:pattern=nosuch"},
		"every 0: ":                        {"--methods", "gmp:every=0"},
		"given twice":                      {"--sparsity", "0.5"},
		"not a number in":                  {"--sparsity", "1"},
		"--seeds 0":                        {"--seeds", "0"},
		"does not end in .html":            {"--report", at("x.txt")},
		`--latency-cmd "expr 1" has no {}`: {"--latency-cmd", "expr 1"},
	} {
		if s, _, e := pare(t, append(args, more...)...); s != 2 || !strings.Contains(e, want) {
			t.Errorf("%v: status %d, %q, want something with %q", more, s, e, want)
		}
	}
	if s, _, e := pare(t, "model", "compare", "mlp:64-12-10"); s != 2 || !strings.Contains(e, "give --data") {
		t.Errorf("status %d, %q", s, e)
	}
	if s, _, e := pare(t, append(args, "--lr", "-1")...); s != 2 || !strings.Contains(e, "--lr -1: a number above 0, or auto is needed") {
		t.Errorf("status %d, %q", s, e)
	}
}
