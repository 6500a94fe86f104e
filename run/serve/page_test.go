package serve

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"
)

// What others have written is as page/lib/fetch.sh left it, with its licences.
func TestLibraries(t *testing.T) {
	sums, err := page.ReadFile("page/lib/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(string(sums)), "\n") {
		sum, name, _ := strings.Cut(line, "  ")
		known[strings.TrimPrefix(name, "./")] = sum
	}
	es, err := page.ReadDir("page/lib")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		name := e.Name()
		if name == "SHA256SUMS" || name == "fetch.sh" {
			continue
		}
		b, err := page.ReadFile("page/lib/" + name)
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.Sum256(b)
		if known[name] != hex.EncodeToString(h[:]) {
			t.Errorf("%s is not as it was fetched", name)
		}
		delete(known, name)
	}
	for name := range known {
		t.Errorf("%s is missing", name)
	}
	for _, name := range []string{"preact", "htm", "uplot"} {
		if b, err := page.ReadFile("page/lib/LICENSE." + name); err != nil || len(b) < 500 {
			t.Errorf("the licence of %s: %d bytes, %v", name, len(b), err)
		}
	}
}

var (
	refers  = regexp.MustCompile(`(?:src|href)="([^"#]+)"|from "([^"]+)"`)
	outside = regexp.MustCompile(`(https?:)?//[a-z0-9-]+\.[a-z]`)
	inline  = regexp.MustCompile(`<script>|<style|\son[a-z]+="|\sstyle="|innerHTML|dangerously|eval\(|new Function`)
)

// The page's own files name nothing of another site, only files that are there, and hold
// nothing that its policy forbids.
func TestPageFiles(t *testing.T) {
	n := 0
	err := fs.WalkDir(page, "page", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(p, "page/lib/") {
			return err
		}
		b, err := page.ReadFile(p)
		if err != nil {
			return err
		}
		text := string(b)
		if outside.MatchString(strings.ReplaceAll(text, "http://www.w3.org/2000/svg", "")) {
			t.Errorf("%s names another site: %s", p, outside.FindString(text))
		}
		if bad := inline.FindString(text); bad != "" {
			t.Errorf("%s has %q", p, bad)
		}
		for _, m := range refers.FindAllStringSubmatch(text, -1) {
			to := m[1] + m[2]
			if to == "/" {
				continue
			}
			to = strings.TrimPrefix(to, "/page/")
			if _, err := page.ReadFile(path.Join("page", to)); err != nil {
				t.Errorf("%s refers to %s: %v", p, to, err)
			}
			n++
		}
		return nil
	})
	if err != nil || n < 20 {
		t.Errorf("%d references, %v", n, err)
	}
}
