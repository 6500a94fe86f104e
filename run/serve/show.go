package serve

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"pare/run"
	"pare/train/metric"
)

// shown is all that the page says of a run beside its points and layers.
type shown struct {
	row
	Record  *run.Record `json:"record"`
	Dir     string      `json:"dir"`
	Files   []kept      `json:"files"`
	Outputs []output    `json:"outputs"`
	Report  bool        `json:"report"`
	Layers  bool        `json:"layers"` // there are results, which may tell of layers
	Shares  []string    `json:"shares"` // names of metrics that are shares
}

// kept is a file in the run's directory.
type kept struct {
	Path  string `json:"path"` // in it, with slashes
	Bytes int64  `json:"bytes"`
}

// output is a file that the run has recorded that it writes.
type output struct {
	run.File
	State string `json:"state"` // there, gone, changed, folder, or unknown: nothing was recorded of what is in it
	Drawn bool   `json:"drawn"` // there may be a drawing of it
}

func (s *Server) show(w http.ResponseWriter, r *http.Request) error {
	e, err := s.entry(r.PathValue("run"))
	if err != nil {
		return err
	}
	x := &shown{row: *newRow(e), Record: e.Record, Dir: e.Dir, Outputs: []output{}, Shares: shares()}
	x.Files = files(e.Dir)
	for _, f := range x.Files {
		x.Report = x.Report || f.Path == run.ReportFile
		x.Layers = x.Layers || f.Path == run.ResultsFile
	}
	for _, f := range e.Record.Outputs {
		x.Outputs = append(x.Outputs, look(f))
	}
	return give(w, r, x)
}

// Bounds of what is listed of a directory.
const (
	mostFiles = 1000
	mostDepth = 4
)

// files lists the plain files of a directory. Names that begin with a dot are of files that
// are being written.
func files(dir string) []kept {
	out := []kept{}
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error { //nolint:errcheck // what cannot be read is not listed
		rel, e := filepath.Rel(dir, path)
		switch {
		case err != nil || e != nil || rel == ".":
			return nil
		case len(out) >= mostFiles:
			return fs.SkipAll
		case strings.HasPrefix(d.Name(), ".") || d.IsDir() && strings.Count(filepath.ToSlash(rel), "/")+1 >= mostDepth:
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if st, err := d.Info(); err == nil && d.Type().IsRegular() {
			out = append(out, kept{filepath.ToSlash(rel), st.Size()})
		}
		return nil
	})
	return out
}

// look says how a recorded output stands, as far as that is seen without reading it.
func look(f run.File) output {
	x := output{File: f, State: "there", Drawn: drawable(f.Path)}
	st, err := os.Lstat(f.Path)
	switch {
	case err != nil || !filepath.IsAbs(f.Path):
		x.State = "gone"
	case st.IsDir():
		x.State = "folder"
	case f.SHA256 == "" || f.Bytes == 0:
		x.State = "unknown"
	case !st.Mode().IsRegular() || st.Size() != f.Bytes:
		x.State = "changed"
	}
	x.Drawn = x.Drawn && x.State == "there"
	return x
}

// compared is in what two runs differ.
type compared struct {
	A           *row             `json:"a"`
	B           *row             `json:"b"`
	Differences []run.Difference `json:"differences"`
	Shares      []string         `json:"shares"`
}

// shares are the names of metrics that are written in per cent.
func shares() (out []string) {
	for _, m := range metric.Metrics() {
		if m.Unit == "%" {
			out = append(out, m.Name)
		}
	}
	return out
}

func (s *Server) diff(w http.ResponseWriter, r *http.Request) error {
	a, err := s.entry(r.URL.Query().Get("a"))
	if err != nil {
		return err
	}
	b, err := s.entry(r.URL.Query().Get("b"))
	if err != nil {
		return err
	}
	return give(w, r, &compared{newRow(a), newRow(b), append([]run.Difference{}, run.Diff(a.Record, b.Record)...), shares()})
}
