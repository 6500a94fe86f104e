package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What a folder keeps is printed again, to the byte, and not made again; a line of another
// executable is no use, nor one of other seeds.
func TestReproduceKept(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "kept", "results.jsonl")
	args := []string{"reproduce", "wanda", "--seeds", "2", "-o", filepath.Join(dir, "kept")}
	_, first, said := pare(t, args...)
	if strings.Contains(said, "made before") || !strings.Contains(first, "2 seeds from 1") {
		t.Fatalf("%s\n%s", first, said)
	}
	line, err := os.ReadFile(file)
	if err != nil || bytes.Count(line, []byte("\n")) != 1 {
		t.Fatalf("%v: %s", err, line)
	}
	if _, again, said := pare(t, args...); again != first || !strings.Contains(said, "wanda: made before") {
		t.Errorf("%s\nis not\n%s\n%s", again, first, said)
	}
	seconds := regexp.MustCompile(`from 1, [0-9.]+ s`)
	if _, without, _ := pare(t, args[:4]...); seconds.ReplaceAllString(without, "") != seconds.ReplaceAllString(first, "") {
		t.Errorf("without a folder:\n%s\nwith it:\n%s", without, first)
	}
	other := regexp.MustCompile(`"executable":"[0-9a-f]{16}"`).ReplaceAll(line, []byte(`"executable":"0123456789abcdef"`))
	if bytes.Equal(other, line) {
		t.Fatalf("no executable in %s", line)
	}
	if err := os.WriteFile(file, other, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, said := pare(t, args...); strings.Contains(said, "made before") {
		t.Errorf("a line of another executable was used: %s", said)
	}
	if _, _, said := pare(t, append(args, "--first-seed", "3")...); strings.Contains(said, "made before") {
		t.Errorf("other seeds were taken for these: %s", said)
	}
	if s, _, e := pare(t, "reproduce", "wanda", "-o", file); s != 2 || !strings.Contains(e, "a folder is needed") {
		t.Errorf("status %d, %q", s, e)
	}
}
