package dataset

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"sort"
	"strings"
)

// archive is a zip file.
type archive struct {
	*zip.ReadCloser
	path  string
	stamp *stamp
}

func openArchive(file string) (*archive, error) {
	st, err := stampOf(file)
	if err != nil {
		return nil, err
	}
	z, err := zip.OpenReader(file)
	if errors.Is(err, zip.ErrFormat) {
		return nil, fmt.Errorf("%s: it is no zip file, or cut short: what is in one is listed at its end", file)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	packed := uint64(0)
	for _, f := range z.File {
		if packed += f.CompressedSize64; packed > uint64(st.size) {
			z.Close()
			return nil, fmt.Errorf("%s: its files overlap, or are cut short", file)
		}
	}
	return &archive{z, file, st}, nil
}

// read gives one file of the archive, checksum and length checked. Where more
// may unpack than mostKept, it is read through before it is kept.
func (a *archive) read(f *zip.File, large bool) ([]byte, error) {
	if most := mostKept(int64(f.CompressedSize64)); f.UncompressedSize64 > uint64(most) {
		if !large {
			return nil, fmt.Errorf("%s in %s: %d bytes packed into %d are refused", f.Name, a.path, f.UncompressedSize64, f.CompressedSize64)
		}
		if err := a.through(f); err != nil {
			return nil, err
		}
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%s in %s: %w", f.Name, a.path, err)
	}
	defer r.Close()
	b := make([]byte, f.UncompressedSize64)
	if _, err = io.ReadFull(r, b); err == nil {
		_, err = io.ReadFull(r, make([]byte, 1)) // the end, where the checksum is compared
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err == nil {
			err = errors.New("it is longer than it says")
		}
	}
	return nil, fmt.Errorf("%s in %s: %w", f.Name, a.path, err)
}

// through reads one file of the archive without keeping it.
func (a *archive) through(f *zip.File) error {
	r, err := f.Open()
	if err == nil {
		_, err = io.Copy(io.Discard, r)
		r.Close()
	}
	if err != nil {
		return fmt.Errorf("%s in %s: %w", f.Name, a.path, err)
	}
	return nil
}

// openZip reads an image folder inside a zip: nothing is unpacked to disk.
func openZip(d *Data, file string, o *options) error {
	d.Norm, d.NormName = ImageNet, "imagenet"
	po, labels := o.pictures(), o.oneOf("labels", "folders", "none") == "folders"
	if o.err != nil {
		return o.err
	}
	z, err := openArchive(file)
	if err != nil {
		return err
	}
	d.found = fileParts{"train": {file}, "val": {file}, "test": {file}}
	t, err := z.tree()
	if err == nil {
		err = t.load(d, po, labels)
	}
	if err != nil || d.cache == nil { // a stream reads on
		z.Close()
	}
	return err
}

// tree lists the images of an archive.
func (z *archive) tree() (*tree, error) {
	t := newTree(z.path)
	files := append([]*zip.File{}, z.File...)
	sort.SliceStable(files, func(i, j int) bool { return files[i].Name < files[j].Name })
	for _, f := range files {
		name := strings.TrimLeft(path.Clean(strings.ReplaceAll(f.Name, "\\", "/")), "/")
		at := strings.Split(name, "/")
		show := fmt.Sprintf("%s in %s", f.Name, z.path)
		dir := path.Dir(name)
		if at[0] == ".." || name == "." || name == "" {
			t.skip(outside, show)
			continue
		}
		if slices.ContainsFunc(at, isHidden) {
			if !f.FileInfo().IsDir() {
				t.skip(hidden, show)
			}
			continue
		}
		if f.FileInfo().IsDir() {
			dir = name
		}
		if _, ok := t.dirs[dir]; !ok && dir != "." {
			t.dirs[dir] = 0
		}
		switch {
		case f.FileInfo().IsDir():
		case !f.Mode().IsRegular():
			t.skip(irregular, show)
		case len(at) > maxDepth+1:
			return nil, fmt.Errorf("%s: more than %d folders in each other", show, maxDepth)
		case isImage(name) || noEnding(name) && memberStarts(f):
			if f.Flags&1 != 0 {
				return nil, fmt.Errorf("%s is encrypted", show)
			}
			t.files = append(t.files, leaf{at, show, int64(f.CompressedSize64), f.Open, func() ([]byte, error) { return z.read(f, false) }})
		default:
			t.other(name, dir)
		}
	}
	return t, nil
}

// memberStarts tells whether a file without an ending is an image.
func memberStarts(f *zip.File) bool {
	r, err := f.Open()
	if err != nil {
		return false
	}
	defer r.Close()
	var b [12]byte
	_, err = io.ReadFull(r, b[:])
	return err == nil && imageKind(b[:]) != ""
}
