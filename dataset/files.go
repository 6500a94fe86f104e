package dataset

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// fileParts are the files of each part of a data set.
type fileParts map[string][]string

// partOrder is how parts are listed: TRAIN,TEST or TRAIN,VAL,TEST.
var partOrder = []string{"train", "val", "test"}

// findFiles finds the files that a path names: FILE; TRAIN,TEST; TRAIN,VAL,TEST; each
// of them a pattern such as part-*.parquet, or a folder. In a folder, and among the
// files of one pattern, names say of which part each is (train.npz,
// data/validation-00000-of-00002.parquet, test/a.npz); where none does, all are of the
// training set.
func (d *Data) findFiles(path string, endings ...string) (out fileParts, err error) {
	defer func() { d.found = out }()
	names := []string{path}
	if _, err := os.Stat(path); err != nil {
		names = strings.Split(path, ",")
	}
	if len(names) > 3 || slices.Contains(names, "") {
		return nil, fmt.Errorf("%q is not FILE, TRAIN,TEST or TRAIN,VAL,TEST", path)
	}
	out = fileParts{}
	for i, n := range names {
		files, several, err := listFiles(n, endings)
		if err != nil {
			return nil, err
		}
		part := "train"
		switch {
		case len(names) == 1 && several:
			return d.divide(n, files)
		case i > 0 && i == len(names)-1:
			part = "test"
		case i > 0:
			part = "val"
		}
		out[part] = files
	}
	return out, nil
}

// listFiles lists the files of a folder or a pattern, or the one that is named.
func listFiles(name string, endings []string) (files []string, several bool, err error) {
	if st, err := os.Stat(name); err == nil {
		if !st.IsDir() {
			return []string{name}, false, nil
		}
		err := filepath.WalkDir(name, func(file string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case file != name && isHidden(e.Name()):
				if e.IsDir() {
					return fs.SkipDir
				}
			case e.IsDir() && strings.Count(strings.TrimPrefix(file, name), string(filepath.Separator)) > maxDepth:
				return fmt.Errorf("%s: more than %d folders in each other", file, maxDepth)
			case !e.IsDir() && hasEnding(file, endings):
				if files = append(files, file); len(files) > maxShards {
					return fmt.Errorf("%s: more than %d files", name, maxShards)
				}
			}
			return nil
		})
		if err == nil && len(files) == 0 {
			err = fmt.Errorf("folder %s holds no files that end in %s", name, strings.Join(endings, ", "))
		}
		return files, true, err
	} else if !strings.ContainsAny(name, "*?[") {
		return nil, false, err
	}
	files, err = filepath.Glob(name)
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no file is named like %s", name)
	}
	sort.Strings(files)
	return files, true, err
}

// maxShards bounds the files of a folder.
const maxShards = 1 << 16

func hasEnding(file string, endings []string) bool {
	name := strings.ToLower(file)
	return slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(name, e) })
}

// divide finds the part of each file by its name, or that of its folder.
func (d *Data) divide(name string, files []string) (fileParts, error) {
	out, bare := fileParts{}, []string(nil)
	folder := map[string]string{} // of the files of a part
	for _, f := range files {
		p := filePart(strings.TrimPrefix(f, name))
		if p == "" {
			bare = append(bare, f)
			continue
		}
		dir := filepath.Dir(f)
		if filePart(strings.TrimPrefix(dir, name)) == "" {
			if had, ok := folder[p]; ok && had != dir {
				return nil, fmt.Errorf("%s: the folders %s and %s both hold files of one part: name one of them", name, had, dir)
			}
			folder[p] = dir
		}
		out[p] = append(out[p], f)
	}
	if len(out) == 0 {
		d.note("%s: no file is named by a part (train, val, test): all %d are of the training set", name, len(files))
		return fileParts{"train": files}, nil
	}
	if len(bare) > 0 {
		d.note("%s: left out, for their names say no part: %s", name, few(bare))
	}
	for _, p := range partOrder {
		if len(out[p]) > 1 {
			d.note("%s: %d files of the %s set are read one after another", name, len(out[p]), setNames[p])
		}
	}
	return out, nil
}

var setNames = map[string]string{"train": "training", "val": "validation", "test": "test"}

// filePart is the part that a file's name begins or ends with, or a folder around it.
func filePart(path string) string {
	words := strings.Split(filepath.ToSlash(path), "/")
	for i := len(words) - 1; i >= 0; i-- {
		w := strings.ToLower(words[i])
		if i == len(words)-1 {
			w, _, _ = strings.Cut(w, ".")
		}
		if p := partWords[w]; p != "" {
			return p
		}
		if i < len(words)-1 {
			continue
		}
		parts := strings.FieldsFunc(w, func(r rune) bool { return strings.ContainsRune("-_ ", r) })
		if len(parts) < 2 {
			continue
		}
		for _, k := range []string{parts[0], parts[len(parts)-1]} {
			if p := partWords[k]; p != "" {
				return p
			}
		}
	}
	return ""
}

// readParts reads the files of each part, one after another, into its set.
func (d *Data) readParts(files fileParts, read func(part, file string) (*Set, error)) error {
	for _, p := range partOrder {
		var sets []*Set
		for _, f := range files[p] {
			s, err := read(p, f)
			if err != nil {
				return err
			}
			s.Name = filepath.Base(f)
			sets = append(sets, s)
		}
		if len(sets) == 0 {
			continue
		}
		s, err := join(sets)
		if err != nil {
			return err
		}
		*d.part(p) = s
	}
	return nil
}

// part is the set of a part.
func (d *Data) part(name string) **Set {
	switch name {
	case "train":
		return &d.Train
	case "val":
		return &d.Val
	}
	return &d.Test
}

// join puts the samples of sets of the same fields one after another.
func join(sets []*Set) (*Set, error) {
	if len(sets) == 1 {
		return sets[0], nil
	}
	if err := joinable(sets); err != nil {
		return nil, err
	}
	out := New("")
	for k, first := range sets[0].Fields {
		f := *first
		f.Bytes, f.Floats, f.Ints, f.spelled = nil, nil, nil, nil
		bytes, floats, ints := 0, 0, 0
		for _, s := range sets {
			g := s.Fields[k]
			bytes, floats, ints = bytes+len(g.Bytes), floats+len(g.Floats), ints+len(g.Ints)
		}
		if first.Bytes != nil {
			f.Bytes = make([]uint8, 0, bytes)
		}
		if first.Floats != nil {
			f.Floats = make([]float32, 0, floats)
		}
		if first.Ints != nil {
			f.Ints = make([]int32, 0, ints)
		}
		number := map[string]int32{}
		if f.Chance != nil {
			c := *f.Chance
			if f.Chance = &c; c.Pictures != nil {
				c.Pictures = nil
				for _, s := range sets {
					c.Pictures = append(c.Pictures, s.Fields[k].Chance.Pictures...)
				}
			}
		}
		for _, s := range sets {
			g := s.Fields[k]
			f.Bytes, f.Floats, f.Classes = append(f.Bytes, g.Bytes...), append(f.Floats, g.Floats...), max(f.Classes, g.Classes)
			if len(g.Names) > len(f.Names) {
				f.Names = g.Names
			}
			if g.spelled == nil {
				f.Ints = append(f.Ints, g.Ints...)
			} else {
				f.spell(g, number)
			}
			g.Bytes, g.Floats, g.Ints = nil, nil, nil // room for the others
		}
		out.Fields = append(out.Fields, &f)
	}
	return out, nil
}

// spell appends classes by name.
func (f *Field) spell(g *Field, number map[string]int32) {
	to := make([]int32, len(g.spelled))
	for i, n := range g.spelled {
		k, ok := number[n]
		if !ok {
			k = int32(len(f.spelled))
			number[n] = k
			f.spelled = append(f.spelled, n)
		}
		to[i] = k
	}
	for _, l := range g.Ints {
		f.Ints = append(f.Ints, to[l])
	}
}

// joinable refuses files whose fields are not the same.
func joinable(sets []*Set) error {
	first := sets[0]
	for _, s := range sets[1:] {
		pair := &Data{Train: first, Test: s}
		if err := pair.unify(); err != nil {
			return err
		}
		if err := pair.alike(); err != nil {
			return err
		}
		for k, g := range s.Fields {
			if f := first.Fields[k]; (g.spelled == nil) != (f.spelled == nil) || (g.Floats == nil) != (f.Floats == nil) {
				return fmt.Errorf("field %q holds something else in %s than in %s", g.Name, s.Name, first.Name)
			}
		}
	}
	return nil
}
