package report

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
)

// SaveHTML writes the page to a file, which is never left half-written.
func (r *Report) SaveHTML(path string) error { return save(path, r.HTML) }

// SaveMarkdown writes the report as a page of documentation with its plots beside
// it: page.md has page.svg, page-2.svg and so on. head stands below the title.
// Plots that cannot be drawn alone (see Plot.Standalone) are left out.
func (r *Report) SaveMarkdown(path, head string) error {
	images := map[*Plot]string{}
	base := strings.TrimSuffix(path, filepath.Ext(path))
	for _, s := range r.Sections {
		for _, p := range s.Plots {
			image := base + ".svg"
			if n := len(images); n > 0 {
				image = fmt.Sprintf("%s-%d.svg", base, n+1)
			}
			if _, err := p.Standalone(); err != nil {
				continue
			}
			if err := p.SaveSVG(image); err != nil {
				return err
			}
			images[p] = filepath.Base(image)
		}
	}
	return save(path, func(w io.Writer) error {
		return r.Markdown(w, head, func(p *Plot) string { return images[p] })
	})
}

// SaveSVG writes the plot alone to a file.
func (p *Plot) SaveSVG(path string) error {
	s, err := p.Standalone()
	if err != nil {
		return err
	}
	return save(path, func(w io.Writer) error { _, err := io.WriteString(w, s); return err })
}

// save writes a file beside its place and renames it.
func save(path string, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	return renameio.WriteFile(path, b.Bytes(), 0o644, renameio.WithTempDir(filepath.Dir(path)))
}
