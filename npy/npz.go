package npy

import (
	"archive/zip"
	"bytes"
	"fmt"
	"path"
	"regexp"
	"strings"

	"pare/tensor"
)

// Array is an array with a name.
type Array struct {
	Name string
	*tensor.Tensor
}

// EncodeAll writes arrays to the bytes of an .npz file, under the names that
// [Names] gives them.
func EncodeAll(as []Array) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	names := Names(as)
	for i, a := range as {
		b, err := Encode(a.Tensor)
		if err != nil {
			return nil, fmt.Errorf("array %q: %w", a.Name, err)
		}
		w, err := z.Create(names[i] + ".npy")
		if err == nil {
			_, err = w.Write(b)
		}
		if err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return out.Bytes(), err
}

// drive is how a path on a drive of Windows begins.
var drive = regexp.MustCompile(`^[A-Za-z]:[/\\]`)

// safe tells whether a name, slashes and colons with it, stays in the folder
// that an archive is unpacked in.
func safe(name string) bool {
	return name != "" && name == path.Clean(name) && name != "." && name != ".." && name[0] != '/' && !strings.HasPrefix(name, "../") &&
		!strings.ContainsRune(name, '\\') && !drive.MatchString(name) && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' })
}

// Names are the names that [EncodeAll] writes arrays under: their own, but for
// names that could lead out of a folder, are empty, or come twice. Those get
// names that no other array has.
func Names(as []Array) []string {
	out := make([]string, len(as))
	taken := map[string]bool{}
	for i, a := range as {
		if safe(a.Name) && !taken[a.Name] {
			out[i], taken[a.Name] = a.Name, true
		}
	}
	for i, a := range as {
		if out[i] != "" {
			continue
		}
		stem := a.Name
		if !safe(stem) {
			stem = strings.Map(func(r rune) rune {
				if r < ' ' || strings.ContainsRune(`/\:`, r) {
					return '_'
				}
				return r
			}, strings.TrimLeft(a.Name, "."))
		}
		name := stem
		for k := 2; name == "" || taken[name]; k++ {
			name = fmt.Sprintf("%s_%d", stem, k)
		}
		out[i], taken[name] = name, true
	}
	return out
}
