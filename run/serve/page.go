package serve

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"time"
)

// page is the page; what is in page/lib others have written (see fetch.sh there).
//
//go:embed page
var page embed.FS

func (s *Server) front(w http.ResponseWriter, r *http.Request) error {
	return embedded(w, r, "index.html")
}

func (s *Server) asset(w http.ResponseWriter, r *http.Request) error {
	return embedded(w, r, r.PathValue("path"))
}

// types are those of the page's files; what the system would say of them is not asked.
var types = map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

func embedded(w http.ResponseWriter, r *http.Request, name string) error {
	b, err := page.ReadFile(path.Join("page", path.Clean("/"+name)))
	if err != nil {
		return refuse(http.StatusNotFound, "there is no such page")
	}
	kind, ok := types[path.Ext(name)]
	if !ok {
		kind = "text/plain; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache") // another version may stand at this address next
	w.Header().Set("Etag", etag(b))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	return nil
}

// etag is a tag of bytes.
func etag(b []byte) string {
	h := sha256.Sum256(b)
	return `"` + hex.EncodeToString(h[:12]) + `"`
}

// download makes the browser keep what comes, whatever it is, under a name.
func download(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
}
