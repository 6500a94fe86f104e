package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/npy"
	"pare/tensor"
)

// twins is a file of samples, some of which are there twice.
func twins(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "twins.csv")
	var b strings.Builder
	b.WriteString("a,b,label\n")
	for i := range 40 {
		fmt.Fprintf(&b, "%d,%d,%d\n", i%37, i%37*i%37, i%37%2)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return "csv:" + path
}

// Duplicates are found, decided on, edited and applied; the data are read again.
func TestDedupAndApply(t *testing.T) {
	dir := t.TempDir()
	data, to, out := twins(t, dir), filepath.Join(dir, "d.csv"), filepath.Join(dir, "clean.npz")
	page := filepath.Join(dir, "p.html")
	said := ok(t, "data", "dedup", data, "-o", to, "--html", page)
	if !strings.Contains(said, "3 samples are the same as an earlier one") || !strings.Contains(said, "leave out 3 of 40") {
		t.Error(said)
	}
	if b, err := os.ReadFile(page); err != nil || !strings.Contains(string(b), "The same") {
		t.Errorf("%v", err)
	}
	b, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	if len(lines) != 6 || !strings.HasPrefix(lines[2], "training:37,duplicate,training:0,0,drop,") {
		t.Fatalf("%q", lines)
	}
	lines[2] = strings.Replace(lines[2], ",drop,", ",keep,", 1)
	edited := filepath.Join(dir, "edited.csv")
	if err := os.WriteFile(edited, []byte(strings.Join(append(lines[:5], "training:3,mine,,,relabel,0\n"), "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	said = ok(t, "data", "apply", edited, data, "-o", out)
	if !strings.Contains(said, "38 samples stay, 2 are left out") || !strings.Contains(said, "1 labels changed") {
		t.Error(said)
	}
	if said = ok(t, "data", "inspect", "npz:"+out); !strings.Contains(said, "38 samples") || !strings.Contains(said, "0: 21, 1: 17") || !strings.Contains(said, "1 samples are the same") {
		t.Error(said)
	}
	index := filepath.Join(dir, "kept.npy")
	ok(t, "data", "apply", to, data, "-o", index)
	if b, err = os.ReadFile(index); err != nil {
		t.Fatal(err)
	}
	if x, err := npy.Decode(b); err != nil || x.Len() != 37 {
		t.Errorf("%v, %v", x, err)
	}
	for _, c := range []struct {
		text, want string
	}{
		{"id,action\ntraining:1,drop\ntraining:1,drop\n", "line 3: sample \"training:1\" has a decision already"},
		{"id,action\ntraining:40,drop\n", "line 2: there is no sample \"training:40\""},
		{"id,action\ntraining:1,remove\n", "line 2: action \"remove\""},
		{"# {\"pare_decisions\":1,\"digests\":{\"training\":\"0\"}}\nid,action\ntraining:1,drop\n", "another training set"},
	} {
		if err := os.WriteFile(edited, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		s, _, e := pare(t, "data", "apply", edited, data, "-o", filepath.Join(dir, "no.npz"))
		if s != 1 || !strings.Contains(e, c.want) {
			t.Errorf("status %d: %s, want %q", s, e, c.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "no.npz")); err == nil {
		t.Error("something was written")
	}
}

// Embeddings come from a file or a network; what does not fit is refused.
func TestDataEmbeddings(t *testing.T) {
	dir := t.TempDir()
	x := tensor.New(tensor.Float64, 40, 3)
	for i := range x.Data.([]float64) {
		x.Data.([]float64)[i] = float64(i%111) + 1
	}
	rows := filepath.Join(dir, "rows.npy")
	b, err := npy.Encode(x)
	if err == nil {
		err = os.WriteFile(rows, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	data := twins(t, dir)
	var j struct {
		Found struct {
			Near []struct{ Samples []int } `json:"near_duplicates"`
			By   string                    `json:"near_by"`
		}
	}
	said := ok(t, "data", "inspect", data, "--embeddings", rows, "--near", "0", "--distance", "l2", "--json")
	if err := json.Unmarshal([]byte(said), &j); err != nil || len(j.Found.Near) != 3 || j.Found.Near[0].Samples[1] != 37 {
		t.Errorf("%+v, %v", j, err)
	}
	file := net(t, dir)
	decisions := filepath.Join(dir, "d.jsonl")
	said = ok(t, "data", "inspect", "digits?n=200&test_n=50", "--encoder", file, "--decisions", decisions, "--html", filepath.Join(dir, "p.html"))
	if !strings.Contains(said, "by cosine distance of embeddings of at most 0.005") || !strings.Contains(said, "labels are likely wrong") {
		t.Error(said)
	}
	ok(t, "data", "apply", decisions, "digits?n=200&test_n=50", "-o", filepath.Join(dir, "clean.npz"))
	for want, a := range map[string][]string{
		"40 embeddings do not fit 1797 samples": {"digits", "--embeddings", rows},
		"two ways to the same":                  {"digits", "--embeddings", rows, "--encoder", file},
		"there is no value \"nothing\"":         {"digits", "--encoder", file, "--layer", "nothing"},
		"--near far":                            {"digits", "--near", "far"},
		"need embeddings":                       {data, "--near", "3"},
		"there are 3 classes a row":             {data, "--probabilities", rows},
		"does not end in .csv or .jsonl":        {data, "--decisions", filepath.Join(dir, "d.txt")},
		"--neighbours -2":                       {data, "--embeddings", rows, "--neighbours", "-2"},
		"--distance far":                        {data, "--embeddings", rows, "--distance", "far"},
		"--recall 0":                            {data, "--embeddings", rows, "--recall", "0"},
	} {
		if s, _, e := pare(t, append([]string{"data", "inspect"}, a...)...); s == 0 || !strings.Contains(e, want) {
			t.Errorf("%v: status %d: %s, want %q", a, s, e, want)
		}
	}
}
