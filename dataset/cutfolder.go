package dataset

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"pare/catalog"
)

// folder writes pictures that stay into a new folder, by the names that they had: as copies, or as
// links to the files. A class that has none left keeps its folder, so that the others keep their numbers.
func (c *cut) folder(d *Data, to string) error {
	if c.how != Copies && c.of[0].Kind == "zip" {
		return catalog.Errorf("{How} %s: the pictures lie in a zip file, and nothing can be linked to one: they can be copied", c.how)
	}
	if c.of[0].Kind == "zip" {
		z, err := openArchive(c.of[0].Files[0])
		if err != nil {
			return err
		}
		defer z.Close()
		if err := c.reopen(z); err != nil {
			return err
		}
	}
	return c.inFolder(to, func(dir string) error {
		for _, k := range c.of {
			if len(k.leaves) != len(k.keep) {
				return fmt.Errorf("%d pictures became %d samples", len(k.leaves), len(k.keep))
			}
			if err := k.classes(dir); err != nil {
				return err
			}
			taken := map[string]bool{}
			for i, f := range k.leaves { // those that stay where they are have their names
				if _, moved := k.class[i]; k.keep[i] && !moved {
					taken[strings.Join(f.path, "/")] = true
				}
			}
			for i := range k.leaves {
				if !k.keep[i] {
					continue
				}
				if err := c.ctx.Err(); err != nil {
					return err
				}
				name := k.named(i, taken)
				if !filepath.IsLocal(name) {
					return fmt.Errorf("%s would lead out of the folder", name)
				}
				if err := c.picture(&k.leaves[i], filepath.Join(dir, name)); err != nil {
					return err
				}
				c.out.Files++
			}
		}
		c.out.Spec = d.specOf(c.of[0].Kind, to)
		return nil
	})
}

// reopen finds pictures again in their zip file, which was closed when all were read.
func (c *cut) reopen(z *archive) error {
	t, err := z.tree()
	if err != nil {
		return err
	}
	at := map[string]leaf{}
	for _, f := range t.files {
		at[strings.Join(f.path, "/")] = f
	}
	for _, k := range c.of {
		found := make([]leaf, len(k.leaves))
		for i, f := range k.leaves {
			var ok bool
			if found[i], ok = at[strings.Join(f.path, "/")]; !ok || found[i].size != f.size {
				return fmt.Errorf("%s has changed since it was opened", f.show)
			}
		}
		o := *k.Origin
		o.leaves = found
		k.Origin = &o
	}
	return nil
}

// classes makes the folders of all classes.
func (k *keeping) classes(dir string) error {
	if k.level < 0 || len(k.leaves) == 0 {
		return nil
	}
	around := k.leaves[0].path[:k.level]
	for _, name := range k.folders {
		if k.names != nil && !slices.Contains(k.names, name) {
			continue // the class has been left out
		}
		at := path.Join(path.Join(around...), name)
		if !filepath.IsLocal(at) {
			return fmt.Errorf("%s would lead out of the folder", at)
		}
		if err := os.MkdirAll(filepath.Join(dir, at), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// named is the name of a picture, in the folder of the class that it has now.
func (k *keeping) named(i int, taken map[string]bool) string {
	at := slices.Clone(k.leaves[i].path)
	y, moved := k.class[i]
	if !moved {
		return strings.Join(at, "/")
	}
	was := at[k.level]
	at[k.level] = k.names[y]
	name := strings.Join(at, "/")
	end := path.Ext(name)
	for n, stem := 1, strings.TrimSuffix(name, end); taken[name]; n++ {
		name = fmt.Sprintf("%s_%s%s", stem, was, end)
		if n > 1 {
			name = fmt.Sprintf("%s_%s_%d%s", stem, was, n, end)
		}
	}
	taken[name] = true
	return name
}

// picture copies a picture, or links it.
func (c *cut) picture(f *leaf, to string) error {
	if c.how == Copies {
		return save(to, func(w io.Writer) error {
			r, err := f.open()
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = io.Copy(w, r)
			return err
		})
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	from, err := filepath.Abs(f.show)
	if err != nil {
		return err
	}
	if c.how == Symlinks {
		return os.Symlink(from, to)
	}
	if real, err := filepath.EvalSymlinks(from); err == nil {
		from = real // a link to a link would be lost with the first
	}
	if err := os.Link(from, to); errors.Is(err, syscall.EXDEV) {
		return catalog.Errorf("{How} %s: %s lies on another file system, where no hard link leads: symbolic links or copies do", c.how, f.show)
	} else if err != nil {
		return err
	}
	return nil
}
