package dataset

import (
	"archive/zip"
	"fmt"
	"io"
	"path"
	"sort"
	"strings"
)

// readEntry unpacks one file of a zip, no more than its stated size and limit.
func readEntry(f *zip.File, limit int64) ([]byte, error) {
	if f.UncompressedSize64 > uint64(limit) || f.UncompressedSize64 > 2000*f.CompressedSize64+1<<20 {
		return nil, fmt.Errorf("%s: %d bytes packed into %d are refused", f.Name, f.UncompressedSize64, f.CompressedSize64)
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, int64(f.UncompressedSize64)))
}

// openZip reads an image folder inside a zip: nothing is unpacked to disk.
func openZip(d *Data, file string, o *options) error {
	d.Norm, d.NormName = ImageNet, "imagenet"
	z, err := zip.OpenReader(file)
	if err != nil {
		return err
	}
	defer z.Close()
	sets := map[string]**Set{"train": &d.Train, "val": &d.Val, "test": &d.Test}
	classes := map[string][]string{}
	files := append([]*zip.File{}, z.File...)
	sort.Slice(files, func(i, j int) bool { return files[i].Name < files[j].Name })
	total := int64(0)
	for _, f := range files {
		if f.FileInfo().IsDir() || !isImage(f.Name) {
			continue
		}
		parts := strings.Split(path.Clean(strings.ReplaceAll(f.Name, "\\", "/")), "/")
		if len(parts) < 2 || parts[0] == ".." {
			continue
		}
		part, class := "train", parts[len(parts)-2]
		if len(parts) > 2 && sets[parts[len(parts)-3]] != nil {
			part = parts[len(parts)-3]
		}
		if *sets[part] == nil {
			*sets[part] = &Set{}
		}
		s := *sets[part]
		if total += int64(f.UncompressedSize64); total > maxFile {
			return fmt.Errorf("%s unpacks to more than %d bytes", file, int64(maxFile))
		}
		b, err := readEntry(f, 1<<28)
		if err == nil {
			err = s.addImage(b)
		}
		if err != nil {
			return fmt.Errorf("%s in %s: %w", f.Name, file, err)
		}
		k := -1
		for i, c := range classes[part] {
			if c == class {
				k = i
			}
		}
		if k < 0 {
			k = len(classes[part])
			classes[part] = append(classes[part], class)
		}
		s.Labels = append(s.Labels, int32(k))
	}
	for name, s := range sets {
		if *s != nil {
			(*s).renumber(classes[name])
		}
	}
	return nil
}
