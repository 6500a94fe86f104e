package serve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pare/internal/hostile"
	"pare/run"
)

// markup is what a page that trusts a run would run.
const markup = `<img src=x onerror="document.title='hurt'"><script>document.title='hurt'</script>`

// hostileRun is a run whose record says what it likes.
func hostileRun(t testing.TB, m *made) string {
	t.Helper()
	return m.add(t, &run.Record{Command: "model prune " + markup, Args: []string{markup, "\x1b[31m", "\xff\xfe", "'$(reboot)'"}, Methods: []string{markup, strings.Repeat("long ", 200)}, Data: markup, Metric: "accuracy" + markup,
		Folder: markup, Settings: map[string]string{markup: markup, "__proto__": "x"}, Sets: []run.Set{{Name: markup, SHA256: markup}}, Inputs: []run.File{{Name: markup, Path: markup}},
		Outputs: []run.File{{Name: markup, Path: "javascript:alert(1)", Bytes: 3, SHA256: markup}, {Name: "passwd", Path: "/etc/passwd"}, {Name: "null", Path: "/dev/zero", Bytes: 4, SHA256: strings.Repeat("0", 64)}},
		Values:  map[string]float64{"accuracy" + markup: .5, markup: 1e308, "sparsity": -1e9, "bytes": 1e300}}, run.Done, 3, map[string]any{"networks": []any{map[string]any{"name": markup, "layers": []any{map[string]any{"name": markup, "op": markup, "shape": []int{-1}, "params": -5}}}}})
}

// Texts of a run come as texts, whatever is in them.
func TestHostileTexts(t *testing.T) {
	m := newStore(t)
	name := hostileRun(t, m)
	_, h := serving(t, Config{Store: m.Store})
	for _, path := range []string{"/api/runs", "/api/runs/" + name, "/api/runs/" + name + "/layers", "/api/diff?a=" + name + "&b=" + m.cut} {
		code, head, b := get(t, h, path)
		if code != 200 || head.Get("Content-Type") != "application/json" || strings.Contains(b, "<img") || !json.Valid([]byte(b)) {
			t.Errorf("%s: %d %v %.300s", path, code, head, b)
		}
	}
	for i := range 3 {
		if code, _, b := get(t, h, fmt.Sprintf("/runs/%s/outputs/%d", name, i)); code != 409 {
			t.Errorf("output %d: %d %.100s", i, code, b)
		}
	}
	if x := asked[shown](t, h, "/api/runs/"+name); x.Outputs[0].State != "gone" || x.Outputs[1].State != "unknown" || x.Outputs[2].State != "changed" {
		t.Errorf("%+v", x.Outputs)
	}
}

// Networks without layers are none, and what is called so and is none does no harm.
func TestHostileLayers(t *testing.T) {
	m := newStore(t)
	_, h := serving(t, Config{Store: m.Store})
	for text, want := range map[string]int{
		`{"networks":[{"name":"x"},{"name":"y","layers":[]},null]}`: 0, `{"networks":{"layers":[1]}}`: 0, `{"networks":"x"}`: 0, `{}`: 0, `{"networks":[{"layers":[{"name":"w"}]},{}]}`: 1,
	} {
		if err := os.WriteFile(filepath.Join(m.Dir, m.cut, run.ResultsFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if ns := asked[struct{ Networks []layered }](t, h, "/api/runs/"+m.cut+"/layers").Networks; ns == nil || len(ns) != want {
			t.Errorf("%s: %v", text, ns)
		}
	}
	for _, text := range []string{`[]`, `x`, `{"networks":[`} {
		if err := os.WriteFile(filepath.Join(m.Dir, m.cut, run.ResultsFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if code, _, b := get(t, h, "/api/runs/"+m.cut+"/layers"); code != 422 || !strings.Contains(b, "results.json is broken") {
			t.Errorf("%s: %d %s", text, code, b)
		}
	}
}

// Nothing outside a run's directory can be had, by no way of writing it, nor through links.
func TestTraversal(t *testing.T) {
	m := newStore(t)
	dir := filepath.Join(m.Dir, m.cut)
	outside := filepath.Join(filepath.Dir(m.Dir), "outside.txt")
	if err := os.WriteFile(outside, []byte("outside"), 0o644); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"link.txt": outside, "folder": filepath.Dir(outside), "inside.json": "run.json", "report2.html": "report.html"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, ".hidden"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sub", "kept.txt"), []byte("kept"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, h := serving(t, Config{Store: m.Store})
	if code, _, b := get(t, h, "/runs/"+m.cut+"/files/sub/kept.txt"); code != 200 || b != "kept" {
		t.Errorf("%d %s", code, b)
	}
	for _, path := range []string{"link.txt", "folder/outside.txt", "inside.json", "report2.html", ".hidden", "sub", "..%2foutside.txt", "..%2f..%2foutside.txt", "%2e%2e/%2e%2e/outside.txt", "%2fetc%2fpasswd", "/etc/passwd", "sub%2f..%2f..%2f..%2foutside.txt",
		"..%5coutside.txt", "sub/%2e%2e/%2e%2e/%2e%2e/outside.txt", "%00", "run.json%00.txt", "..", ".", "sub/../../../outside.txt"} {
		code, head, b := get(t, h, "/runs/"+m.cut+"/files/"+path)
		if code == 200 || strings.Contains(b, "outside") && code < 300 {
			t.Errorf("%s: %d %.100s", path, code, b)
		}
		if to := head.Get("Location"); to != "" {
			if code, _, b := get(t, h, to); code == 200 {
				t.Errorf("%s, then %s: %d %.100s", path, to, code, b)
			}
		}
	}
	x := asked[shown](t, h, "/api/runs/"+m.cut)
	for _, f := range x.Files {
		if f.Path == "link.txt" || strings.HasPrefix(f.Path, "folder") || f.Path == ".hidden" || f.Path == "inside.json" {
			t.Errorf("%s is listed", f.Path)
		}
	}
	// a directory that is a link is no run
	other := "20260101-000000.000-train-aaaaaa"
	if err := os.Symlink(dir, filepath.Join(m.Dir, other)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/api/runs/" + other, "/runs/" + other + "/files/run.json", "/runs/" + other + "/report"} {
		if code, _, b := get(t, h, path); code != 404 {
			t.Errorf("%s: %d %.100s", path, code, b)
		}
	}
	if got := asked[table](t, h, "/api/runs"); got.All != 4 {
		t.Errorf("%d runs", got.All)
	}
}

// Files of a run that are pipes, links, folders, huge or broken are answered at once, and take
// no memory.
func TestHostileFiles(t *testing.T) {
	files := []string{run.RecordFile, run.MetricsFile, run.ResultsFile, run.ReportFile, run.TagsFile}
	for name, spoil := range map[string]func(path string) error{
		"pipe":   func(p string) error { return syscall.Mkfifo(p, 0o644) },
		"folder": func(p string) error { return os.Mkdir(p, 0o755) },
		"link":   func(p string) error { return os.Symlink("/dev/zero", p) },
		"loop":   func(p string) error { return os.Symlink(p, p) },
		"huge": func(p string) error {
			if err := os.WriteFile(p, nil, 0o644); err != nil {
				return err
			}
			return os.Truncate(p, 1<<40) // with nothing in it
		},
		"noise":  func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte{0xff, 0, '{'}, 5000), 0o644) },
		"nested": func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte("[{\"a\":"), 1<<20), 0o644) },
		"list":   func(p string) error { return os.WriteFile(p, []byte(`{"networks":[{"layers":"x"}]}`), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newStore(t)
			s, h := serving(t, Config{Store: m.Store})
			for _, f := range files {
				path := filepath.Join(m.Dir, m.cut, f)
				was, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				os.Remove(path)
				if err := spoil(path); err != nil {
					t.Fatal(err)
				}
				size := 0
				if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Size() < 1<<30 {
					size = int(st.Size())
				}
				for _, ask := range []string{"/api/runs", "/api/runs/" + m.cut, "/api/runs/" + m.cut + "/layers", "/api/runs/" + m.cut + "/points", "/runs/" + m.cut + "/report", "/api/diff?a=" + m.cut + "&b=" + m.dense, "/runs/" + m.cut + "/outputs/0"} {
					w := &sink{}
					start := time.Now()
					hostile.Read(t, size, func() error { //nolint:errcheck // what it answers is looked at
						*w = sink{head: http.Header{}}
						r, _ := http.NewRequestWithContext(t.Context(), "GET", h.URL+ask, nil)
						if s.ServeHTTP(w, r); w.code >= 400 {
							return fmt.Errorf("%d", w.code)
						}
						return nil
					})
					if d := time.Since(start); d > 10*time.Second || w.code >= 500 {
						t.Errorf("%s: %s: %d %.200s, after %v", f, ask, w.code, w.first, d)
					}
				}
				os.RemoveAll(path)
				if err := os.WriteFile(path, was, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// sink takes an answer and keeps its beginning.
type sink struct {
	head  http.Header
	code  int
	first []byte
}

func (s *sink) Header() http.Header { return s.head }
func (s *sink) WriteHeader(c int)   { s.code = c }
func (s *sink) Write(b []byte) (int, error) {
	if len(s.first) < 200 {
		s.first = append(s.first, b[:min(len(b), 200)]...)
	}
	return len(b), nil
}
func (s *sink) Flush() {}

// An output that is said to be a network and is none, or none that can be drawn, is answered
// with why.
func TestHostileNetwork(t *testing.T) {
	m := newStore(t)
	_, h := serving(t, Config{Store: m.Store})
	dir := t.TempDir()
	for name, b := range map[string][]byte{"noise.onnx": bytes.Repeat([]byte{8, 0xff}, 1000), "text.pare": []byte("no network"), "other.bin": []byte("x")} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		n, sum, err := run.FileDigest(path)
		if err != nil {
			t.Fatal(err)
		}
		at := m.add(t, &run.Record{Command: "model prune", Outputs: []run.File{{Name: "output", Path: path, Bytes: n, SHA256: sum}}}, run.Done, 0, nil)
		if code, _, text := get(t, h, "/runs/"+at+"/drawing/0"); code != 422 || !strings.Contains(text, name) && name != "other.bin" {
			t.Errorf("%s: %d %s", name, code, text)
		}
	}
}

// A browser that is slow to take a drawing keeps nobody else from theirs.
func TestSlowReader(t *testing.T) {
	m := newStore(t)
	s, _ := serving(t, Config{Store: m.Store})
	w := &looking{sink: sink{head: http.Header{}}, look: func() int { return len(s.heavy) }}
	r := httptest.NewRequest(http.MethodGet, "/runs/"+m.cut+"/drawing/0", nil)
	r.Host = "localhost"
	s.ServeHTTP(w, r)
	if w.code != http.StatusOK || len(w.first) == 0 || w.most != 0 {
		t.Errorf("status %d, %d are kept busy: %.200s", w.code, w.most, w.first)
	}
}

// looking is a sink that asks how much is done while it is written to.
type looking struct {
	sink
	look func() int
	most int
}

func (l *looking) Write(b []byte) (int, error) {
	l.most = max(l.most, l.look())
	return l.sink.Write(b)
}
