package dataset

import (
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// maxDepth and maxLeaves bound folders: links may lead in a circle.
const (
	maxDepth  = 12
	maxLeaves = 1 << 23
)

func openFolder(d *Data, dir string, o *options) error {
	d.Norm, d.NormName = ImageNet, "imagenet"
	po, labels := o.pictures(), o.str("labels", "folders")
	if o.err != nil {
		return o.err
	}
	t := newTree(dir)
	if err := t.walk(dir, nil, nil); err != nil {
		return err
	}
	if labels == "folders" || labels == "none" {
		k := slices.IndexFunc(t.tables, func(f string) bool { return strings.EqualFold(filepath.Base(f), "labels.csv") })
		if k < 0 || labels == "none" || !t.bare() {
			return t.load(d, po, labels == "folders")
		}
		labels = t.tables[k]
	} else if !exists(labels) {
		labels = filepath.Join(dir, labels)
	}
	r := o.records(d)
	if o.err != nil {
		return o.err
	}
	d.note("what belongs to each image is said by %s", labels)
	return d.imageTable(labels, dir, csvOptions{}, &csvFields{label: "none", each: true}, r, po)
}

// walk looks at a folder and those in it, links followed; within are the real
// folders around it.
func (t *tree) walk(dir string, at []string, within []os.FileInfo) error {
	here, err := os.Stat(dir)
	if err != nil {
		return err
	}
	for _, w := range within {
		if os.SameFile(w, here) {
			return fmt.Errorf("%s: a link leads back to a folder around it", dir)
		}
	}
	ents, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	folder := strings.Join(at, "/")
	if len(at) > 0 {
		t.dirs[folder] = 0
	}
	for _, e := range ents {
		file := filepath.Join(dir, e.Name())
		if isHidden(e.Name()) {
			t.skip(hidden, file)
			continue
		}
		st, err := os.Stat(file)
		path := append(append([]string{}, at...), e.Name())
		switch {
		case err != nil:
			t.skip(nowhere, file)
		case st.IsDir() && len(path) > maxDepth:
			return fmt.Errorf("%s: more than %d folders in each other", file, maxDepth)
		case st.IsDir():
			if err := t.walk(file, path, append(within[:len(within):len(within)], here)); err != nil {
				return err
			}
		case !st.Mode().IsRegular():
			t.skip(irregular, file)
		case isImage(e.Name()) || noEnding(e.Name()) && fileStarts(file):
			if len(t.files) == maxLeaves {
				return fmt.Errorf("%s: more than %d images", t.name, maxLeaves)
			}
			t.files = append(t.files, leaf{path, file, st.Size(), func() (io.ReadCloser, error) { return os.Open(file) }, func() ([]byte, error) { return readAll(file) }})
		default:
			t.other(file, folder)
		}
	}
	return nil
}

func noEnding(name string) bool { return path.Ext(name) == "" }

// fileStarts tells whether a file without an ending is an image.
func fileStarts(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	var b [12]byte
	_, err = io.ReadFull(f, b[:])
	return err == nil && imageKind(b[:]) != ""
}
