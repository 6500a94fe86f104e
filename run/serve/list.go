package serve

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"pare/measure"
	"pare/run"
	"pare/run/index"
	"pare/train/metric"
)

// row is a run in the table.
type row struct {
	Name    string             `json:"name"`
	Status  run.Status         `json:"status"`
	Command string             `json:"command"`
	Line    string             `json:"line"` // as it was called
	Methods []string           `json:"methods"`
	Tags    []string           `json:"tags"`
	Data    string             `json:"data"`
	Output  string             `json:"output"`
	Error   string             `json:"error,omitempty"`
	Began   time.Time          `json:"began"`
	Took    float64            `json:"took"` // seconds; of one that runs until now
	Bytes   int64              `json:"bytes"`
	Metric  string             `json:"metric"`
	Higher  bool               `json:"higher"` // more of the metric is better
	Percent bool               `json:"percent"`
	Values  map[string]float64 `json:"values"`
}

func newRow(e *run.Entry) *row {
	r := e.Record
	x := &row{Name: e.Name, Status: e.Status, Command: r.Command, Line: measure.Quote(append([]string{"pare"}, r.Args...)...), Methods: append([]string{}, r.Methods...), Tags: append([]string{}, e.Tags...),
		Data: r.Data, Output: r.Output(), Error: r.Error, Began: r.Began, Took: r.Took().Seconds(), Bytes: e.Bytes, Metric: r.Metric, Values: r.Values}
	if e.Status == run.Running {
		x.Took += max(0, time.Since(r.Sittings[len(r.Sittings)-1].Began).Seconds())
		x.Took = math.Floor(x.Took) // the answer stays the same for a second
	}
	if us, err := metric.Parse(r.Metric); err == nil && len(us) == 1 {
		x.Higher, x.Percent = us[0].Metric.Higher, us[0].Metric.Unit == "%"
	}
	return x
}

// table is the answer to a filter.
type table struct {
	Runs  []*row       `json:"runs"` // newest first
	All   int          `json:"all"`  // that there are
	Words *index.Words `json:"words"`
	Notes []string     `json:"notes"` // what is to be known of the list
	Dir   string       `json:"dir"`
}

// mostNotes bounds the directories that are named because they cannot be read.
const mostNotes = 20

// list gives the runs that a filter leaves.
func (s *Server) list(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	f, err := filter(q)
	if err != nil {
		return err
	}
	t := &table{Runs: []*row{}, Notes: []string{}, Dir: s.Store.Dir}
	es, err := s.selected(r, f, t)
	if err != nil {
		return err
	}
	words := strings.Fields(strings.ToLower(q.Get("text")))
	for _, e := range slices.Backward(es) {
		if x := newRow(e); x.has(words) {
			t.Runs = append(t.Runs, x)
		}
	}
	return give(w, r, t)
}

// selected asks the index.
func (s *Server) selected(r *http.Request, f index.Filter, t *table) ([]*run.Entry, error) {
	s.index.Lock()
	defer s.index.Unlock()
	x, err := index.Open(r.Context(), s.Store)
	if err != nil {
		return nil, err
	}
	defer x.Close()
	es, err := x.Select(r.Context(), f)
	if err != nil {
		return nil, err
	}
	if t.Words, err = x.Words(r.Context()); err != nil {
		return nil, err
	}
	for _, n := range t.Words.Commands {
		t.All += n
	}
	t.Notes = append(t.Notes, x.Notes...)
	for i, bad := range x.Bad {
		if i == mostNotes {
			t.Notes = append(t.Notes, fmt.Sprintf("and %d more directories cannot be read", len(x.Bad)-i))
			break
		}
		t.Notes = append(t.Notes, fmt.Sprintf("not listed: %v", bad))
	}
	return es, nil
}

// filter reads the filter of a request: what pare runs list has as flags.
func filter(q url.Values) (f index.Filter, err error) {
	f = index.Filter{Command: q.Get("command"), Methods: given(q["method"]), Tags: given(q["tag"])}
	for _, w := range given(q["status"]) {
		if !slices.Contains(run.Statuses, run.Status(w)) {
			return f, refuse(http.StatusBadRequest, "status: running, done, stopped, failed or died is needed")
		}
		f.Status = append(f.Status, run.Status(w))
	}
	if t := q.Get("since"); t != "" {
		if f.Since, err = index.Since(t, time.Now()); err != nil {
			return f, refuse(http.StatusBadRequest, "since: "+err.Error())
		}
	}
	if n := q.Get("newest"); n != "" {
		if f.Newest, err = strconv.Atoi(n); err != nil || f.Newest < 0 {
			return f, refuse(http.StatusBadRequest, "newest: a number of runs is needed")
		}
	}
	return f, nil
}

// given are the words that are not empty.
func given(words []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "" })
}

// has says whether all words are in what is known of the run.
func (x *row) has(words []string) bool {
	if len(words) == 0 {
		return true
	}
	text := strings.ToLower(strings.Join([]string{x.Name, string(x.Status), x.Command, x.Line, strings.Join(x.Methods, " "), strings.Join(x.Tags, " "), x.Data, x.Output, x.Error, x.Metric}, "\n"))
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}
