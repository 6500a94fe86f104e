package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/internal/lmtest"
)

// A model keeps the tokens of a text, and foretells it as before.
func TestVocabulary(t *testing.T) {
	gguf := lmtest.GGUF(t, lmtest.Llama2C(t))
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(at(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("a.txt", strings.Repeat("some words and other words ", 40))
	put("none.txt", "")
	var got struct {
		Tokens     struct{ Before, After int }
		Parameters struct{ Before, After int64 }
		Whole      float64
	}
	reduce := func(more ...string) {
		t.Helper()
		o := ok(t, append([]string{"model", "vocabulary", gguf, "--text", at("a.txt"), "-o", at("v.gguf"), "--gguf-type", "f32", "--json", "--force"}, more...)...)
		if err := json.Unmarshal([]byte(o), &got); err != nil {
			t.Fatal(err)
		}
	}
	reduce()
	if got.Tokens.Before != 300 || got.Tokens.After >= 290 || got.Whole != 1 || got.Parameters.Before-got.Parameters.After != int64(2*24*(300-got.Tokens.After)) {
		t.Errorf("%+v", got)
	}
	bits := func(path string) (tokens int) {
		t.Helper()
		var p struct {
			Perplexity struct{ Tokens int }
		}
		if err := json.Unmarshal([]byte(ok(t, "model", "perplexity", path, "--text", at("a.txt"), "--window", "16", "--json")), &p); err != nil {
			t.Fatal(err)
		}
		return p.Perplexity.Tokens
	}
	if a, b := bits(gguf), bits(at("v.gguf")); a != b {
		t.Errorf("the text is of %d tokens, and was of %d", b, a)
	}
	whole := got.Tokens.After
	reduce("--tokens", "265")
	if got.Tokens.After > 265 || got.Tokens.After >= whole || got.Whole >= 1 || got.Whole == 0 {
		t.Errorf("with fewer: %+v", got)
	}
	reduce("--min-count", "1000")
	if got.Whole != 0 {
		t.Errorf("what is rare stays: %+v", got)
	}
	net := net(t, dir)
	for _, c := range []struct {
		status int
		want   string
		args   []string
	}{
		{2, "give --text FILE", []string{gguf, "-o", at("x.gguf")}},
		{2, "no output", []string{gguf, "--text", at("a.txt")}},
		{2, "is no language model", []string{net, "--text", at("a.txt"), "-o", at("x.gguf")}},
		{2, "a folder is written as a folder", []string{gguf, "--text", at("a.txt"), "-o", at("x") + "/"}},
		{2, "there is no text", []string{gguf, "--text", at("none.txt"), "-o", at("x.gguf")}},
		{1, "no such file", []string{gguf, "--text", at("missing.txt"), "-o", at("x.gguf")}},
		{2, "stay whatever is counted", []string{gguf, "--text", at("a.txt"), "-o", at("x.gguf"), "--tokens", "20"}},
		{2, "--min-count at least 1", []string{gguf, "--text", at("a.txt"), "-o", at("x.gguf"), "--min-count", "0"}},
		{2, "give another file", []string{gguf, "--text", at("a.txt"), "-o", gguf}},
		{1, "has no tokenizer.json", []string{lmtest.Folder(t, lmtest.Llama2C(t)), "--text", at("a.txt"), "-o", at("x") + "/"}},
	} {
		s, _, e := pare(t, append([]string{"model", "vocabulary"}, c.args...)...)
		if s != c.status || !strings.Contains(e, c.want) {
			t.Errorf("%v: status %d, %s\nwant %d, %s", c.args, s, e, c.status, c.want)
		}
	}
}
