package dataset

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"sort"
	"strings"
)

// archive is a zip file.
type archive struct {
	*zip.ReadCloser
	path string
	size int64
}

func openArchive(file string) (*archive, error) {
	st, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	z, err := zip.OpenReader(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	packed := uint64(0)
	for _, f := range z.File {
		if packed += f.CompressedSize64; packed > uint64(st.Size()) {
			z.Close()
			return nil, fmt.Errorf("%s: its files overlap, or are cut short", file)
		}
	}
	return &archive{z, file, st.Size()}, nil
}

// read gives one file of the archive, checksum and length checked. Where more
// may unpack than mostKept, it is read through before it is kept.
func (a *archive) read(f *zip.File, large bool) ([]byte, error) {
	if most := mostKept(int64(f.CompressedSize64)); f.UncompressedSize64 > uint64(most) {
		if !large {
			return nil, fmt.Errorf("%s in %s: %d bytes packed into %d are refused", f.Name, a.path, f.UncompressedSize64, f.CompressedSize64)
		}
		r, err := f.Open()
		if err == nil {
			_, err = io.Copy(io.Discard, r)
			r.Close()
		}
		if err != nil {
			return nil, fmt.Errorf("%s in %s: %w", f.Name, a.path, err)
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

// zipPart is the images of one part of a zip.
type zipPart struct {
	pictures
	files  []*zip.File
	labels []int32
	names  []string
	number map[string]int32 // of a class
}

// openZip reads an image folder inside a zip: nothing is unpacked to disk.
func openZip(d *Data, file string, o *options) error {
	d.Norm, d.NormName = ImageNet, "imagenet"
	z, err := openArchive(file)
	if err != nil {
		return err
	}
	defer z.Close()
	files := append([]*zip.File{}, z.File...)
	sort.SliceStable(files, func(i, j int) bool { return files[i].Name < files[j].Name })
	parts := map[string]*zipPart{"train": {}, "val": {}, "test": {}}
	for _, f := range files {
		if f.FileInfo().IsDir() || !isImage(f.Name) {
			continue
		}
		dirs := strings.Split(path.Clean(strings.ReplaceAll(f.Name, "\\", "/")), "/")
		if len(dirs) < 2 || dirs[0] == ".." {
			continue
		}
		p, class := parts["train"], dirs[len(dirs)-2]
		if len(dirs) > 2 && parts[dirs[len(dirs)-3]] != nil {
			p = parts[dirs[len(dirs)-3]]
		}
		p.add(f, class)
	}
	for name, to := range map[string]**Set{"train": &d.Train, "val": &d.Val, "test": &d.Test} {
		if p := parts[name]; len(p.files) > 0 {
			if *to, err = p.load(z); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *zipPart) add(f *zip.File, class string) {
	if p.number == nil {
		p.number = map[string]int32{}
	}
	k, ok := p.number[class]
	if !ok {
		k = int32(len(p.names))
		p.number[class] = k
		p.names = append(p.names, class)
	}
	p.files, p.labels = append(p.files, f), append(p.labels, k)
}

func (p *zipPart) load(z *archive) (*Set, error) {
	p.count, p.file = len(p.files), z.size
	s, err := p.read(func(add func([]byte, int32) error) error {
		for i, f := range p.files {
			b, err := z.read(f, false)
			if err != nil {
				return err
			}
			if err := add(b, p.labels[i]); err != nil {
				return fmt.Errorf("%s in %s: %w", f.Name, z.path, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.renumber(p.names)
	return s, nil
}
