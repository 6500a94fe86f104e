package serve

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"pare/graph"
	"pare/measure"
	"pare/model"
	"pare/onnx"
	"pare/report"
	"pare/run"
)

// framed is what a page of package report may do in its frame: nothing but run the script
// that all such pages have.
var framed = sync.OnceValue(func() string {
	var b bytes.Buffer
	allowed := "'none'"
	if (&report.Report{}).HTML(&b) == nil {
		_, rest, _ := bytes.Cut(b.Bytes(), []byte("<script>"))
		if script, _, ok := bytes.Cut(rest, []byte("</script>")); ok {
			sum := sha256.Sum256(script)
			allowed = "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		}
	}
	return "default-src 'none'; script-src " + allowed + "; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts"
})

// frame says that what comes is such a page.
func frame(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", framed())
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Content-Type", "text/html; charset=utf-8")
}

// mostReport is the most bytes of a report that is shown: its pictures are in it.
const mostReport = 256 << 20

// report gives the page that the run has left, for a frame.
func (s *Server) report(w http.ResponseWriter, r *http.Request) error {
	e, err := s.entry(r.PathValue("run"))
	if err != nil {
		return err
	}
	f, st, err := open(e.Dir, run.ReportFile)
	if err != nil {
		return err
	}
	defer f.Close()
	if st.Size() > mostReport {
		return refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("the report has %d bytes, more than the %d that are shown: download it", st.Size(), mostReport))
	}
	frame(w)
	http.ServeContent(w, r, "", st.ModTime(), f)
	return nil
}

// Bounds of networks that are drawn here: pare model inspect draws any.
const (
	mostNetwork  = 1 << 30 // bytes of the file
	mostNodes    = 4000
	mostDrawings = 8 // that are kept
)

// drawable says whether a file may be a network that is drawn.
func drawable(path string) bool {
	ext := strings.ToLower(filepath.Ext(path))
	return ext == ".onnx" || ext == ".pare"
}

// drawings are those that were made last, by the digest of the network's file.
type drawings struct {
	mu   sync.Mutex
	last []drawn
}

type drawn struct {
	of   string
	page []byte
}

func (d *drawings) get(of string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range d.last {
		if x.of == of {
			return x.page
		}
	}
	return nil
}

func (d *drawings) put(of string, page []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = append(slices.DeleteFunc(d.last, func(x drawn) bool { return x.of == of }), drawn{of, page})
	if len(d.last) > mostDrawings {
		d.last = slices.Delete(d.last, 0, 1)
	}
}

// drawing draws a network that the run wrote, as pare model inspect --html does.
func (s *Server) drawing(w http.ResponseWriter, r *http.Request) error {
	f, file, err := s.written(r)
	if err != nil {
		return err
	}
	defer f.Close()
	key := file.SHA256 + " " + file.Path
	p := s.drawings.get(key)
	if p == nil {
		switch {
		case !drawable(file.Path):
			return refuse(http.StatusUnprocessableEntity, "only networks in .onnx and .pare files are drawn")
		case file.Bytes > mostNetwork:
			return refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("a file of more than %d bytes is not drawn here: pare model inspect FILE --html PAGE does it", mostNetwork))
		}
		if p, err = s.drawAlone(r, f, file); err != nil {
			return err
		}
		s.drawings.put(key, p)
	}
	frame(w)
	w.Header().Set("Etag", etag(p))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(p))
	return nil
}

// drawAlone draws a network that is open, when few enough others do: the answer, which a browser
// may be slow to take, is not waited for.
func (s *Server) drawAlone(r *http.Request, f io.ReaderAt, file *run.File) ([]byte, error) {
	release, err := s.alone(r.Context())
	if err != nil {
		return nil, err
	}
	defer release()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, file.Bytes))
	if err != nil {
		return nil, err
	}
	return draw(r, b, file.Path)
}

// draw makes the page of a network.
func draw(r *http.Request, b []byte, path string) ([]byte, error) {
	g, err := decode(b, path)
	if err != nil {
		return nil, refuse(http.StatusUnprocessableEntity, fmt.Sprintf("%s: %v", path, err))
	}
	if len(g.Nodes) > mostNodes {
		return nil, refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("a network of %d nodes is not drawn here: pare model inspect FILE --html PAGE does it", len(g.Nodes)))
	}
	notes, err := model.Prepare(g)
	if err != nil {
		return nil, refuse(http.StatusUnprocessableEntity, fmt.Sprintf("%s: %v", path, err))
	}
	assumed, err := measure.Settle(g)
	if err != nil {
		return nil, refuse(http.StatusUnprocessableEntity, fmt.Sprintf("%s: %v", path, err))
	}
	x, err := measure.InspectContext(r.Context(), g)
	if err != nil {
		return nil, err
	}
	x.OnDisk = int64(len(b))
	p := x.Page(path)
	for _, n := range notes {
		p.Verdict = append(p.Verdict, n+".")
	}
	for _, n := range assumed {
		p.Verdict = append(p.Verdict, n.With(func(f string) string { return "--" + strings.ToLower(f) })+".")
	}
	var out bytes.Buffer
	err = p.HTML(&out)
	return out.Bytes(), err
}

func decode(b []byte, path string) (*graph.Graph, error) {
	if strings.EqualFold(filepath.Ext(path), ".pare") {
		return onnx.DecodeSparse(b)
	}
	return onnx.Decode(b, filepath.Dir(path))
}
