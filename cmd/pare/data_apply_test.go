package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// put writes a file of a test.
func put(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// What stays is written to files of the user's own kind, by a list or by decisions.
func TestApplyWritesOwnFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	rows := "a,b,label\n"
	for i := range 30 {
		rows += fmt.Sprintf("%d.0,%d,%s\n", i, i*i, []string{"no", "yes", "maybe"}[i%3])
	}
	data := "csv:" + put(t, at("in.csv"), rows)
	list := put(t, at("list.txt"), "3\n5\n4\n")
	var j struct {
		Kept  map[string]int
		Data  string
		Files int
	}
	if err := json.Unmarshal([]byte(ok(t, "data", "apply", list, data, "-o", at("out.csv"), "--json")), &j); err != nil || j.Kept["training"] != 3 || j.Data != "csv:"+at("out.csv") || j.Files != 1 {
		t.Errorf("%+v: %v", j, err)
	}
	if b, err := os.ReadFile(at("out.csv")); err != nil || string(b) != "a,b,label\n3.0,9,no\n4.0,16,yes\n5.0,25,maybe\n" {
		t.Errorf("%q, %v", b, err)
	}
	for name, first := range map[string]string{"index.txt": "3\n4\n5\n", "index.jsonl": "{\"id\":3}", "index.csv": "id\n3\n"} {
		ok(t, "data", "apply", list, data, "-o", at(name), "--as", "index")
		if b, err := os.ReadFile(at(name)); err != nil || !strings.Contains(string(b), first) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	ok(t, "data", "apply", at("index.jsonl"), data, "-o", at("again.csv"))
	gone := put(t, at("gone.csv"), "id,action\n"+strings.Join(strings.Fields("training:0,drop training:3,drop training:6,drop training:9,drop training:12,drop training:15,drop training:18,drop training:21,drop training:24,drop training:27,drop"), "\n")+"\n")
	_, _, e := pare(t, "data", "apply", gone, data, "-o", at("two.csv"))
	if !strings.Contains(e, "no sample of class no any more") || !strings.Contains(e, "numbered anew") {
		t.Errorf("a class that vanishes: %q", e)
	}
	relabel := put(t, at("relabel.csv"), "id,action,label\ntraining:0,relabel,yes\n")
	if o := ok(t, "data", "apply", relabel, data, "-o", at("relabelled.csv")); !strings.Contains(o, "1 labels changed") {
		t.Error(o)
	}
	if b, err := os.ReadFile(at("relabelled.csv")); err != nil || string(b) != strings.Replace(rows, "0.0,0,no", "0.0,0,yes", 1) {
		t.Errorf("%q, %v", b, err)
	}
	put(t, at("pictures/cat/1.png"), "")
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{relabel, data, "-o", at("x.txt")}, 2, "new labels"},
		{[]string{list, data, "-o", at("x.parquet")}, 2, "ends in .csv"},
		{[]string{list, data, "-o", at("x.csv"), "--as", "symlinks"}, 2, "--as symlinks"},
		{[]string{list, data, "-o", at("x"), "--as", "symlinks"}, 2, "only pictures"},
		{[]string{list, data, "-o", at("x.csv"), "--as", "pictures"}, 2, "--as pictures"},
		{[]string{list, data, "-o", at("x.csv"), "--as", "arrays"}, 2, ".npz"},
		{[]string{list, data}, 2, "give -o OUT"},
		{[]string{list, data, "-o", at("in.csv")}, 2, "the data itself"},
		{[]string{list, data, "-o", at("pictures")}, 2, "something in it"},
		{[]string{list, "digits", "-o", at("x.csv")}, 2, "of the kind digits"},
		{[]string{at("index.txt"), "digits", "-o", at("x.csv")}, 2, "other data"},
		{[]string{put(t, at("bad.txt"), "99\n"), data, "-o", at("x.csv")}, 2, "no sample 99"},
		{[]string{put(t, at("twice.txt"), "3\n3\n"), data, "-o", at("x.csv")}, 1, "twice"},
		{[]string{put(t, at("unknown.csv"), "id,action\nnothing:1,drop\n"), data, "-o", at("x.csv")}, 1, "no set of this name"},
		{[]string{put(t, at("far.jsonl"), "{\"id\":\"training:30\",\"action\":\"drop\"}\n"), data, "-o", at("x.csv")}, 1, "there is no sample"},
		{[]string{put(t, at("no.csv"), ""), data, "-o", at("x.csv")}, 1, "no.csv"},
	} {
		if s, _, e := pare(t, append([]string{"data", "apply"}, c.args...)...); s != c.status || !strings.Contains(e, c.says) {
			t.Errorf("%v: status %d, want %d; said %q, want %q", c.args, s, c.status, e, c.says)
		}
	}
	for _, name := range []string{"x", "x.csv", "x.txt", "x.parquet"} {
		if _, err := os.Stat(at(name)); err == nil {
			t.Errorf("%s was written", name)
		}
	}
}
