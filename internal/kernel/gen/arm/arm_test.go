package main

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Each word is what stands beside it, as a disassembler reads it.
func TestWords(t *testing.T) {
	objdump, err := exec.LookPath("aarch64-linux-gnu-objdump")
	if err != nil {
		t.Skip("aarch64-linux-gnu-objdump is not installed")
	}
	var words []byte
	var texts []string
	seen := map[string]bool{}
	for _, fn := range finished {
		for i := range fn.code {
			text, word := fn.code[i].body()
			if fn.code[i].word != 0 && !seen[text] {
				words, texts = binary.LittleEndian.AppendUint32(words, word), append(texts, text)
				seen[text] = true
			}
		}
	}
	file := filepath.Join(t.TempDir(), "words")
	if err := os.WriteFile(file, words, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(objdump, "-b", "binary", "-m", "aarch64", "-D", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(out), "<.data>:\n")
	lines := strings.Split(strings.TrimRight(list, "\n"), "\n")
	if len(lines) != len(texts) || len(texts) < 500 {
		t.Fatalf("%d instructions of %d", len(lines), len(texts))
	}
	for i, line := range lines {
		cols := strings.SplitN(line, "\t", 3) // place, word, instruction
		if got := strings.ReplaceAll(cols[2], "\t", " "); got != texts[i] {
			t.Errorf("%s is %q", texts[i], got)
		}
	}
}

// The committed files are what the generator writes.
func TestWritten(t *testing.T) {
	for name, want := range map[string]string{"kernels_arm64.s": assembly(), "stubs_arm64.go": declarations()} {
		got, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil || string(got) != want {
			t.Errorf("%s is not what the generator writes (%v): go generate ./internal/kernel", name, err)
		}
	}
}

// The table names kernels that there are, and the largest tile does little but multiply.
func TestCounts(t *testing.T) {
	var b strings.Builder
	if err := printCounts(&b, ""); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(b.String(), "\n"); got != 2+len(table) || strings.Contains(b.String(), "Inf") {
		t.Errorf("%d lines for %d kernels:\n%s", got, len(table), b.String())
	}
	for _, fn := range finished {
		if c := fn.inner(); fn.name == "tileneon_6x16" && (c.products != 4*6*16 || c.instructions > 4*(6*16/4+2+1)+6+3) {
			t.Errorf("%+v", c)
		}
	}
}

func TestMain(m *testing.M) {
	for _, write := range writers {
		write()
	}
	os.Exit(m.Run())
}
