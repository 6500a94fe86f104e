package gguf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"

	"pare/internal/mapped"
)

// The keys by which a part of a model that is split says which it is.
const (
	splitNumber  = "split.no" // from 0
	splitCount   = "split.count"
	splitTensors = "split.tensors.count" // of all parts
)

// part is the name that llama.cpp gives to a part, its number from 1.
var part = regexp.MustCompile(`^(.*)-(\d{5})-of-(\d{5})\.gguf$`)

// Open opens a file and reads what it says of itself. Where it is a part of a model that is
// split (…-00001-of-00003.gguf) it opens all of the parts, which must lie beside it, as one
// model.
func Open(path string) (*File, error) {
	h, m, err := openPart(path)
	if err != nil {
		return nil, err
	}
	f := &File{Version: h.version, Meta: h.meta, at: map[string]int{}}
	count, err := h.meta.Int(splitCount)
	if errors.Is(err, ErrNoKey) {
		count, err = 1, nil
	}
	if err == nil && count > 1 {
		m.Close()
		err = f.openParts(path, count)
	} else if err == nil {
		f.parts = append(f.parts, m)
		err = f.add(h.tensors)
	} else {
		m.Close()
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// openPart opens one file.
func openPart(path string) (header, *mapped.File, error) {
	m, err := mapped.Open(path)
	if err != nil {
		return header{}, nil, err
	}
	h, err := readHeader(io.NewSectionReader(m, 0, int64(m.Size())), m.Size())
	if err != nil {
		m.Close()
		return header{}, nil, fmt.Errorf("%s: %w", path, err)
	}
	return h, m, nil
}

// openParts opens the count parts of the model that the file at path is one of.
func (f *File) openParts(path string, count int) error {
	name := part.FindStringSubmatch(filepath.Base(path))
	if name == nil || name[3] != fmt.Sprintf("%05d", count) {
		return fmt.Errorf("it is one of the %d parts of a model, and not named …-00001-of-%05d.gguf: give the parts the names that they had, so that the others are found", count, count)
	}
	for i := range count {
		at := filepath.Join(filepath.Dir(path), fmt.Sprintf("%s-%05d-of-%05d.gguf", name[1], i+1, count))
		h, m, err := openPart(at)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("part %d of %d is missing: fetch %s", i+1, count, at)
		}
		if err != nil {
			return err
		}
		f.parts = append(f.parts, m)
		number, err := h.meta.Int(splitNumber)
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		of, err := h.meta.Int(splitCount)
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		if number != i || of != count {
			return fmt.Errorf("%s says split.no %d and split.count %d: fetch it anew", at, number, of)
		}
		if i == 0 {
			f.Version, f.Meta = h.version, h.meta
		}
		for j := range h.tensors {
			h.tensors[j].Part = i
		}
		if err := f.add(h.tensors); err != nil {
			return err
		}
	}
	if n, err := f.Meta.Int(splitTensors); err == nil && n != len(f.Tensors) {
		return fmt.Errorf("the parts hold %d tensors, the first says %d: they are of different models", len(f.Tensors), n)
	}
	return nil
}
