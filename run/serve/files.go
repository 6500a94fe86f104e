package serve

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"pare/run"
)

// file gives a file of a run's directory to keep.
func (s *Server) file(w http.ResponseWriter, r *http.Request) error {
	e, err := s.entry(r.PathValue("run"))
	if err != nil {
		return err
	}
	name := r.PathValue("path")
	f, st, err := open(e.Dir, name)
	if err != nil {
		return err
	}
	defer f.Close()
	download(w, e.Name+"-"+path.Base(name))
	http.ServeContent(w, r, "", st.ModTime(), f)
	return nil
}

// errNoFile is the answer to whatever is no plain file of a run.
var errNoFile = refuse(http.StatusNotFound, "the run has no such file")

// open opens a plain file in a run's directory: no link, nothing outside, and nothing that
// waits for another process.
func open(dir, name string) (*os.File, fs.FileInfo, error) {
	if !filepath.IsLocal(filepath.FromSlash(name)) || strings.HasPrefix(path.Base(name), ".") {
		return nil, nil, errNoFile
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, errNoFile
	}
	defer root.Close()
	for p := path.Clean(name); p != "."; p = path.Dir(p) { // no step of the way is a link
		st, err := root.Lstat(p)
		if err != nil || !st.IsDir() && (p != path.Clean(name) || !st.Mode().IsRegular()) {
			return nil, nil, errNoFile
		}
	}
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, errNoFile
	}
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		f.Close() //nolint:errcheck // nothing was written
		return nil, nil, errNoFile
	}
	return f, st, nil
}

// read reads a file of a run's directory of at most so many bytes.
func read(dir, name string, most int64) ([]byte, error) {
	f, st, err := open(dir, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st.Size() > most {
		return nil, refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("%s has %d bytes, more than the %d that are shown: download it", name, st.Size(), most))
	}
	return io.ReadAll(io.LimitReader(f, most))
}

// output gives a file that the run wrote elsewhere, as long as it is the one that it wrote.
func (s *Server) output(w http.ResponseWriter, r *http.Request) error {
	f, file, err := s.written(r)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	download(w, filepath.Base(file.Path))
	http.ServeContent(w, r, "", st.ModTime(), f)
	return nil
}

// written opens the recorded output that a request names by its number. What has another
// digest than was recorded is not given: a record may name any file of the machine, and
// who wrote it need not be who made the run.
func (s *Server) written(r *http.Request) (*os.File, *run.File, error) {
	e, err := s.entry(r.PathValue("run"))
	if err != nil {
		return nil, nil, err
	}
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 0 || n >= len(e.Record.Outputs) {
		return nil, nil, refuse(http.StatusNotFound, "the run has no such output")
	}
	file := &e.Record.Outputs[n]
	other := refuse(http.StatusConflict, file.Path+" is not what the run wrote: it is gone, or has changed since")
	if file.SHA256 == "" || file.Bytes <= 0 || !filepath.IsAbs(file.Path) {
		return nil, nil, refuse(http.StatusConflict, "the run has not recorded what is in this output")
	}
	f, st, err := run.OpenPlain(file.Path)
	if err != nil {
		return nil, nil, other
	}
	if err := s.unchanged(r, f, st, file); err != nil {
		f.Close() //nolint:errcheck // nothing was written
		if errors.Is(err, errChanged) {
			err = other
		}
		return nil, nil, err
	}
	return f, file, nil
}

var errChanged = errors.New("it has changed")

// unchanged says whether an open file is the recorded one.
func (s *Server) unchanged(r *http.Request, f *os.File, st fs.FileInfo, file *run.File) error {
	if st.Size() != file.Bytes {
		return errChanged
	}
	release, err := s.alone(r.Context())
	if err != nil {
		return err
	}
	defer release()
	sum, err := run.DigestOf(&cancelled{r.Context(), f}, st.Size())
	if err != nil {
		return err
	}
	if !same(sum, file.SHA256) {
		return errChanged
	}
	return nil
}
