package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the files of a language model have no place for is refused before any work, with the way
// on; as ONNX it is written.
func TestUnsaid(t *testing.T) {
	in, dir := languageFolder(t), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("a.txt"), []byte(strings.Repeat("some words and other words ", 40)), 0o644); err != nil {
		t.Fatal(err)
	}
	more := []string{"--epochs", "0", "--no-bench", "--samples", "4", "--data", "text:" + at("a.txt") + "?seq=16", "-o"}
	for _, a := range [][]string{{"flap", "x/", "--bias=false, or OUT.onnx"}, {"slicegpt", "x/", "give OUT.onnx or OUT.pare"}} {
		status, _, said := pare(t, append([]string{"model", "prune", in, "--method", a[0]}, append(more, at(a[1])+"/")...)...)
		if status != 2 || !strings.Contains(said, a[2]) {
			t.Errorf("%v: %d %s", a, status, said)
		}
	}
	if _, err := os.Stat(at("x")); err == nil {
		t.Error("something was written")
	}
	for _, a := range [][]string{{"flap", "a/", "--bias=false"}, {"flap", "a.onnx"}, {"slicegpt", "b.onnx"}, {"slicegpt", "b.pare"}} {
		out := at(a[1])
		if strings.HasSuffix(a[1], "/") {
			out += "/"
		}
		if status, _, said := pare(t, append(append([]string{"model", "prune", in, "--method", a[0]}, a[2:]...), append(more, out)...)...); status != 0 {
			t.Errorf("%v: %d %s", a, status, said)
		}
	}
}
