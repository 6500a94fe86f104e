package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A data set is shown with its fields, and with what a network makes of them.
func TestDataInspect(t *testing.T) {
	dir := t.TempDir()
	file := net(t, dir)
	out := ok(t, "data", "inspect", "digits", file)
	for _, want := range []string{"training set: 1438 samples", "[1 8 8]", "10 classes", "class 0: 142", "field x", "loss: cross-entropy"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	var j struct {
		Sets []struct {
			Set     string
			Samples int
			Fields  []struct {
				Name   string
				Counts []int
			}
		}
		Network struct {
			Inputs []struct{ Input, Field string }
		}
		Error string
	}
	if err := json.Unmarshal([]byte(ok(t, "data", "inspect", "digits", file, "--json")), &j); err != nil || len(j.Sets) != 2 || j.Sets[1].Samples != 359 || len(j.Sets[0].Fields[1].Counts) != 10 || j.Network.Inputs[0].Field != "x" {
		t.Errorf("%+v, %v", j, err)
	}
	csv := filepath.Join(dir, "a.csv")
	if err := os.WriteFile(csv, []byte("a,b,\x1b[31mred\n1,2,x\n3,4,y\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, o, e := pare(t, "data", "inspect", "csv:"+csv+"?fields=columns", file, "--json")
	if err := json.Unmarshal([]byte(o), &j); s != 1 || err != nil || !strings.Contains(e, "takes samples of shape [1 8 8]") || !strings.Contains(j.Error, "takes samples") {
		t.Errorf("status %d, %v\n%s%s", s, err, o, e)
	}
	if o = ok(t, "data", "inspect", "csv:"+csv+"?fields=columns"); strings.Contains(o, "\x1b") {
		t.Errorf("an escape sequence is shown:\n%q", o)
	}
	if s, _, e = pare(t, "data", "inspect"); s != 2 || !strings.Contains(e, "SPEC") {
		t.Errorf("status %d: %s", s, e)
	}
}
