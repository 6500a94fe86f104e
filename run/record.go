package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"
)

// RecordFormat is the version of records.
const RecordFormat = 1

// Names of files in a run's directory.
const (
	RecordFile  = "run.json"      // the Record
	MetricsFile = "metrics.jsonl" // a Point a line
	ResultsFile = "results.json"  // what the command prints with --json
	ReportFile  = "report.html"
	TagsFile    = "tags.json"  // a list of words
	CheckFolder = "checkpoint" // what the run goes on from
)

// Status is how a run stands.
type Status string

const (
	Running Status = "running"
	Stopped Status = "stopped" // by a signal, with what is done saved
	Failed  Status = "failed"  // with an error
	Done    Status = "done"
	Died    Status = "died" // its record says that it runs, and no process has it: killed, or the machine went down
)

// Statuses are all of them.
var Statuses = []Status{Running, Done, Stopped, Failed, Died}

// Record is what a run was: run.json in its directory.
type Record struct {
	Format   int               `json:"pare_run"`           // RecordFormat
	Command  string            `json:"command"`            // such as "model prune"
	Args     []string          `json:"args"`               // what the program was called with
	Folder   string            `json:"folder"`             // in which it was called
	Job      string            `json:"job,omitempty"`      // that it makes, by its ID, where it is one of a sweep
	Methods  []string          `json:"methods,omitempty"`  // by name
	Settings map[string]string `json:"settings,omitempty"` // of the method, where there is one
	Recipe   map[string]string `json:"recipe,omitempty"`   // of a training
	Seeds    []uint64          `json:"seeds,omitempty"`
	Data     string            `json:"data,omitempty"` // as it was named
	Sets     []Set             `json:"sets,omitempty"`
	Inputs   []File            `json:"inputs,omitempty"`
	Outputs  []File            `json:"outputs,omitempty"` // a file that is not written yet has no digest

	// Checkpoint is a path where the run goes on from a checkpoint outside its directory.
	Checkpoint string `json:"checkpoint,omitempty"`

	Status   Status             `json:"status"` // never Died: see Entry
	Error    string             `json:"error,omitempty"`
	Began    time.Time          `json:"began"`
	Ended    time.Time          `json:"ended,omitzero"`
	Sittings []Sitting          `json:"sittings"`         // one; one more each time that it was gone on with
	Values   map[string]float64 `json:"values,omitempty"` // what came out, by name; NAME_before is the network's before it
	Metric   string             `json:"metric,omitempty"` // which of them decides
}

// Sitting is the time that one process has worked on a run.
type Sitting struct {
	Program Program   `json:"program"`
	Process int       `json:"process"` // its number
	Host    string    `json:"host,omitempty"`
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended,omitzero"`
	Status  Status    `json:"status"`
}

// Program is what computes.
type Program struct {
	Pare         string `json:"pare"`               // version
	Revision     string `json:"revision,omitempty"` // of the source, + where it was changed
	Go           string `json:"go"`
	System       string `json:"system"` // such as linux/amd64
	Processor    string `json:"processor"`
	Instructions string `json:"instructions"` // such as avx2
	Threads      int    `json:"threads"`
}

// Set is a set of samples.
type Set struct {
	Name    string `json:"name"`
	Samples int    `json:"samples"`
	SHA256  string `json:"sha256"` // over samples and labels as they are stored
}

// File is a file that a run reads or writes.
type File struct {
	Name   string `json:"name"` // what it is to the run: "input", "output", "teacher"
	Path   string `json:"path"` // absolute
	Bytes  int64  `json:"bytes,omitempty"`
	SHA256 string `json:"sha256,omitempty"` // see FileDigest
}

// mostRecord is the most bytes of a record.
const mostRecord = 8 << 20

// ErrNoRun is wrapped by the error of a directory that is no run's.
var ErrNoRun = errors.New("it is no directory of a run")

// ReadRecord reads the record of a run's directory.
func ReadRecord(dir string) (*Record, error) {
	b, err := readBounded(filepath.Join(dir, RecordFile), mostRecord)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", dir, ErrNoRun, err)
	}
	r, err := DecodeRecord(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, RecordFile), err)
	}
	return r, nil
}

// DecodeRecord reads a record, and checks it.
func DecodeRecord(b []byte) (*Record, error) {
	r := &Record{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoRun, err)
	}
	switch {
	case r.Format == 0 || r.Command == "":
		return nil, ErrNoRun
	case r.Format != RecordFormat:
		return nil, fmt.Errorf("it has format %d, this version of Pare reads %d", r.Format, RecordFormat)
	case r.Status == Died || !slices.Contains(Statuses, r.Status):
		return nil, fmt.Errorf("%w: its status is %.40q", ErrNoRun, r.Status)
	case len(r.Sittings) == 0:
		return nil, fmt.Errorf("%w: nothing has worked on it", ErrNoRun)
	}
	return r, nil
}

// write writes the record beside, syncs and renames it.
func (r *Record) write(dir string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, RecordFile), b.Bytes())
}

func writeFile(path string, b []byte) error {
	return renameio.WriteFile(path, b, 0o644, renameio.WithTempDir(filepath.Dir(path)))
}

// readBounded reads a plain file of at most so many bytes.
func readBounded(path string, most int64) ([]byte, error) {
	f, st, err := OpenPlain(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st.Size() > most {
		return nil, fmt.Errorf("%s has more than %d bytes", path, most)
	}
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return b, err
}

// Took is how long the run was worked on.
func (r *Record) Took() time.Duration {
	var d time.Duration
	for _, s := range r.Sittings {
		if !s.Ended.IsZero() && s.Ended.After(s.Began) {
			d += s.Ended.Sub(s.Began)
		}
	}
	return d
}

// Output is the path of the first file that it writes, "" for none.
func (r *Record) Output() string {
	if len(r.Outputs) == 0 {
		return ""
	}
	return r.Outputs[0].Path
}
