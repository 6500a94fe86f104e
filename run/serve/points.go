package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"pare/run"
)

const (
	mostPoints = 200_000 // that a browser is given of a run
	heartbeat  = 15 * time.Second
	patience   = 30 * time.Second // that a browser may take for what it is sent
)

// points follows a run as server-sent events:
//
//	run     the run's row, at first and whenever its record changes
//	again   what came until now counts no longer: the run goes on from a checkpoint
//	points  a list of points
//	note    a text: why there are not all
//	end     the run's row: nothing more comes
func (s *Server) points(w http.ResponseWriter, r *http.Request) error {
	e, err := s.entry(r.PathValue("run"))
	if err != nil {
		return err
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return refuse(http.StatusServiceUnavailable, fmt.Sprintf("%d runs are followed, as many as can be: close pages", mostStreams))
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // of proxies
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.done, cancel)()
	t := &stream{w: w, c: http.NewResponseController(w), ctx: ctx}
	if r.Method != http.MethodHead {
		s.follow(t, e)
	}
	return nil
}

// stream is where events go. It remembers that one could not be sent.
type stream struct {
	w    http.ResponseWriter
	c    *http.ResponseController
	ctx  context.Context
	last time.Time
	err  error
}

// send sends an event, or without a name a heartbeat.
func (t *stream) send(name string, v any) {
	if t.err == nil {
		t.err = t.ctx.Err()
	}
	if t.err != nil {
		return
	}
	var b bytes.Buffer
	b.WriteString(":\n\n")
	if name != "" {
		data, err := json.Marshal(v)
		if err != nil {
			t.err = err
			return
		}
		b.Reset()
		fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", name, data)
	}
	t.last = time.Now()
	t.c.SetWriteDeadline(t.last.Add(patience)) //nolint:errcheck // a recorder has none
	if _, t.err = t.w.Write(b.Bytes()); t.err == nil {
		t.err = t.c.Flush()
	}
}

// follow sends what there is, and what comes until the run ends.
func (s *Server) follow(t *stream, e *run.Entry) {
	f := run.Follow(filepath.Join(e.Dir, run.MetricsFile))
	tick := time.NewTicker(s.Poll)
	defer tick.Stop()
	stamp, whole, n := "", false, 0
	for t.err == nil {
		now := run.Stamp(e.Dir)
		status := s.Store.StatusOf(e.Name, e.Record)
		if now != stamp || status != e.Status {
			x, err := s.Store.Entry(e.Name)
			if err != nil {
				t.send("note", map[string]string{"text": err.Error()})
				t.send("end", newRow(e))
				return
			}
			e, stamp = x, now
			t.send("run", newRow(e))
		}
		ended := e.Status != run.Running // before the points are read, so that none is left out
		for !whole && t.err == nil {
			ps, again, err := f.Next()
			if again {
				n = 0
				t.send("again", struct{}{})
			}
			if room := s.most - n; len(ps) > room {
				ps, err = ps[:room], fmt.Errorf("there are more than %d points, and these are the first", s.most)
			}
			if n += len(ps); len(ps) > 0 {
				t.send("points", ps)
			}
			if err != nil {
				whole = true
				t.send("note", map[string]string{"text": fmt.Sprintf("%s: %v: what comes after is not drawn", run.MetricsFile, err)})
			}
			if !f.More() {
				break
			}
		}
		if ended {
			t.send("end", newRow(e))
			return
		}
		if time.Since(t.last) > heartbeat {
			t.send("", nil)
		}
		select {
		case <-tick.C:
		case <-t.ctx.Done():
			return
		}
	}
}
