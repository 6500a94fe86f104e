package dataset

import (
	"cmp"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pare/catalog"

	"github.com/google/renameio/v2"
)

// Copying is how pictures come to another folder.
type Copying string

// The ways: their bytes are copied, or the new names stand for the files that there are.
const (
	Copies    Copying = "copies"
	HardLinks Copying = "links"
	Symlinks  Copying = "symlinks"
)

// Written is what [Data.WriteKept] has written.
type Written struct {
	Spec  string   `json:"data"`  // reads it
	Files int      `json:"files"` // that were written
	Notes []string `json:"notes,omitempty"`
}

// kinds of files that are written as they were read, and those of them whose labels can be changed.
var (
	cuts   = []string{"csv", "jsonl", "lines", "parquet", "npz", "npy", "idx", "mnist", "cifar10", "cifar100", "folder", "zip"}
	worded = []string{"csv", "jsonl", "parquet"} // by the words that stand for classes
	labels = append([]string{"npz", "npy", "idx", "mnist", "cifar10", "cifar100", "folder", "zip"}, worded...)
)

// cut is the writing of what stays of the sets of some data.
type cut struct {
	ctx context.Context
	of  []*keeping // by origin
	how Copying
	out *Written

	root string // the folder that the specification names; "": it names none
}

// keeping is what stays of the samples that are stored together.
type keeping struct {
	*Origin
	part  string
	keep  []bool        // by stored number
	class map[int]int32 // by stored number, where it is another than it was
	field string        // that the classes are read as
	was   []int32       // class of each stored sample, as it was read
	names []string      // of the classes
	first int           // stored number of the first sample of the file that is being written

	change *relabeling // of classes that stand in rows; nil: none changes
}

// WriteKept writes the samples of some of the sets of the data, which have fewer of them or other
// classes, to files of the kind that the data were read from. The bytes of a
// sample stay: rows of CSV and objects of JSON as they stood, the columns of Parquet with their types, arrays with
// their numbers, pictures as files. What was gzipped is again. Where the data are one file, to is the
// file, of the same ending; else a new folder, with the names that the files had. Memory does not
// hold the samples.
//
// It is an error where the kind of the data has no such files (see [Origin]), where files hold more
// samples than were read from them, and where labels have changed that stand in rows in another way than one word for each class, or that an array's type
// does not hold.
func (d *Data) WriteKept(ctx context.Context, kept []*Set, to string, how Copying) (*Written, error) {
	c := &cut{ctx: ctx, how: how, out: &Written{}}
	if st, err := os.Stat(firstPath(d.Spec)); err == nil && st.IsDir() {
		c.root = firstPath(d.Spec)
	}
	for _, s := range kept {
		if err := c.take(d, s); err != nil {
			return nil, err
		}
	}
	if len(c.of) == 0 {
		return nil, fmt.Errorf("there are no samples to write")
	}
	kind := c.of[0].Kind
	switch {
	case kind == "folder" || kind == "zip":
		return c.out, c.folder(d, to)
	case how != Copies:
		return nil, catalog.Errorf("{How} %s: only pictures in a folder can be linked, and the data are %s", how, kind)
	}
	files := c.files()
	if err := c.learn(files); err != nil {
		return nil, err
	}
	if len(files) == 1 {
		return c.out, c.single(d, files[0], to)
	}
	return c.out, c.several(d, files, to)
}

// take notes what stays of a set.
func (c *cut) take(d *Data, s *Set) error {
	o := s.Origin
	if o == nil || !slices.Contains(cuts, o.Kind) || (o.Kind == "folder" || o.Kind == "zip") && o.leaves == nil {
		kind := "made of nothing that is in files"
		if o != nil {
			kind = "of the kind " + o.Kind
		}
		return catalog.Errorf("{To}: the data are %s, which is not written as it was read: give an .npz file, or an index", kind)
	}
	k := c.keeping(s)
	for i := range s.Len() {
		k.keep[s.at(i)] = true
	}
	was := slices.IndexFunc(d.sets(), func(o *Set) bool { return o.Name == s.Name })
	if y := s.class(); y != nil && was >= 0 {
		before := d.sets()[was].class()
		k.names, k.field, k.was = y.Names, before.Name, before.Ints
		classes, err := k.classesOf(y, before)
		if err != nil {
			return err
		}
		for i := range s.Len() {
			at := s.at(i)
			c := y.Ints[at]
			if classes != nil && c >= 0 {
				c = classes[c]
			}
			if c != before.Ints[at] {
				k.class[at] = c
			}
		}
		k.change = k.relabeled()
	}
	if y := s.class(); y != nil && y.Names != nil && was >= 0 && (!slices.Contains(labels, o.Kind) || slices.Contains(worded, o.Kind)) && fewer(d.sets()[was], s) {
		c.out.Notes = append(c.out.Notes, fmt.Sprintf("some classes of the %s set have no sample any more: where the files are read again, the names of the others are numbered anew", s.Name))
	}
	if len(k.class) > 0 && !slices.Contains(labels, o.Kind) {
		return catalog.Errorf("{To}: %d labels have changed, and those of %s data are not changed where they stand: give an .npz file", len(k.class), o.Kind)
	}
	return nil
}

// fewer says whether classes of a set have vanished from what stays of it.
func fewer(was, is *Set) bool {
	there := map[int32]bool{}
	for i := range is.Len() {
		there[is.class().Ints[is.at(i)]] = true
	}
	for i := range was.Len() {
		if y := was.class().Ints[was.at(i)]; y >= 0 && !there[y] {
			return true
		}
	}
	return false
}

// keeping is that of a set's origin.
func (c *cut) keeping(s *Set) *keeping {
	for _, k := range c.of {
		if k.Origin == s.Origin {
			return k
		}
	}
	part := map[string]string{"validation": "val", "test": "test"}[s.Name]
	k := &keeping{Origin: s.Origin, part: cmp.Or(part, "train"), keep: make([]bool, s.stored()), class: map[int]int32{}}
	c.of = append(c.of, k)
	return k
}

// files are those that are written, each once.
func (c *cut) files() (out []string) {
	for _, k := range c.of {
		for _, f := range k.Files {
			if !slices.Contains(out, f) {
				out = append(out, f)
			}
		}
	}
	return out
}

// single writes the only file.
func (c *cut) single(d *Data, from, to string) error {
	if a, b := ending(from), ending(to); a != b {
		return catalog.Errorf("{To} %s: the data are one file that ends in %s, and what stays of it is written to another that does", to, a)
	}
	f, err := renameio.NewPendingFile(to, renameio.WithTempDir(filepath.Dir(to)), renameio.WithPermissions(0o644))
	if err != nil {
		return err
	}
	defer f.Cleanup() //nolint:errcheck // there is nothing where it was renamed
	if err := c.write(from, f); err != nil {
		return err
	}
	if err := c.whole(); err != nil {
		return err
	}
	c.out.Files, c.out.Spec = 1, d.specOf(c.of[0].Kind, to)
	return f.CloseAtomicallyReplace()
}

// several writes files into a folder.
func (c *cut) several(d *Data, files []string, to string) error {
	return c.inFolder(to, func(dir string) error {
		at := map[string]string{}
		around := common(files)
		for _, from := range files {
			rel, err := filepath.Rel(around, from)
			if err != nil {
				return err
			}
			owner := c.owner(from)
			first := owner.first
			if err := save(filepath.Join(dir, rel), func(w io.Writer) error { return c.write(from, w) }); err != nil {
				return err
			}
			if n := owner.first; n > first && n <= len(owner.keep) && !slices.Contains(owner.keep[first:n], true) {
				c.out.Notes = append(c.out.Notes, fmt.Sprintf("nothing stays of %s: it is left out", filepath.Base(from)))
				if err := os.Remove(filepath.Join(dir, rel)); err != nil {
					return err
				}
				continue
			}
			at[from] = filepath.Join(to, rel)
			c.out.Files++
		}
		c.out.Spec = d.specOf(c.of[0].Kind, c.paths(d, at, to))
		return c.whole()
	})
}

// paths are how a specification names the files that were written.
func (c *cut) paths(d *Data, at map[string]string, to string) string {
	switch kind := c.of[0].Kind; {
	case kind == "mnist", strings.HasPrefix(kind, "cifar"), kind == "npy" && c.of[0].Files[0] != firstPath(d.Spec):
		return to
	}
	var names []string
	for _, k := range c.of {
		if pairs := k.Kind == "idx" || k.Kind == "npy"; !pairs && len(k.Files) > 1 {
			return to // which is read by the names of the files
		}
		for _, f := range k.Files {
			if at[f] != "" {
				names = append(names, at[f])
			}
		}
	}
	return strings.Join(names, ",")
}

// firstPath is the first path of a specification.
func firstPath(spec string) string {
	head, _, _ := strings.Cut(spec, "?")
	_, paths, ok := strings.Cut(head, ":")
	if !ok {
		paths = head
	}
	first, _, _ := strings.Cut(paths, ",")
	return first
}

// specOf is a specification of the same kind and options.
func (d *Data) specOf(kind, paths string) string {
	if kind == "zip" {
		kind = "folder"
	}
	spec := kind + ":" + paths
	if _, query, ok := strings.Cut(d.Spec, "?"); ok {
		spec += "?" + query
	}
	return spec
}

// owner is the first whose samples are in a file.
func (c *cut) owner(file string) *keeping {
	return c.of[slices.IndexFunc(c.of, func(k *keeping) bool { return slices.Contains(k.Files, file) })]
}

// write writes what stays of a file.
func (c *cut) write(from string, to io.Writer) error {
	owner := c.owner(from)
	var err error
	switch owner.Kind {
	case "npz":
		err = c.npz(from, to)
	case "parquet":
		err = owner.parquet(c.ctx, from, to)
	default:
		err = owner.unpacked(c.ctx, from, to)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return nil
}

// unpacked writes what stays of a file that may be gzipped.
func (k *keeping) unpacked(ctx context.Context, from string, to io.Writer) error {
	s, err := openLarge(from)
	if err != nil {
		return err
	}
	if s.gzip {
		z := gzip.NewWriter(to)
		defer z.Close() //nolint:errcheck // of what has failed
		if err := k.bytes(ctx, s, z); err != nil {
			return err
		}
		return z.Close()
	}
	return k.bytes(ctx, s, to)
}

// bytes writes what stays of the bytes of a file.
func (k *keeping) bytes(ctx context.Context, s *source, to io.Writer) error {
	w := &stoppable{ctx, to}
	switch k.Kind {
	case "csv":
		return k.rows(s, w)
	case "jsonl":
		return k.objects(s, w)
	case "lines":
		return k.lines(s, w)
	case "npy":
		return k.npy(s, w)
	}
	return k.fixed(s, w)
}

// stays says whether the next sample does, and moves on.
func (k *keeping) stays(i int) bool {
	i += k.first
	return i < len(k.keep) && k.keep[i]
}

// whole refuses files that hold other samples than were read from them.
func (c *cut) whole() error {
	for _, k := range c.of {
		if k.first != len(k.keep) {
			return fmt.Errorf("the files of the %s set hold %d samples, and %d were read: some were left out when they were read (write an .npz file), or the files have changed since", setNames[k.part], k.first, len(k.keep))
		}
	}
	return nil
}

// stoppable writes until a context ends.
type stoppable struct {
	ctx context.Context
	io.Writer
}

// Write implements io.Writer.
func (s *stoppable) Write(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.Writer.Write(b)
}
