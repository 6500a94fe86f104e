package run

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// steps are the steps of points, in words.
func steps(ps []*Point) string {
	var out []string
	for _, p := range ps {
		out = append(out, fmt.Sprint(p.Step))
	}
	return strings.Join(out, " ")
}

// next is what a follower gives, in words.
func next(f *Follower) string {
	ps, again, err := f.Next()
	s := steps(ps)
	if again {
		s = "again " + s
	}
	if err != nil {
		s += " " + err.Error()
	}
	return strings.TrimSpace(s)
}

// A follower gives each point once, whole lines alone, and all of them anew where the run
// went back.
func TestFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), MetricsFile)
	f := Follow(path)
	want := func(w string) {
		t.Helper()
		if got := next(f); got != w {
			t.Fatalf("%q, want %q", got, w)
		}
	}
	want("")
	m, err := OpenMetrics(path)
	if err != nil {
		t.Fatal(err)
	}
	add := func(step int) {
		m.Add(&Point{Time: time.Now(), Training: 1, Step: step, Values: []Value{{Loss, float64(step)}}})
		m.Flush()
	}
	add(1)
	add(2)
	want("1 2")
	want("")
	add(3)
	want("3")
	half, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	half.WriteString(`{"time":"2026-03-04T10:20:30Z","st`) //nolint:errcheck // what is read says so
	want("")
	half.WriteString("ep\":4}\n\n") //nolint:errcheck // as well
	half.Close()
	want("4")
	m.Rewind("", 1, 2)
	want("again 1 2 4") // training 0 has another course
	add(5)
	want("5")
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeFile(path, []byte(strings.ReplaceAll(string(b), `"step":5`, `"step":6`))); err != nil { // another, as long
		t.Fatal(err)
	}
	want("again 1 2 4 6")
	if err := os.Truncate(path, 10); err != nil {
		t.Fatal(err)
	}
	want("again")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	want("")
}

// Much is read in pieces; a line without an end and one that is no point are named; what is
// no plain file is not opened.
func TestFollowHostile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, MetricsFile)
	line := `{"time":"2026-03-04T10:20:30Z","step":1,"x` + strings.Repeat("x", 1000) + `":1}` + "\n"
	if err := os.WriteFile(path, []byte(strings.Repeat(line, 5000)), 0o644); err != nil {
		t.Fatal(err)
	}
	f, n, calls := Follow(path), 0, 0
	for more := true; more; more = f.More() {
		ps, again, err := f.Next()
		if err != nil || again {
			t.Fatal(again, err)
		}
		n, calls = n+len(ps), calls+1
	}
	if ps, _, err := f.Next(); err != nil || n+len(ps) != 5000 || calls < 2 {
		t.Errorf("%d and %d points in %d calls, %v", n, len(ps), calls, err)
	}
	for text, want := range map[string]string{
		`{"step":1}` + "\nnothing\n":                   "1 line 2: it is no object",
		`{"step":1}` + "\n" + `{"step":-1}` + "\n":     "1 line 2: its step, training or epoch is negative",
		strings.Repeat("x", 2*mostLine):                "line 1 has more than 1048576 bytes",
		strings.Repeat("x", mostLine+1) + "\n":         "line 1: it has 1048578 bytes, more than 1048576",
		`{"step":7}` + "\n" + strings.Repeat("x", 100): "7",
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := next(Follow(path)); got != want {
			t.Errorf("%.30q: %q, want %q", text, got, want)
		}
	}
	pipe, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{pipe, link, dir} {
		if _, _, err := Follow(p).Next(); err == nil || !strings.Contains(err.Error(), "no plain file") {
			t.Errorf("%s: %v", p, err)
		}
	}
}

// A digest of an open file is that of the file.
func TestDigestOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("some bytes"), 0o644); err != nil {
		t.Fatal(err)
	}
	n, want, err := FileDigest(path)
	if err != nil {
		t.Fatal(err)
	}
	f, st, err := OpenPlain(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := DigestOf(f, st.Size()); err != nil || got != want || n != 10 || want != "0d22cdcc10e6d049dbe1af5123d50873fdfc1a4f58306e58cb6241be9472014d" {
		t.Errorf("%s, of the path %s, %v", got, want, err)
	}
}
