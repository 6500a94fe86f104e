// Package export writes what a run has noted in the forms of other tools: CSV, the event
// files of TensorBoard, and the file store of MLflow.
package export

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"pare/run"

	"github.com/google/renameio/v2"
)

// Run is what is written of a run.
type Run struct {
	*run.Entry
	Points []*run.Point
}

// Form is a form that runs are written in.
type Form struct {
	Name string
	Doc  string

	// Write writes a run into a folder, which is there, and gives the path that it has
	// made there. What an earlier Write of the same run has left is replaced.
	Write func(dir string, r *Run) (path string, err error)
}

// Forms are all of them.
var Forms = []Form{
	{"csv", "NAME.csv, a row a point", writeCSV},
	{"tensorboard", "NAME/, event files with the scalars of each training", writeTensorBoard},
	{"mlflow", "a run in a file store of MLflow, in the experiment pare", writeMLflow},
}

// Read reads what is to be written of a run.
func Read(e *run.Entry) (*Run, error) {
	ps, err := run.ReadMetrics(filepath.Join(e.Dir, run.MetricsFile))
	return &Run{e, ps}, err
}

// part is the points of one training, under a name that may be a path; "" for the only one.
type part struct {
	name   string
	points []*run.Point
}

// parts are the trainings of a run, in the order in which they began.
func (r *Run) parts() []part {
	var out []part
	at := map[string]int{}
	several := slices.ContainsFunc(r.Points, func(p *run.Point) bool { return p.Training > 1 })
	for _, p := range r.Points {
		name := clean(p.Of)
		if several && p.Training > 0 {
			name = strings.TrimPrefix(fmt.Sprintf("%s/training-%d", name, p.Training), "/")
		}
		i, ok := at[name]
		if !ok {
			i = len(out)
			at[name] = i
			out = append(out, part{name: name})
		}
		out[i].points = append(out[i].points, p)
	}
	return out
}

// clean is a text as a name of files and of metrics everywhere: other characters than
// letters, digits and _-. become _; it never begins with a dot.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.", r) {
			return r
		}
		return '_'
	}, s)
	if strings.HasPrefix(s, ".") {
		s = "_" + s[1:]
	}
	return s[:min(len(s), 200)]
}

// columns are the names of all values, in the order in which they come.
func (r *Run) columns() (out []string) {
	seen := map[string]bool{}
	for _, p := range r.Points {
		for _, v := range p.Values {
			if !seen[v.Name] {
				seen[v.Name] = true
				out = append(out, v.Name)
			}
		}
	}
	return out
}

func writeCSV(dir string, r *Run) (string, error) {
	names := r.columns()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write(append([]string{"time", "of", "training", "step", "epoch"}, names...)) //nolint:errcheck // a buffer takes it
	for _, p := range r.Points {
		row := []string{p.Time.UTC().Format("2006-01-02T15:04:05.000Z07:00"), p.Of, strconv.Itoa(p.Training), strconv.Itoa(p.Step), strconv.Itoa(p.Epoch)}
		for _, n := range names {
			x, ok := p.Get(n)
			if !ok {
				row = append(row, "")
				continue
			}
			row = append(row, strconv.FormatFloat(x, 'g', -1, 64))
		}
		w.Write(row) //nolint:errcheck // a buffer takes it
	}
	w.Flush()
	path := filepath.Join(dir, r.Name+".csv")
	return path, write(path, b.Bytes())
}

func write(path string, b []byte) error {
	return renameio.WriteFile(path, b, 0o644, renameio.WithTempDir(filepath.Dir(path)))
}

// whole makes a folder at once: fill writes it beside, and it takes the place of what is
// there. old says whether that may go.
func whole(path string, old func(string) bool, fill func(dir string) error) error {
	if _, err := os.Lstat(path); err == nil && !old(path) {
		return fmt.Errorf("%s is there and is no earlier export of the run: give another folder", path)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(path), ".export-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // it has been renamed
	if err := fill(tmp); err != nil {
		return err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// unix is a time in milliseconds, or 0.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
