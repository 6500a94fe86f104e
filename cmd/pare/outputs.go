package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pare/onnx"
	runs "pare/run"
)

// file is where a flag wants something written, with the extensions that it may have.
type file struct {
	flag, path string
	exts       []string
}

var (
	networks = []string{".onnx", ".pare"}
	models   = []string{".onnx", ".pare", ".gguf"}
	folders  = []string{"/"}
	pages    = []string{".html"}
	docPages = []string{".md"}
	plots    = []string{".svg"}
)

// input is a file that a command reads, by what it is called.
type input struct {
	what, path  string
	replaceable bool // --force allows to write over it
}

// places are the files that a command reads and those that it writes.
type places struct {
	in    []input
	out   []file
	force bool
}

// dataFiles are the files that a data specification names.
func dataFiles(spec string) (out []input) {
	head, _, _ := strings.Cut(spec, "?")
	_, paths, ok := strings.Cut(head, ":")
	if !ok {
		paths = head
	}
	for _, p := range append(strings.Split(paths, ","), paths, head) {
		if p != "" {
			out = append(out, input{what: "data", path: p})
		}
	}
	return out
}

// claim checks, before any work, that the files can be written and are none of those
// that are read, and takes them: another run that wants one is refused until this one
// has ended. What has no path is not asked for.
func (c *cli) claim(p places) error {
	p.out = slices.DeleteFunc(p.out, func(f file) bool { return f.path == "" })
	p.in = slices.DeleteFunc(p.in, func(f input) bool { return f.path == "" })
	for i, f := range p.out {
		if err := f.check(p.force); err != nil {
			return err
		}
		for _, o := range p.out[:i] {
			if samePlace(o.path, f.path) {
				return usage("--%s and --%s are both %s: give two files", o.flag, f.flag, f.path)
			}
		}
		for _, in := range p.in {
			switch {
			case !samePlace(in.path, f.path) || in.replaceable && p.force:
			case in.replaceable:
				return usage("--%s %s is the %s itself: give another file, or --force to replace it", f.flag, f.path, in.what)
			default:
				return usage("--%s %s is the %s itself: give another file", f.flag, f.path, in.what)
			}
		}
	}
	for _, f := range p.out {
		if err := c.take(f.path); err != nil {
			return err
		}
		runs.Tidy(f.path)
	}
	return nil
}

// orphaned is how long a job waits for a path: the process that made it before, whose
// maker has died, may still be saving what is done.
const orphaned = time.Minute

// take locks a path until the command ends.
func (c *cli) take(path string) error {
	lock, err := runs.Take(path)
	for late, busy := time.Now().Add(orphaned), (*runs.BusyError)(nil); c.rec.job != nil && errors.As(err, &busy) && time.Now().Before(late); {
		select {
		case <-c.ctx.Done():
			return c.ctx.Err()
		case <-time.After(20 * time.Millisecond):
			lock, err = runs.Take(path)
		}
	}
	if err != nil {
		return err
	}
	c.held = append(c.held, lock.Release)
	return nil
}

// check says why a file cannot be written.
func (f file) check(force bool) error {
	if f.exts[0] == folders[0] {
		return f.checkFolder(force)
	}
	if !slices.Contains(f.exts, strings.ToLower(filepath.Ext(f.path))) && !isFolder(f.path) {
		return usage("--%s %s does not end in %s", f.flag, f.path, strings.Join(f.exts, " or "))
	}
	if err := onnx.CheckWritable(f.path); err != nil {
		return err
	}
	if st, err := os.Stat(f.path); err == nil && !st.Mode().IsRegular() {
		return fmt.Errorf("--%s %s is not a file (%v): it is not written over", f.flag, f.path, st.Mode().Type())
	}
	return nil
}

func isFolder(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// samePlace says whether two paths are one file, or would be: links are followed.
func samePlace(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	if errX == nil && errY == nil {
		return os.SameFile(x, y)
	}
	return (errX == nil) == (errY == nil) && resolved(a) == resolved(b)
}

// resolved is a path without links, of a file that need not be there.
func resolved(path string) string {
	if to, err := os.Readlink(path); err == nil { // a link to nothing
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err == nil {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			dir = real
		}
	}
	return filepath.Join(dir, filepath.Base(path))
}

// folder makes a folder for what a command writes, which goes again where nothing is
// written.
func (c *cli) folder(flag, dir string) error {
	st, err := os.Stat(dir)
	if err == nil && !st.IsDir() {
		return usage("--%s %s is a file; a folder is needed", flag, dir)
	}
	if err != nil {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		c.held = append(c.held, func() { os.Remove(dir) }) //nolint:errcheck // it stays where there is something in it
	}
	return onnx.CheckWritable(filepath.Join(dir, "pare"))
}
