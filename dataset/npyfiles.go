package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"pare/npy"
)

func openNPY(d *Data, paths string, o *options) error {
	d.Norm, d.NormName, d.fields = Raw, "none", o.fields()
	layout := o.layout()
	if o.err != nil {
		return o.err
	}
	if st, err := os.Stat(paths); err == nil && st.IsDir() {
		defer d.recordNorm()
		return d.npyFolder(paths, layout)
	}
	if p, err := fours(paths, "X.npy,Y.npy"); err == nil {
		d.from("train").Files, d.from("test").Files = p[0], p[1]
	}
	if streamed, err := d.streamNPY(paths, layout); streamed || err != nil {
		return err
	}
	var label errLabel
	err := d.pairs(paths, "X.npy,Y.npy", func(a, b string) (*Set, error) {
		x, err := headNPY(a)
		if err != nil {
			return nil, err
		}
		y, err := headNPY(b)
		if err != nil {
			return nil, err
		}
		return x.set(d, y, layout)
	})
	if !errors.As(err, &label) {
		d.unitBytes()
		return err
	}
	d.note("%v: each array is a field of its own, named by its file", label)
	defer d.recordNorm()
	names := map[int]string{}
	nth := 0
	return d.pairs(paths, "X.npy,Y.npy", func(a, b string) (*Set, error) {
		var of []namedArray
		for i, path := range []string{a, b} {
			h, err := headNPY(path)
			if err != nil {
				return nil, err
			}
			if nth == 0 { // the test set's are called as those of the training set
				_, names[i] = splitName(strings.TrimSuffix(filepath.Base(path), ".npy"))
			}
			of = append(of, namedArray{names[i], h})
		}
		if nth++; names[0] == names[1] {
			return nil, fmt.Errorf("both files would be field %q: their names must be different", names[0])
		}
		return d.record(of, layout)
	})
}

// headNPY reads the header of an array in a file of its own.
func headNPY(path string) (*npyFile, error) {
	s, err := openSource(path)
	if err != nil {
		return nil, err
	}
	r, err := s.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f, err := headOf(filepath.Base(path), r, s.size, s.bytes)
	var t *npy.TypeError
	if errors.As(err, &t) {
		err = fmt.Errorf("%w%s", err, advice(t))
	}
	return f, err
}

// npyFolder reads a folder of arrays, each of which is a field: in folders train, val
// and test, or told apart by their names (x_train.npy).
func (d *Data) npyFolder(dir, layout string) error {
	files, _, err := listFiles(dir, []string{".npy", ".npy.gz"})
	if err != nil {
		return err
	}
	path := map[string]string{}
	var names []string
	for _, f := range files {
		rel, err := filepath.Rel(dir, f)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimSuffix(strings.TrimSuffix(rel, ".gz"), ".npy"))
		if path[name] != "" {
			d.note("%s is used, not %s beside it", path[name], f)
			continue
		}
		path[name] = f
		names = append(names, name)
	}
	parts, bare := byParts(names)
	if len(bare) > 0 {
		d.note("arrays of no part, which are left out: %s", few(bare))
	}
	for part, names := range parts {
		for _, n := range names {
			d.from(part).Files = append(d.from(part).Files, path[n[1]])
		}
	}
	if streamed, err := d.streamNPYFields(parts, path, layout); streamed || err != nil {
		return err
	}
	for _, part := range partOrder {
		var of []namedArray
		for _, n := range parts[part] {
			if !d.fields.wants(n[0]) {
				continue
			}
			h, err := headNPY(path[n[1]])
			if why, left := leftOutArray(h, err); left {
				d.note("%s is left out: %s", path[n[1]], why)
				d.fields.left[n[0]] = true
				continue
			}
			if err != nil {
				return err
			}
			of = append(of, namedArray{n[0], h})
		}
		if len(parts[part]) == 0 {
			continue
		}
		if *d.part(part), err = d.record(of, layout); err != nil {
			return err
		}
	}
	return nil
}
