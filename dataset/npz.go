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

func openNPZ(d *Data, file string, o *options) error {
	d.Norm, d.NormName = Raw, "none"
	x, y, layout := o.str("x", ""), o.str("y", ""), o.layout()
	if o.err != nil {
		return o.err
	}
	if (x == "") != (y == "") {
		return errors.New("x= names the samples and y= the labels: both are needed")
	}
	a, err := openArchive(file)
	if err != nil {
		return err
	}
	defer a.Close()
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
	pairs, err := z.pairs(x, y)
	if err != nil {
		return err
	}
	for _, to := range []struct {
		part string
		set  **Set
	}{{"train", &d.Train}, {"val", &d.Val}, {"test", &d.Test}} {
		p, ok := pairs[to.part]
		if !ok {
			continue
		}
		if *to.set, err = z.set(p[0], p[1], layout); err != nil {
			return err
		}
	}
	var unused []string
	for _, n := range z.names {
		if !slices.Contains(z.used, n) {
			unused = append(unused, n)
		}
	}
	if len(unused) > 0 {
		d.note("arrays that are not used: %s", few(unused))
	}
	d.unitBytes()
	return nil
}

// pairs finds the arrays of each part.
func (z *npz) pairs(x, y string) (map[string][2]string, error) {
	out := map[string][2]string{}
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
		return nil, fmt.Errorf("which of the arrays are samples and labels is not clear: name two with x= and y=; they are %s", z.list())
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
		return "", fmt.Errorf("arrays %s could each be meant: name two with x= and y=; they are %s", few(found), z.list())
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
