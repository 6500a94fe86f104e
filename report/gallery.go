package report

import (
	"encoding/base64"
	"html/template"
)

// Picture is a sample: a small image, or a text in its place.
type Picture struct {
	PNG     []byte
	Text    string
	Caption string
}

// URL is the image within the page.
func (p Picture) URL() template.URL {
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(p.PNG)) // letters that need no escape
}
