package dataset

import (
	"archive/zip"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pare/npy"
)

// npzPairs are the usual names of samples and labels, without what names a part,
// in the order in which they are looked for.
var npzPairs = [][2]string{
	{"x", "y"}, {"images", "labels"}, {"image", "label"}, {"imgs", "labels"}, {"data", "labels"}, {"data", "label"}, {"data", "target"}, {"data", "targets"}, {"data", "y"},
	{"features", "labels"}, {"features", "label"}, {"features", "targets"}, {"features", "target"}, {"inputs", "labels"}, {"inputs", "targets"}, {"inputs", "outputs"}, {"input", "target"}, {"input", "label"},
	{"samples", "labels"}, {"x", "labels"}, {"x", "label"}, {"x", "t"},
}

// npzParts are what names of arrays begin or end with for each part.
var npzParts = []struct {
	part  string
	words []string
}{{"train", []string{"", "train", "training", "tr"}}, {"val", []string{"val", "valid", "validation", "dev"}}, {"test", []string{"test", "testing", "te"}}}

// npz is a file of arrays.
type npz struct {
	*archive
	d      *Data
	arrays map[string]*zip.File
	names  []string
	plain  map[string][]string // names, by what is left without case and signs
	used   []string
}

func plainName(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("_-. /", r) {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// npzOptions say how arrays are to be read.
type npzOptions struct {
	x, y, layout string
	all          bool // each array is a field
}

func openNPZ(d *Data, file string, o *options) error {
	d.Norm, d.NormName, d.fields = Raw, "none", o.fields()
	n := npzOptions{o.str("x", ""), o.str("y", ""), o.layout(), o.oneOf("fields", "auto", "all") == "all"}
	if o.err != nil {
		return o.err
	}
	if (n.x == "") != (n.y == "") {
		return errors.New("x= names the samples and y= the labels: both are needed")
	}
	files, err := d.findFiles(file, ".npz")
	if err != nil {
		return err
	}
	if streamed, err := d.streamNPZ(files, n); streamed || err != nil {
		return err
	}
	for _, records := range []bool{false, true} {
		if records {
			if streamed, err := d.streamNPZFields(files, n); streamed || err != nil {
				d.recordNorm()
				return err
			}
		}
		if n.all && !records {
			continue
		}
		err := d.readNPZ(files, n, records)
		var label errLabel
		if !records && errors.As(err, &label) {
			d.note("%v: each array is a field of its own", label)
			continue
		}
		return err
	}
	return nil
}

// readNPZ reads files as samples and labels, or each array as a field.
func (d *Data) readNPZ(files fileParts, o npzOptions, records bool) error {
	if !records {
		defer d.unitBytes()
	} else {
		defer d.recordNorm()
	}
	if len(files) == 1 && len(files["train"]) == 1 {
		z, err := d.openNPZ(files["train"][0])
		if err != nil {
			return err
		}
		defer z.Close()
		if records {
			return z.records(o.layout)
		}
		return z.classic(o)
	}
	return d.readParts(files, func(part, file string) (*Set, error) {
		z, err := d.openNPZ(file)
		if err != nil {
			return nil, err
		}
		defer z.Close()
		var s *Set
		if records {
			s, err = z.record(z.strip(part), o.layout)
			d.arraysOf(part, file, inFile(z.strip(part))...)
		} else {
			s, err = z.one(o)
			d.arraysOf(part, file, z.used...)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", file, err)
		}
		return s, err
	})
}

// openNPZ lists the arrays of a file.
func (d *Data) openNPZ(file string) (*npz, error) {
	a, err := openArchive(file)
	if err != nil {
		return nil, err
	}
	z := &npz{archive: a, d: d, arrays: map[string]*zip.File{}, plain: map[string][]string{}}
	for _, f := range a.File {
		name, ok := strings.CutSuffix(f.Name, ".npy")
		if !ok || f.FileInfo().IsDir() || isHidden(name[strings.LastIndex(name, "/")+1:]) || z.arrays[name] != nil {
			d.note("%s in %s is left out: it is no array", f.Name, file)
			continue
		}
		z.arrays[name] = f
		z.names = append(z.names, name)
		z.plain[plainName(name)] = append(z.plain[plainName(name)], name)
	}
	return z, nil
}

// classic reads samples and labels of each part.
func (z *npz) classic(o npzOptions) error {
	pairs, err := z.pairs(o.x, o.y)
	if err != nil {
		return err
	}
	for _, part := range partOrder {
		p, ok := pairs[part]
		if !ok {
			continue
		}
		if *z.d.part(part), err = z.set(p[0], p[1], o.layout); err != nil {
			return err
		}
		z.d.arraysOf(part, z.path, p[:]...)
	}
	z.sayUnused()
	return nil
}

// one reads samples and labels of a file of one part.
func (z *npz) one(o npzOptions) (*Set, error) {
	pairs, err := z.pairs(o.x, o.y)
	if err != nil {
		return nil, err
	}
	if len(pairs) > 1 {
		return nil, fmt.Errorf("it holds arrays of several parts, though it is the file of one: they are %s", z.list())
	}
	for _, p := range pairs {
		s, err := z.set(p[0], p[1], o.layout)
		if err == nil {
			z.sayUnused()
		}
		return s, err
	}
	return nil, nil
}

func (z *npz) sayUnused() {
	var unused []string
	for _, n := range z.names {
		if !slices.Contains(z.used, n) {
			unused = append(unused, n)
		}
	}
	if len(unused) > 0 {
		z.d.note("arrays that are not used: %s (fields=all: each array is a field)", few(unused))
	}
}

// records reads each array as a field, and parts by what their names begin or end
// with.
func (z *npz) records(layout string) error {
	parts, bare := byParts(z.names)
	if len(bare) > 0 {
		z.d.note("arrays of no part, which are left out: %s", few(bare))
	}
	for _, part := range partOrder {
		if parts[part] == nil {
			continue
		}
		s, err := z.record(parts[part], layout)
		if err != nil {
			return err
		}
		*z.d.part(part) = s
		z.d.arraysOf(part, z.path, inFile(parts[part])...)
	}
	return nil
}

// inFile are the names of arrays in their file, without those of their fields.
func inFile(names [][2]string) (out []string) {
	for _, n := range names {
		out = append(out, n[1])
	}
	return out
}

// strip lists the arrays of a file of one part, with the names of their fields.
func (z *npz) strip(part string) (out [][2]string) {
	for _, n := range z.names {
		field := n
		if p, short := splitName(n); p == part && z.arrays[short] == nil {
			field = short
		}
		out = append(out, [2]string{field, n})
	}
	return out
}

// record reads arrays, each given as its field and its name. Where they unpack to
// much, all are read through before the first is kept.
func (z *npz) record(names [][2]string, layout string) (*Set, error) {
	var out []namedArray
	total, seen := int64(0), map[string]string{}
	for _, n := range names {
		if !z.d.fields.wants(n[0]) {
			continue
		}
		seen[n[0]] = n[1]
		h, err := z.head(n[1])
		if why, left := leftOutArray(h, err); left {
			z.d.note("array %q is left out: %s", n[1], why)
			z.d.fields.left[n[0]] = true
			continue
		}
		if err != nil {
			return nil, err
		}
		total += int64(h.Count * h.DType.Size())
		out = append(out, namedArray{n[0], h})
	}
	if total > mostKept(z.stamp.size) {
		for _, a := range out {
			if err := z.through(z.arrays[seen[a.field]]); err != nil {
				return nil, err
			}
		}
	}
	return z.d.record(out, layout)
}

// pairs finds the arrays of each part.
func (z *npz) pairs(x, y string) (map[string][2]string, error) {
	out := map[string][2]string{}
	for _, n := range z.names {
		if x == "" && z.d.fields.names(n) && n != "x" && n != "label" {
			return nil, errLabel{fmt.Errorf("array %q is named as a field", n)}
		}
	}
	if x != "" {
		for _, n := range []string{x, y} {
			if z.arrays[n] == nil {
				return nil, fmt.Errorf("there is no array %q%s: they are %s", n, meant(n, z.names), z.list())
			}
		}
		out["train"] = [2]string{x, y}
	}
	for _, p := range npzParts {
		for _, c := range npzPairs {
			for _, word := range p.words {
				if _, ok := out[p.part]; ok {
					break
				}
				a, err := z.find(c[0], word)
				if err != nil {
					return nil, err
				}
				b, err := z.find(c[1], word)
				if err != nil {
					return nil, err
				}
				if a != "" && b != "" {
					out[p.part] = [2]string{a, b}
				}
			}
		}
	}
	if len(out) == 0 && len(z.names) == 2 && z.arrays["arr_0"] != nil && z.arrays["arr_1"] != nil {
		out["train"] = [2]string{"arr_0", "arr_1"}
	}
	if len(out) == 0 {
		return nil, errLabel{fmt.Errorf("which arrays are samples and labels is not said by their names (x= and y= name two): %s", z.list())}
	}
	if x == "" {
		for _, p := range npzParts {
			if c, ok := out[p.part]; ok {
				z.d.note("samples of the %s set are array %s, labels %s (x= and y= name others)", map[string]string{"train": "training", "val": "validation", "test": "test"}[p.part], c[0], c[1])
			}
		}
	}
	return out, nil
}

// find is the array of a name and a part's word, one before or after the other.
func (z *npz) find(name, word string) (string, error) {
	for _, exact := range []string{name + "_" + word, name} {
		if (word == "") == (exact == name) && z.arrays[exact] != nil {
			return exact, nil
		}
	}
	var found []string
	for _, n := range []string{name + word, word + name} {
		found = append(found, z.plain[n]...)
	}
	if word == "" {
		found = z.plain[name]
	}
	if len(found) > 1 {
		return "", errLabel{fmt.Errorf("arrays %s could each be meant (x= and y= name two): they are %s", few(found), z.list())}
	}
	if len(found) == 0 {
		return "", nil
	}
	return found[0], nil
}

// list names the arrays with their shapes.
func (z *npz) list() string {
	var out []string
	for _, n := range z.names[:min(len(z.names), fewest+1)] {
		if h, err := z.head(n); err == nil {
			n = fmt.Sprintf("%s %v", n, h.Shape)
		}
		out = append(out, n)
	}
	if len(out) == 0 {
		return "none"
	}
	return few(out)
}

func (z *npz) head(name string) (*npyFile, error) {
	f := z.arrays[name]
	show := fmt.Sprintf("array %q", name)
	if f.UncompressedSize64 > maxFile {
		return nil, fmt.Errorf("%s: more than %d bytes", show, int64(maxFile))
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	h, err := headOf(show, r, int64(f.UncompressedSize64), func() ([]byte, error) { return z.read(f, true) })
	var t *npy.TypeError
	if errors.As(err, &t) {
		err = fmt.Errorf("%w%s", err, advice(t))
	}
	return h, err
}

func (z *npz) set(xs, ys, layout string) (*Set, error) {
	z.used = append(z.used, xs, ys)
	x, err := z.head(xs)
	if err != nil {
		return nil, err
	}
	y, err := z.head(ys)
	if err != nil {
		return nil, err
	}
	return x.set(z.d, y, layout)
}
