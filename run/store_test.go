package run

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func newStore(t testing.TB) *Store {
	t.Helper()
	s, err := NewStore(filepath.Join(t.TempDir(), "runs"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func begin(t testing.TB, s *Store) *Active {
	t.Helper()
	a, err := s.Create(&Record{Command: "model train", Args: []string{"model", "train"}, Outputs: []File{{Name: "output", Path: filepath.Join(s.Dir, "..", "o.onnx")}}}, Program{Pare: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A run is running as long as a process has it, and what it ended as from then on; one
// whose process has gone without a word has died, and can be taken up again.
func TestStatus(t *testing.T) {
	s := newStore(t)
	is := func(name string, want Status) {
		t.Helper()
		if e, err := s.Entry(name); err != nil || e.Status != want {
			t.Fatalf("%v %v, want %s", e, err, want)
		}
	}
	a := begin(t, s)
	is(a.Name, Running)
	if _, err := s.Reopen(a.Name, Program{}); err == nil || !errors.As(err, new(*BusyError)) {
		t.Errorf("a running run was taken: %v", err)
	}
	a.lock.Release() // as the death of the process does
	is(a.Name, Died)
	b, err := s.Reopen(a.Name, Program{Pare: "later"})
	if err != nil {
		t.Fatal(err)
	}
	is(a.Name, Running)
	if err := b.End(Failed, errors.New("the disk is full")); err != nil {
		t.Fatal(err)
	}
	e, err := s.Entry(a.Name)
	if err != nil || e.Status != Failed || e.Record.Error != "the disk is full" || len(e.Record.Sittings) != 2 || e.Record.Sittings[0].Status != Died || e.Record.Sittings[1].Program.Pare != "later" {
		t.Errorf("%+v %v", e.Record, err)
	}
	c, err := s.Reopen(a.Name, Program{})
	if err != nil {
		t.Fatal(err)
	}
	c.Discard() // it came to no work: the run is what it was
	is(a.Name, Failed)
	if now, _ := s.Entry(a.Name); len(now.Record.Sittings) != 2 {
		t.Errorf("%d sittings", len(now.Record.Sittings))
	}
	if err := b.End(Done, nil); err != nil { // only the first end counts
		t.Fatal(err)
	}
	is(a.Name, Failed)
}

// A new run that comes to no work leaves nothing, not even the store.
func TestDiscard(t *testing.T) {
	s := newStore(t)
	begin(t, s).Discard()
	if es, _ := os.ReadDir(filepath.Dir(s.Dir)); len(es) != 0 {
		t.Errorf("left behind: %v", es)
	}
}

// Names sort by time, and those of runs that begin together do not clash.
func TestNames(t *testing.T) {
	s := newStore(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				begin(t, s)
			}
		})
	}
	wg.Wait()
	ns, err := s.Names()
	if err != nil || len(ns) != 40 {
		t.Fatalf("%d names, %v", len(ns), err)
	}
	early := newName(time.Date(2026, 1, 2, 3, 4, 5, 999e6, time.UTC), "model prune")
	late := newName(time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC), "model compare")
	if early > late || !strings.HasPrefix(early, "20260102-030405.999-prune-") || !IsName(early) || !IsName(newName(time.Now(), "1 2")) {
		t.Error(early, late)
	}
	for _, bad := range []string{"", ".", "..", "20260102-030405.999-prune-xyzxyz", "20260102-030405.999-prune-123456/..", early + "x"} {
		if IsName(bad) {
			t.Errorf("%q", bad)
		}
	}
}

func TestFind(t *testing.T) {
	s := newStore(t)
	a, b := begin(t, s), begin(t, s)
	last := max(a.Name, b.Name)
	for name, want := range map[string]string{a.Name: a.Name, a.Name[len(a.Name)-6:]: a.Name, Latest: last, a.Dir: a.Name, a.Name[:8]: "", "none": "", "": ""} {
		e, err := s.Find(name)
		if (err == nil) != (want != "") || err == nil && e.Name != want {
			t.Errorf("%q: %v %v", name, e, err)
		}
	}
}

func TestTags(t *testing.T) {
	s := newStore(t)
	e, err := s.Entry(begin(t, s).Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(e.Tag([]string{"b", "a", "b"}, nil), e.Tag([]string{"ü"}, []string{"b", "none"})); err != nil || !slices.Equal(e.Tags, []string{"a", "ü"}) {
		t.Errorf("%v %v", e.Tags, err)
	}
	for _, bad := range []string{"", "two words", "-x", "a\x1b[2J", strings.Repeat("x", 65)} {
		if err := e.Tag([]string{bad}, nil); err == nil {
			t.Errorf("%q is a tag", bad)
		}
	}
}

// What removes runs touches nothing else: no folder that only has the name of one, no link,
// nothing that a process has, nothing that was put beside them.
func TestRemove(t *testing.T) {
	s := newStore(t)
	done, running, died := begin(t, s), begin(t, s), begin(t, s)
	if err := done.End(Done, nil); err != nil {
		t.Fatal(err)
	}
	died.Link(filepath.Join(s.Dir, "..", "o.onnx.checkpoint"))
	died.lock.Release()
	if err := os.WriteFile(filepath.Join(s.Dir, died.Name+".lock"), []byte("1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(s.Dir, name) }
	outside := filepath.Join(s.Dir, "..", "outside")
	stranger, link, empty := "20260101-000000.000-train-000000", "20260101-000000.000-train-000001", "20260101-000000.000-train-000002"
	for _, err := range []error{os.Mkdir(outside, 0o755), os.WriteFile(filepath.Join(outside, RecordFile), mustRead(t, at(done.Name)), 0o644), os.Symlink(outside, at(link)),
		os.Mkdir(at(stranger), 0o755), os.WriteFile(filepath.Join(at(stranger), "thesis.txt"), []byte("x"), 0o644),
		os.Mkdir(at(empty), 0o755), os.WriteFile(filepath.Join(at(empty), "."+RecordFile+"123456789012"), nil, 0o644), os.Mkdir(filepath.Join(at(empty), CheckFolder), 0o755),
		os.Mkdir(at("notes"), 0o755), os.WriteFile(at("notes.lock"), nil, 0o644), os.Mkdir(at(".removed-notes"), 0o755),
		os.Mkdir(at(removing+stranger), 0o755), os.WriteFile(filepath.Join(done.Dir, "."+MetricsFile+"123456789012"), nil, 0o644),
		os.MkdirAll(filepath.Join(done.Dir, CheckFolder, "x"), 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{stranger, link, "notes", "..", ".", "", outside, "../outside", running.Name, empty} {
		if _, err := s.Remove(name); err == nil {
			t.Errorf("%q was removed", name)
		}
	}
	rs, err := s.Rubbish()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rs {
		rel, _ := filepath.Rel(s.Dir, r.Path)
		got = append(got, rel+": "+r.What)
	}
	slices.Sort(got)
	want := []string{removing + stranger + ": run that was being removed", empty + ": run that never began", died.Name + ".lock: lock that nobody has",
		done.Name + "/." + MetricsFile + "123456789012: half-written file", done.Name + "/checkpoint: checkpoint of a run that is done"}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("rubbish:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if _, err := s.Clear(append(rs, Rubbish{Path: at("notes"), What: "run that never began", run: "notes"}, Rubbish{Path: running.Dir, What: "run that never began", run: running.Name})); err != nil {
		t.Fatal(err)
	}
	if rs, err := s.Rubbish(); err != nil || len(rs) > 0 {
		t.Errorf("still there: %v %v", rs, err)
	}
	for _, name := range []string{died.Name, done.Name} {
		if n, err := s.Remove(name); err != nil || n == 0 {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(s.Dir, "..", "o.onnx.checkpoint")); err == nil {
		t.Error("the link beside the output is still there")
	}
	var left []string
	es, _ := os.ReadDir(s.Dir)
	for _, e := range es {
		left = append(left, e.Name())
	}
	for _, must := range []string{stranger, link, "notes", "notes.lock", ".removed-notes", running.Name, running.Name + ".lock"} {
		if !slices.Contains(left, must) {
			t.Errorf("%s is gone", must)
		}
	}
	if len(left) != 7 {
		t.Errorf("left: %v", left)
	}
	if _, err := os.Stat(filepath.Join(outside, RecordFile)); err != nil {
		t.Error(err)
	}
}

func mustRead(t *testing.T, dir string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, RecordFile))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A store that cannot be written is an error before there is a run.
func TestUnwritable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below"), "/proc/runs"} {
		s, err := NewStore(dir)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := s.Create(&Record{Command: "x"}, Program{}); err == nil {
			t.Errorf("%s: %v", dir, a.Dir)
		}
	}
}

func TestUnchanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "net")
	if err := os.WriteFile(path, []byte("abc"), 0o644); err != nil {
		t.Fatal(err)
	}
	n, sum, err := FileDigest(path)
	if err != nil || n != 3 || sum != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" { // FIPS 180-2, B.1
		t.Fatal(n, sum, err)
	}
	r := &Record{Inputs: []File{{"input", path, n, sum}}}
	if err := r.Unchanged(); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("abd"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := r.Unchanged(); err == nil || !strings.Contains(err.Error(), "has changed") {
		t.Error(err)
	}
}

func TestDiff(t *testing.T) {
	seed := func(n uint64) *Record {
		return &Record{Command: "model prune", Status: Done, Seeds: []uint64{n}, Settings: map[string]string{"power": "3", "every": "10"}, Values: map[string]float64{"loss": float64(n)}, Began: time.Now(), Sittings: []Sitting{{Process: int(n)}}}
	}
	a, b := seed(1), seed(2)
	delete(b.Settings, "every")
	want := []Difference{{"setting every", "10", ""}, {"seeds", "1", "2"}, {"value loss", "1", "2"}}
	if got := Diff(a, b); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := Diff(a, seed(1)); got != nil {
		t.Errorf("%v", got)
	}
}

// Hostile records are refused, or are records.
func FuzzRecord(f *testing.F) {
	s := newStore(f)
	a := begin(f, s)
	b, err := os.ReadFile(filepath.Join(a.Dir, RecordFile))
	if err != nil {
		f.Fatal(err)
	}
	a.Discard()
	f.Add(b)
	for _, text := range []string{"", "null", "[]", `{"pare_run":1}`, `{"pare_run":2,"command":"x","status":"done","sittings":[{}]}`, `{"pare_run":1,"command":"x","status":"died","sittings":[{}]}`,
		`{"pare_run":1,"command":"x","status":"done","sittings":[{}],"values":{"a":1e999}}`, `{"pare_run":1,"command":"x","status":"done","sittings":[{}],"seeds":[-1]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRecord(b)
		if err != nil {
			return
		}
		if r.Format != RecordFormat || r.Command == "" || len(r.Sittings) == 0 {
			t.Errorf("%+v", r)
		}
		dir := t.TempDir()
		if err := r.write(dir); err != nil {
			t.Fatal(err)
		}
		again, err := ReadRecord(dir)
		if err != nil || len(Diff(r, again)) > 0 {
			t.Errorf("%v: %v", err, Diff(r, again))
		}
		r.Took()
	})
}

// A record that is no plain file, or endless, is refused.
func TestRecordFile(t *testing.T) {
	s := newStore(t)
	a := begin(t, s)
	path := filepath.Join(a.Dir, RecordFile)
	for name, spoil := range map[string]func() error{
		"link":   func() error { return os.Symlink("/dev/zero", path) },
		"folder": func() error { return os.Mkdir(path, 0o755) },
		"large": func() error {
			f, err := os.Create(path)
			if err != nil {
				return err
			}
			return errors.Join(f.Truncate(1<<40), f.Close())
		},
	} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Entry(a.Name); err == nil {
			t.Errorf("%s is a record", name)
		}
	}
	a.lock.Release()
}

// What has become something else since it was listed is not cleared away.
func TestClearLater(t *testing.T) {
	s := newStore(t)
	dir := filepath.Join(s.Dir, "20260101-000000.000-train-000000")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	rs, err := s.Rubbish()
	if err != nil || len(rs) != 1 {
		t.Fatal(rs, err)
	}
	file := filepath.Join(dir, "thesis.txt")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Clear(rs); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}
