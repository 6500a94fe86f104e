package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pare/measure"
	"pare/onnx"
	"pare/report"
	"pare/run"
	"pare/zoo"
)

// made is a store with runs as commands leave them.
type made struct {
	*run.Store
	dense, cut, failed string // names of runs that have ended
	live               *run.Active
	net                string // the file that cut has written
}

// newStore makes one: a training, a pruning of what it made, one that failed, one that runs.
func newStore(t testing.TB) *made {
	t.Helper()
	s, err := run.NewStore(filepath.Join(t.TempDir(), "runs"))
	if err != nil {
		t.Fatal(err)
	}
	m := &made{Store: s, net: filepath.Join(filepath.Dir(s.Dir), "cut.onnx")}
	before, after := lenet(t, "net", 0), lenet(t, "cut", 3)
	if err := onnx.Save(m.net, after.Graph, onnx.Options{}); err != nil {
		t.Fatal(err)
	}
	n, sum, err := run.FileDigest(m.net)
	if err != nil {
		t.Fatal(err)
	}
	m.dense = m.add(t, &run.Record{Command: "model train", Args: []string{"model", "train", "lenet-300-100"}, Data: "digits", Metric: "accuracy",
		Values: map[string]float64{"accuracy": .95, "nonzero": 266610, "sparsity": 0}}, run.Done, 40, nil)
	m.cut = m.add(t, &run.Record{Command: "model prune", Args: []string{"model", "prune", "net.onnx", "--sparsity", "0.5"}, Methods: []string{"lamp"}, Settings: map[string]string{"sparsity": "0.5"}, Data: "digits", Metric: "accuracy",
		Outputs: []run.File{{Name: "output", Path: m.net, Bytes: n, SHA256: sum}},
		Values:  map[string]float64{"accuracy": .94, "accuracy_before": .95, "nonzero": 133305, "sparsity": .5}}, run.Done, 30, map[string]any{"networks": []*measure.Network{before, after}})
	e, err := s.Entry(m.cut)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Tag([]string{"paper"}, nil); err != nil {
		t.Fatal(err)
	}
	page := &report.Report{Title: "Networks compared", Verdict: []string{"It is smaller."}, Sections: []report.Section{{Heading: "Numbers", Table: &report.Table{Columns: []string{"a", "b"}, Rows: [][]report.Cell{{report.Text("x"), report.Number(2)}, {report.Text("y"), report.Number(1)}}}}}}
	if err := page.SaveHTML(filepath.Join(e.Dir, run.ReportFile)); err != nil {
		t.Fatal(err)
	}
	m.failed = m.add(t, &run.Record{Command: "model prune", Args: []string{"model", "prune", "none.onnx"}, Methods: []string{"gmp"}, Data: "digits"}, run.Failed, 0, nil)
	if m.live, err = s.Create(&run.Record{Command: "model train", Args: []string{"model", "train", "resnet8"}, Data: "digits"}, run.Program{Pare: "test"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.live.End(run.Stopped, nil) }) //nolint:errcheck // it may have ended
	return m
}

// lenet is a network whose layers are measured; of each so many are left of four weights, 0: all.
func lenet(t testing.TB, name string, zeros int) *measure.Network {
	t.Helper()
	g, err := zoo.New("lenet-300-100", zoo.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range g.Params() {
		w := v.Const.Data.([]float32)
		for i := range w {
			if zeros > 0 && len(v.Const.Shape) > 1 && i%4 < zeros {
				w[i] = 0
			}
		}
	}
	n := &measure.Network{Name: name, Graph: g}
	if n.Size, n.Layers, err = measure.Of(g); err != nil {
		t.Fatal(err)
	}
	return n
}

// add makes a run that has ended, with so many points and with results.
func (m *made) add(t testing.TB, r *run.Record, how run.Status, points int, results any) string {
	t.Helper()
	a, err := m.Create(r, run.Program{Pare: "test", Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	w, err := a.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	for i := range points {
		w.Add(point(i + 1))
	}
	if results != nil {
		b, err := json.Marshal(results)
		if err == nil {
			err = a.Write(run.ResultsFile, b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var why error
	if how == run.Failed {
		why = fmt.Errorf("none.onnx: no such file")
	}
	if err := a.End(how, why); err != nil {
		t.Fatal(err)
	}
	return a.Name
}

func point(step int) *run.Point {
	return &run.Point{Time: time.Date(2026, 3, 4, 10, 0, step, 0, time.UTC), Training: 1, Step: step, Epoch: 1 + step/10, Values: []run.Value{{Name: run.Loss, X: 2 * math.Exp(-float64(step)/10)}, {Name: run.Sparsity, X: .5}, {Name: "accuracy", X: 1 - 1/float64(step+1)}}}
}

// serving starts a server on this machine.
func serving(t testing.TB, c Config) (*Server, *httptest.Server) {
	t.Helper()
	c.Local = true
	c.Poll = 20 * time.Millisecond
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(func() { s.Close(); h.Close() })
	return s, h
}

// get asks for a path, and gives the status, the headers and what came.
func get(t testing.TB, h *httptest.Server, path string, head ...string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, h.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(head); i += 2 {
		if head[i] == "Host" {
			r.Host = head[i+1]
		}
		r.Header.Set(head[i], head[i+1])
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r.WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, a.Header, string(b)
}

// asked asks for JSON.
func asked[T any](t testing.TB, h *httptest.Server, path string) T {
	t.Helper()
	var v T
	code, _, b := get(t, h, path)
	if code != 200 {
		t.Fatalf("%s: %d %s", path, code, b)
	}
	if err := json.Unmarshal([]byte(b), &v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

func namesOf(rows []*row) (out []string) {
	for _, r := range rows {
		out = append(out, r.Name)
	}
	return out
}

// The table is what the filter leaves, newest first.
func TestList(t *testing.T) {
	m := newStore(t)
	_, h := serving(t, Config{Store: m.Store})
	live := m.live.Name
	for _, c := range []struct {
		query string
		want  []string
	}{
		{"", []string{live, m.failed, m.cut, m.dense}}, {"command=prune", []string{m.failed, m.cut}}, {"command=model+train", []string{live, m.dense}}, {"method=lamp", []string{m.cut}},
		{"method=lamp&method=gmp", []string{m.failed, m.cut}}, {"status=running", []string{live}}, {"status=done&status=failed", []string{m.failed, m.cut, m.dense}}, {"tag=paper", []string{m.cut}},
		{"tag=none", nil}, {"since=1h", []string{live, m.failed, m.cut, m.dense}}, {"since=2999-01-01", nil}, {"newest=2", []string{live, m.failed}}, {"text=NONE.onnx", []string{m.failed}},
		{"text=prune+0.5", []string{m.cut}}, {"text=no+such", []string{m.failed}}, {"text=lamp+train", nil}, {"command=&status=&text=", []string{live, m.failed, m.cut, m.dense}},
	} {
		x := asked[table](t, h, "/api/runs?"+c.query)
		if got := namesOf(x.Runs); !slices.Equal(got, c.want) {
			t.Errorf("%q: %v, want %v", c.query, got, c.want)
		}
		if x.All != 4 || x.Words.Commands["model prune"] != 2 || x.Words.Methods["lamp"] != 1 || x.Words.Tags["paper"] != 1 || len(x.Notes) > 0 {
			t.Errorf("%q: %d runs, %v, %v", c.query, x.All, x.Words, x.Notes)
		}
	}
	x := asked[table](t, h, "/api/runs?tag=paper").Runs[0]
	if x.Status != run.Done || !x.Higher || !x.Percent || x.Values["accuracy"] != .94 || x.Line != "pare model prune net.onnx --sparsity 0.5" || x.Output != m.net {
		t.Errorf("%+v", x)
	}
	for _, q := range []string{"status=odd", "since=often", "newest=-1", "newest=x"} {
		if code, _, b := get(t, h, "/api/runs?"+q); code != 400 || !strings.Contains(b, "needed") {
			t.Errorf("%s: %d %s", q, code, b)
		}
	}
	_, head, _ := get(t, h, "/api/runs?tag=paper")
	if code, _, b := get(t, h, "/api/runs?tag=paper", "If-None-Match", head.Get("Etag")); code != 304 || b != "" {
		t.Errorf("the same again: %d %s", code, b)
	}
}

// A folder without runs, or that is not there, has an empty table.
func TestNoRuns(t *testing.T) {
	s, err := run.NewStore(filepath.Join(t.TempDir(), "none"))
	if err != nil {
		t.Fatal(err)
	}
	_, h := serving(t, Config{Store: s})
	if x := asked[table](t, h, "/api/runs"); x.Runs == nil || len(x.Runs) > 0 || x.All != 0 {
		t.Errorf("%+v", x)
	}
	if _, err := os.Stat(s.Dir); err == nil {
		t.Error("a folder was made")
	}
}

// A run shows its record, files and outputs; its layers, its drawing, its report.
func TestShow(t *testing.T) {
	m := newStore(t)
	_, h := serving(t, Config{Store: m.Store})
	x := asked[shown](t, h, "/api/runs/"+m.cut)
	var files []string
	for _, f := range x.Files {
		files = append(files, f.Path)
	}
	if want := []string{"metrics.jsonl", "report.html", "results.json", "run.json", "tags.json"}; !slices.Equal(files, want) || !x.Report || !x.Layers || x.Record.Settings["sparsity"] != "0.5" || x.Status != run.Done {
		t.Errorf("%v, %+v", files, x)
	}
	if len(x.Outputs) != 1 || x.Outputs[0].State != "there" || !x.Outputs[0].Drawn {
		t.Errorf("%+v", x.Outputs)
	}
	if y := asked[shown](t, h, "/api/runs/"+m.failed); y.Report || y.Layers || y.Error != "none.onnx: no such file" || y.Status != run.Failed {
		t.Errorf("%+v", y)
	}
	ns := asked[struct{ Networks []layered }](t, h, "/api/runs/"+m.cut+"/layers").Networks
	if len(ns) != 2 || len(ns[1].Layers) != 3 || ns[0].Layers[0].NonZero != 235200 || ns[1].Layers[0].NonZero != 58800 || ns[1].Layers[0].MACs != 235200 || ns[1].Layers[0].Effective != 58800 {
		t.Errorf("%+v", ns)
	}
	if ns := asked[struct{ Networks []layered }](t, h, "/api/runs/"+m.failed+"/layers").Networks; ns == nil || len(ns) > 0 {
		t.Errorf("layers without results: %v", ns)
	}
	code, head, b := get(t, h, "/runs/"+m.cut+"/drawing/0")
	if code != 200 || !strings.Contains(b, `<svg class="diagram"`) || !strings.Contains(b, "fc1") || !strings.Contains(head.Get("Content-Security-Policy"), "sandbox allow-scripts") {
		t.Errorf("%d %.300s", code, b)
	}
	if code, head, b = get(t, h, "/runs/"+m.cut+"/report"); code != 200 || !strings.Contains(b, "It is smaller.") || head.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%d %.300s", code, b)
	}
	d := asked[compared](t, h, "/api/diff?a="+m.dense+"&b="+m.cut)
	if d.A.Name != m.dense || d.B.Name != m.cut || !slices.Contains(d.Differences, run.Difference{What: "value sparsity", A: "0", B: "0.5"}) || slices.ContainsFunc(d.Differences, func(d run.Difference) bool { return d.What == "data" }) {
		t.Errorf("%+v", d)
	}
	if d := asked[compared](t, h, "/api/diff?a="+m.cut+"&b="+m.cut); d.Differences == nil || len(d.Differences) > 0 {
		t.Errorf("with itself: %+v", d)
	}
}

// Files of the directory, and outputs as they were written, can be kept; an output that has
// changed is refused, as is one of which nothing was recorded.
func TestDownloads(t *testing.T) {
	m := newStore(t)
	_, h := serving(t, Config{Store: m.Store})
	want, err := os.ReadFile(filepath.Join(m.Dir, m.cut, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	code, head, b := get(t, h, "/runs/"+m.cut+"/files/metrics.jsonl")
	if code != 200 || b != string(want) || head.Get("Content-Disposition") != "attachment; filename="+m.cut+"-metrics.jsonl" || head.Get("Content-Type") != "application/octet-stream" || head.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %v", code, head)
	}
	if code, _, b := get(t, h, "/runs/"+m.cut+"/files/metrics.jsonl", "Range", "bytes=0-9"); code != 206 || b != string(want[:10]) {
		t.Errorf("a part: %d %q", code, b)
	}
	net, err := os.ReadFile(m.net)
	if err != nil {
		t.Fatal(err)
	}
	if code, head, b := get(t, h, "/runs/"+m.cut+"/outputs/0"); code != 200 || b != string(net) || head.Get("Content-Disposition") != "attachment; filename=cut.onnx" {
		t.Errorf("%d %v, %d bytes", code, head, len(b))
	}
	changed := bytes.Clone(net)
	changed[len(changed)-1] ^= 1 // as long as before
	for name, do := range map[string]func() error{
		"another byte": func() error { return os.WriteFile(m.net, changed, 0o644) },
		"longer":       func() error { return os.WriteFile(m.net, append(net, 0), 0o644) },
		"gone":         func() error { return os.Remove(m.net) },
		"a link":       func() error { return os.Symlink(filepath.Join(m.Dir, m.cut, "run.json"), m.net) },
	} {
		os.Remove(m.net)
		if name == "gone" {
			os.WriteFile(m.net, nil, 0o644) //nolint:errcheck // it is removed
		}
		if err := do(); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/outputs/0", "/drawing/0"} {
			if code, _, b := get(t, h, "/runs/"+m.cut+path); code != 409 || !strings.Contains(b, "is not what the run wrote") {
				t.Errorf("%s: %s: %d %.200s", name, path, code, b)
			}
		}
		if x := asked[shown](t, h, "/api/runs/"+m.cut).Outputs[0]; name != "another byte" && (x.State == "there" || x.Drawn) {
			t.Errorf("%s: %+v", name, x)
		}
	}
	for _, n := range []string{"1", "-1", "x", "99999999999999999999"} {
		if code, _, _ := get(t, h, "/runs/"+m.cut+"/outputs/"+n); code != 404 {
			t.Errorf("output %s: %d", n, code)
		}
	}
}

// What is not there is answered as such.
func TestNotThere(t *testing.T) {
	m := newStore(t)
	_, h := serving(t, Config{Store: m.Store})
	none := "20260101-000000.000-train-000000"
	for _, path := range []string{"/nothing", "/page/none.js", "/page/", "/page/../serve.go", "/api/none", "/api/runs/" + none, "/api/runs/latest", "/api/runs/..%2f", "/api/runs/" + none + "/points",
		"/runs/" + m.failed + "/report", "/runs/" + m.cut + "/files/none", "/runs/" + m.cut + "/files/", "/runs/" + none + "/files/run.json", "/api/diff?a=" + m.cut + "&b=" + none, "/api/diff"} {
		if code, _, b := get(t, h, path); code != 404 && code != 307 && code != 301 {
			t.Errorf("%s: %d %.100s", path, code, b)
		}
	}
}
