package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// readFolder reads images in a folder for each class; all are of the size of
// the first.
func readFolder(dir string) (*Set, error) {
	ents, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	type file struct {
		path  string
		label int32
	}
	var files []file
	var names []string
	p := &pictures{}
	for _, e := range ents {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		in, err := os.ReadDir(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		for _, f := range in {
			if !isImage(f.Name()) {
				continue
			}
			files = append(files, file{filepath.Join(dir, e.Name(), f.Name()), int32(len(names))})
			if st, err := f.Info(); err == nil {
				p.file += st.Size()
			}
		}
		names = append(names, e.Name())
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no folders with PNG or JPEG images", dir)
	}
	p.count = len(files)
	s, err := p.read(func(add func([]byte, int32) error) error {
		for _, f := range files {
			b, err := readAll(f.path)
			if err == nil {
				err = add(b, f.label)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", f.path, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.renumber(names)
	return s, nil
}
