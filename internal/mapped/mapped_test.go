package mapped

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Mapped or not, the same bytes come, and the same requests are refused.
func TestBytes(t *testing.T) {
	refuse := func(*os.File, int) ([]byte, error) { return nil, errors.ErrUnsupported }
	for name, by := range map[string]func(*os.File, int) ([]byte, error){"mapped": private, "read": refuse} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, []byte("0123456789"), 0o644); err != nil {
				t.Fatal(err)
			}
			f, err := open(path, by)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if b, err := f.Bytes(3, 4); err != nil || string(b) != "3456" || f.Size() != 10 {
				t.Fatalf("%q, %v, of %d", b, err, f.Size())
			}
			if b, err := f.Bytes(10, 0); err != nil || len(b) != 0 {
				t.Errorf("%q, %v at the end", b, err)
			}
			const most = int(^uint(0) >> 1)
			for _, at := range [][2]int{{-1, 2}, {0, -1}, {0, 11}, {11, 0}, {1, most}, {most, most}} {
				if _, err := f.Bytes(at[0], at[1]); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%v: %v", at, err)
				}
			}
			if b, err := io.ReadAll(io.NewSectionReader(f, 2, 100)); err != nil || string(b) != "23456789" {
				t.Errorf("%q, %v", b, err)
			}
			b, _ := f.Bytes(0, 2) // a view may be written to
			b[0] = 'x'
			if disk, err := os.ReadFile(path); err != nil || string(disk) != "0123456789" {
				t.Errorf("the file is %q (%v)", disk, err)
			}
			if err := os.Chtimes(path, time.Time{}, time.Unix(1e9, 0)); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Bytes(0, 10); err == nil || !strings.Contains(err.Error(), "changed") {
				t.Errorf("written anew: %v", err)
			}
			if err := os.Truncate(path, 5); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Bytes(0, 10); err == nil || !strings.Contains(err.Error(), "changed") {
				t.Errorf("cut short: %v", err)
			}
			for range 2 {
				if err := f.Close(); err != nil {
					t.Error(err)
				}
			}
			if _, err := f.Bytes(0, 1); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("closed: %v", err)
			}
			if _, err := f.ReadAt(b, 0); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("closed: %v", err)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "regular") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
	path := filepath.Join(dir, "empty")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := f.Bytes(0, 0); err != nil || len(b) != 0 {
		t.Errorf("%q, %v of an empty file", b, err)
	}
}
