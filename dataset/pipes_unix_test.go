//go:build unix

package dataset

import (
	"image/color"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What is no regular file is refused at once: reading it may never end.
func TestPipes(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	write(t, filepath.Join(dir, "img", "a", "1.png"), pngOf(picture(1, 1, color.White)))
	for _, p := range []string{pipe, "/dev/zero"} {
		for _, kind := range []string{"npz", "zip", "parquet", "text", "csv"} {
			if _, err := Open(kind + ":" + p); err == nil || !strings.Contains(err.Error(), "not a regular file") {
				t.Errorf("%s:%s: %v", kind, p, err)
			}
		}
		for _, kind := range []string{"idx", "npy", "tiles"} {
			if _, err := Open(kind + ":" + p + "," + p); err == nil || !strings.Contains(err.Error(), "not a regular file") {
				t.Errorf("%s:%s: %v", kind, p, err)
			}
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "img", "a", "2.png"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d := open(t, "folder:"+filepath.Join(dir, "img")); d.Train.Len() != 1 || !noted(d, "1 neither files nor folders") {
		t.Errorf("notes %q", d.Notes)
	}
	for _, spec := range []string{"glyph?n=1000000000", "glyph?n=1e15", "glyph?test=1e12", "glyph?protos=1e9", "glyph?n=16777000&test=16777000", "glyph?noise=-1", "glyph?noise=NaN", "glyph?n=0"} {
		if _, err := Open(spec); err == nil {
			t.Errorf("%s was accepted", spec)
		}
	}
	if _, err := Open("cvs:x"); err == nil || !strings.Contains(err.Error(), "did you mean csv:") {
		t.Error(err)
	}
}
