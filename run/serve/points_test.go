package serve

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pare/run"
)

// followed is a stream of events.
type followed struct {
	t   *testing.T
	in  *bufio.Reader
	end func()
}

func follow(t *testing.T, h *httptest.Server, name string) *followed {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL+"/api/runs/"+name+"/points", nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Body.Close() })
	if a.StatusCode != 200 || a.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(a.Status, a.Header)
	}
	return &followed{t, bufio.NewReader(a.Body), cancel}
}

// next is the next event: its name, and of points their steps.
func (f *followed) next() string {
	f.t.Helper()
	name, data := "", ""
	for {
		line, err := f.in.ReadString('\n')
		if err != nil {
			return err.Error()
		}
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "" && name != "":
			return f.words(name, data)
		case strings.HasPrefix(line, "event: "):
			name = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			data = line[len("data: "):]
		}
	}
}

func (f *followed) words(name, data string) string {
	f.t.Helper()
	var v any
	if err := json.Unmarshal([]byte(data), &v); err != nil {
		f.t.Fatal(name, err)
	}
	switch x := v.(type) {
	case []any:
		words := []string{name}
		for _, p := range x {
			words = append(words, fmt.Sprint(p.(map[string]any)["step"]))
		}
		name = strings.Join(words, " ")
	case map[string]any:
		for _, k := range []string{"status", "text"} {
			if x[k] != nil {
				name += fmt.Sprint(" ", x[k])
			}
		}
	}
	return name
}

func (f *followed) want(events ...string) {
	f.t.Helper()
	for _, w := range events {
		if got := f.next(); got != w {
			f.t.Fatalf("%q, want %q", got, w)
		}
	}
}

// A run that has ended is told of as a whole.
func TestPointsEnded(t *testing.T) {
	m := newStore(t)
	_, h := serving(t, Config{Store: m.Store})
	f := follow(t, h, m.dense)
	steps := "points"
	for i := range 40 {
		steps += fmt.Sprint(" ", i+1)
	}
	f.want("run done", steps, "end done", "EOF")
	follow(t, h, m.failed).want("run failed", "end failed", "EOF")
}

// A run that goes on is followed, through a step back, to its end.
func TestPointsLive(t *testing.T) {
	m := newStore(t)
	_, h := serving(t, Config{Store: m.Store})
	w, err := m.live.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	add := func(i int) { w.Add(point(i)); w.Flush() }
	add(1)
	f := follow(t, h, m.live.Name)
	f.want("run running", "points 1")
	add(2)
	f.want("points 2")
	w.Rewind("", 1, 1)
	f.want("again", "points 1")
	if err := m.live.Update(func(r *run.Record) { r.Methods = []string{"gmp"} }); err != nil {
		t.Fatal(err)
	}
	f.want("run running")
	add(3)
	f.want("points 3")
	w.Add(point(4)) // it is written with the end
	if err := m.live.End(run.Done, nil); err != nil {
		t.Fatal(err)
	}
	// the record says that the run has ended before or after the point is seen
	got := []string{f.next(), f.next()}
	if s := strings.Join(got, ", "); s != "run done, points 4" && s != "points 4, run done" {
		t.Fatal(s)
	}
	f.want("end done", "EOF")
}

// A run whose process dies is told of, too.
func TestPointsDied(t *testing.T) {
	m := newStore(t)
	name := m.dense
	path := filepath.Join(m.Dir, name, run.RecordFile)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(b), `"done"`, `"running"`)), 0o644); err != nil {
		t.Fatal(err)
	}
	_, h := serving(t, Config{Store: m.Store})
	f := follow(t, h, name)
	f.want("run died")
	f.next()
	f.want("end died", "EOF")
}

// What comes after a line that is no point is not sent, and that is said; the end of the
// server ends the stream; more streams than there may be are refused.
func TestPointsBounds(t *testing.T) {
	m := newStore(t)
	path := filepath.Join(m.Dir, m.live.Name, run.MetricsFile)
	if err := os.WriteFile(path, []byte(`{"time":"2026-03-04T10:20:30Z","step":1}`+"\nnothing\n"+`{"step":2}`+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, h := serving(t, Config{Store: m.Store})
	f := follow(t, h, m.live.Name)
	f.want("run running", "points 1", "note metrics.jsonl: line 2: it is no object: what comes after is not drawn")
	for range mostStreams - 1 {
		s.streams <- struct{}{}
	}
	if code, _, b := get(t, h, "/api/runs/"+m.dense+"/points"); code != 503 || !strings.Contains(b, "64 runs are followed") {
		t.Errorf("%d %s", code, b)
	}
	for range mostStreams - 1 {
		<-s.streams
	}
	s.Close()
	f.want("EOF")
}

// No more points are sent than a browser can hold; a step back makes room.
func TestPointsMost(t *testing.T) {
	m := newStore(t)
	s, h := serving(t, Config{Store: m.Store})
	s.most = 5
	follow(t, h, m.dense).want("run done", "points 1 2 3 4 5", "note metrics.jsonl: there are more than 5 points, and these are the first: what comes after is not drawn", "end done", "EOF")
	w, err := m.live.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		w.Add(point(i + 1))
	}
	w.Flush()
	f := follow(t, h, m.live.Name)
	f.want("run running", "points 1 2 3 4 5")
	w.Rewind("", 1, 2)
	f.want("again", "points 1 2")
	for i := range 3 {
		w.Add(point(i + 3))
	}
	w.Flush()
	f.want("points 3 4 5")
	w.Add(point(6))
	w.Flush()
	f.want("note metrics.jsonl: there are more than 5 points, and these are the first: what comes after is not drawn")
}
