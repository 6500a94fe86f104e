package run

import (
	"os"
	"path/filepath"
)

// A run whose checkpoint is in its directory leaves a symbolic link to it where the
// checkpoint would lie otherwise, beside its output, until it is done: so that who makes
// the output again sees that there is a run that has not ended, wherever its store is.

// Link leaves the link of a run. A system without links has none.
func (a *Active) Link(path string) {
	os.Symlink(filepath.Join(a.Dir, CheckFolder), path) //nolint:errcheck // the run is found by its name then
}

// Unlink removes the link of a run, if it is this one's.
func (a *Active) Unlink(path string) {
	if dir, there := Linked(path); there && dir == a.Dir {
		os.Remove(path) //nolint:errcheck // it is taken for one to nothing
	}
}

// Linked gives the directory of the run whose link a path is; there: it is a link to a
// checkpoint, though the run may be gone.
func Linked(path string) (dir string, there bool) {
	to, err := os.Readlink(path)
	if err != nil || filepath.Base(to) != CheckFolder || !IsName(filepath.Base(filepath.Dir(to))) {
		return "", false
	}
	if !filepath.IsAbs(to) {
		to = filepath.Join(filepath.Dir(path), to)
	}
	return filepath.Dir(to), true
}
