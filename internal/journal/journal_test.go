package journal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func open(t *testing.T, path string) (*File, []string) {
	t.Helper()
	var got []string
	j, err := Open(path, func(b []byte) error { got = append(got, strings.TrimSpace(string(b))); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return j, got
}

// Half a line, which a killed process leaves, is taken off; what is added then
// stands on a line of its own.
func TestHalfALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	if err := os.WriteFile(path, []byte("1\n2\n{\"hal"), 0o600); err != nil {
		t.Fatal(err)
	}
	j, got := open(t, path)
	if strings.Join(got, " ") != "1 2" {
		t.Errorf("read %q", got)
	}
	if err := j.Add(3); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "1\n2\n3\n" {
		t.Errorf("the file is %q", b)
	}
	if err := j.Add(4); err == nil {
		t.Error("a closed journal takes more")
	}
}

// Who comes second is refused, and may come when the first has gone.
func TestOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _ := open(t, path)
	if _, err := Open(path, nil); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("second: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, _ = open(t, path)
	j.Close()
}

// A line that is longer than the reader's buffer is one line.
func TestLongLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _ := open(t, path)
	long := strings.Repeat("x", 200<<10)
	for range 2 {
		if err := j.Add(long); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	n := 0
	if err := Read(path, func(b []byte) error { n += len(b); return nil }); err != nil || n != 2*(len(long)+3) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// What replaces all lines stands alone, and takes more.
func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _ := open(t, path)
	for _, do := range []func() error{func() error { return j.Add(1) }, func() error { return j.Replace(5) }, func() error { return j.Add(6) }, j.Close} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	j, got := open(t, path)
	j.Close()
	if strings.Join(got, " ") != "5 6" {
		t.Errorf("read %q", got)
	}
}
