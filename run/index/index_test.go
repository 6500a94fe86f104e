package index

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pare/run"
)

// store has five runs: four that ended and one whose process is this one.
func store(t *testing.T) (*run.Store, []string) {
	t.Helper()
	s, err := run.NewStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range []struct {
		command, method string
		end             run.Status
		tags            []string
	}{
		{"model prune", "gmp", run.Done, []string{"a", "b"}},
		{"model prune", "channels", run.Failed, []string{"a"}},
		{"model train", "", run.Done, nil},
		{"model compare", "gmp,channels", run.Stopped, nil},
		{"model train", "", "", nil},
	} {
		r := &run.Record{Command: x.command, Args: []string{fmt.Sprint(i)}}
		if x.method != "" {
			r.Methods = strings.Split(x.method, ",")
		}
		a, err := s.Create(r, run.Program{})
		if err != nil {
			t.Fatal(err)
		}
		if e, err := s.Entry(a.Name); err != nil {
			t.Fatal(err)
		} else if err := e.Tag(x.tags, nil); err != nil {
			t.Fatal(err)
		}
		if x.end == "" {
			t.Cleanup(a.Discard)
		} else if err := a.End(x.end, nil); err != nil {
			t.Fatal(err)
		}
	}
	names, err := s.Names()
	if err != nil || len(names) != 5 {
		t.Fatal(names, err)
	}
	return s, names
}

func open(t *testing.T, s *run.Store) *Index {
	t.Helper()
	x, err := Open(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// chosen are the runs that a filter leaves, by their number.
func chosen(t *testing.T, x *Index, f Filter) string {
	t.Helper()
	es, err := x.Select(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range es {
		out = append(out, e.Record.Args[0])
	}
	return strings.Join(out, "")
}

func TestFilters(t *testing.T) {
	s, _ := store(t)
	for range 2 { // made, and read
		x := open(t, s)
		if len(x.Notes) > 0 || len(x.Bad) > 0 {
			t.Errorf("%v %v", x.Notes, x.Bad)
		}
		es, err := x.Select(context.Background(), Filter{})
		if err != nil || len(es) != 5 {
			t.Fatal(es, err)
		}
		for _, c := range []struct {
			f    Filter
			want string
		}{
			{Filter{}, "01234"}, {Filter{Command: "prune"}, "01"}, {Filter{Command: "model train"}, "24"}, {Filter{Command: "rain"}, ""}, {Filter{Command: "%"}, ""},
			{Filter{Methods: []string{"gmp"}}, "03"}, {Filter{Methods: []string{"gmp", "channels"}}, "013"}, {Filter{Methods: []string{"gm_"}}, ""},
			{Filter{Tags: []string{"a"}}, "01"}, {Filter{Tags: []string{"a", "b"}}, "0"}, {Filter{Status: []run.Status{run.Done}}, "02"},
			{Filter{Status: []run.Status{run.Running, run.Failed}}, "14"}, {Filter{Status: []run.Status{run.Died}}, ""}, {Filter{Newest: 2}, "34"},
			{Filter{Since: es[2].Record.Began}, "234"}, {Filter{Since: time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)}, ""}, {Filter{Since: time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC)}, "01234"}, {Filter{Command: "prune", Tags: []string{"b"}, Status: []run.Status{run.Done}, Newest: 1}, "0"},
		} {
			if got := chosen(t, x, c.f); got != c.want {
				t.Errorf("%+v: %q, want %q", c.f, got, c.want)
			}
		}
		x.Close()
	}
}

// The words that runs can be filtered by are counted.
func TestWords(t *testing.T) {
	s, _ := store(t)
	w, err := open(t, s).Words(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(w.Commands, w.Methods, w.Tags); got != "map[model compare:1 model prune:2 model train:2] map[channels:2 gmp:2] map[a:2 b:1]" {
		t.Error(got)
	}
}

// A time is said by how long ago it is, or as a date.
func TestSince(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.Local)
	for text, want := range map[string]time.Time{"90m": now.Add(-90 * time.Minute), "12h": now.Add(-12 * time.Hour), "7d": now.Add(-7 * 24 * time.Hour), "0.5d": now.Add(-12 * time.Hour), "2026-01-02": time.Date(2026, 1, 2, 0, 0, 0, 0, time.Local)} {
		if got, err := Since(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "-1h", "-2d", "7", "7days", "yesterday", "2026-13-01", "1e300d", "NaNd"} {
		if got, err := Since(text, now); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// What changes in the directories shows when the index is opened again.
func TestFollows(t *testing.T) {
	s, names := store(t)
	open(t, s).Close()
	e, err := s.Entry(names[2])
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Tag([]string{"new"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(s.Dir, names[0])); err != nil {
		t.Fatal(err)
	}
	a, err := s.Reopen(names[1], run.Program{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.End(run.Done, nil); err != nil {
		t.Fatal(err)
	}
	x := open(t, s)
	if got := chosen(t, x, Filter{Tags: []string{"new"}}); got != "2" {
		t.Errorf("by tag %q", got)
	}
	if got := chosen(t, x, Filter{Status: []run.Status{run.Done}}); got != "12" {
		t.Errorf("done %q", got)
	}
	if got := chosen(t, x, Filter{}); got != "1234" {
		t.Errorf("all %q", got)
	}
}

// A damaged index, one of another version, and one whose rows were changed are made anew,
// and it is said; what comes out is the same.
func TestDamaged(t *testing.T) {
	s, _ := store(t)
	path := filepath.Join(s.Dir, File)
	open(t, s).Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sqlDo := func(do string) func() error {
		return func() error {
			db, err := sql.Open("sqlite", path)
			if err != nil {
				return err
			}
			defer db.Close()
			_, err = db.Exec(do)
			return err
		}
	}
	for name, spoil := range map[string]func() error{
		"text": func() error { return os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o644) },
		"half": func() error { return os.WriteFile(path, whole[:len(whole)/2], 0o644) },
		"zeros": func() error {
			return os.WriteFile(path, append(slices.Clone(whole[:4096]), make([]byte, len(whole)-4096)...), 0o644)
		},
		"version":  sqlDo("PRAGMA user_version = 7"),
		"table":    sqlDo("DROP TABLE words"),
		"row":      sqlDo(`UPDATE runs SET entry = CAST(replace(CAST(entry AS TEXT), 'done', 'dome') AS BLOB)`),
		"stranger": sqlDo("PRAGMA application_id = 5"),
	} {
		if err := os.WriteFile(path, whole, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := spoil(); err != nil {
			t.Fatal(name, err)
		}
		x := open(t, s)
		if got := chosen(t, x, Filter{}); got != "01234" {
			t.Errorf("%s: %q", name, got)
		}
		if got := chosen(t, x, Filter{Methods: []string{"gmp"}}); got != "03" {
			t.Errorf("%s: %q by method", name, got)
		}
		if len(x.Notes) != 1 || !strings.Contains(x.Notes[0], "made anew") {
			t.Errorf("%s: said %q", name, x.Notes)
		}
		x.Close()
		if y := open(t, s); len(y.Notes) > 0 {
			t.Errorf("%s: again %q", name, y.Notes)
		}
	}
}

// Where there can be no file the runs are listed all the same.
func TestNoFile(t *testing.T) {
	s, _ := store(t)
	if err := os.Mkdir(filepath.Join(s.Dir, File), 0o755); err != nil {
		t.Fatal(err)
	}
	x := open(t, s)
	if got := chosen(t, x, Filter{}); got != "01234" || len(x.Notes) != 1 {
		t.Errorf("%q, %q", got, x.Notes)
	}
	none, err := run.NewStore(filepath.Join(t.TempDir(), "none"))
	if err != nil {
		t.Fatal(err)
	}
	if x := open(t, none); chosen(t, x, Filter{}) != "" || len(x.Notes) > 0 {
		t.Errorf("%q", x.Notes)
	}
	if _, err := os.Stat(none.Dir); err == nil {
		t.Error("a folder was made")
	}
}

// A directory that cannot be read as a run is told of; one that was killed as it began is not.
func TestBad(t *testing.T) {
	s, names := store(t)
	if err := os.WriteFile(filepath.Join(s.Dir, names[0], run.RecordFile), []byte(`{"pare_run":1}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"20260101-000000.000-train-000000", "other", ".hidden"} {
		if err := os.Mkdir(filepath.Join(s.Dir, n), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	x := open(t, s)
	if got := chosen(t, x, Filter{}); got != "1234" || len(x.Bad) != 1 || !strings.Contains(x.Bad[0].Error(), names[0]) {
		t.Errorf("%q, %v", got, x.Bad)
	}
}

// Many open an index at once while runs come and end.
func TestAtOnce(t *testing.T) {
	s, _ := store(t)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Add(2)
		go func() {
			defer wg.Done()
			for k := range 5 {
				a, err := s.Create(&run.Record{Command: "model train", Args: []string{fmt.Sprint(i, k)}}, run.Program{})
				if err != nil {
					t.Error(err)
					return
				}
				if err := a.End(run.Done, nil); err != nil {
					t.Error(err)
				}
			}
		}()
		go func() {
			defer wg.Done()
			for range 5 {
				x, err := Open(context.Background(), s)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := x.Select(context.Background(), Filter{}); err != nil || len(x.Notes) > 0 {
					t.Error(err, x.Notes)
				}
				x.Close()
			}
		}()
	}
	wg.Wait()
	es, err := open(t, s).Select(context.Background(), Filter{Since: time.Time{}})
	if err != nil || len(es) != 35 {
		t.Errorf("%d runs, %v", len(es), err)
	}
}

// Ten thousand runs are listed in the time of a glance.
func BenchmarkOpen(b *testing.B) {
	s, _ := run.NewStore(b.TempDir())
	a, err := s.Create(&run.Record{Command: "model train", Args: []string{"x"}}, run.Program{})
	if err != nil {
		b.Fatal(err)
	}
	a.End(run.Done, nil) //nolint:errcheck // the record is what counts
	record, _ := os.ReadFile(filepath.Join(a.Dir, run.RecordFile))
	for i := range 10000 {
		dir := filepath.Join(s.Dir, fmt.Sprintf("20260101-000000.%03d-train-%06x", i%1000, i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, run.RecordFile), record, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	x, err := Open(context.Background(), s) // it is made once
	if err != nil {
		b.Fatal(err)
	}
	x.Close()
	for _, name := range []string{"index", "directories"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if name == "directories" {
					if es, _, err := s.List(); err != nil || len(es) < 10000 {
						b.Fatal(err)
					}
					continue
				}
				x, err := Open(context.Background(), s)
				if err != nil {
					b.Fatal(err)
				}
				if es, err := x.Select(context.Background(), Filter{Newest: 50}); err != nil || len(es) != 50 {
					b.Fatal(err)
				}
				x.Close()
			}
		})
	}
}
