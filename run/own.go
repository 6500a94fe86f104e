package run

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"pare/catalog"
)

// Owned is a run's checkpoint, which no other run touches meanwhile.
type Owned struct {
	Found bool // the run goes on from what another left

	save string
	lock *Lock
}

// Own takes a checkpoint for a run: "" is none. What a run that was killed left of
// temporary files is removed. A checkpoint that is there is gone on with (resume), or
// removed (force, not resume); with neither, it is an error.
func Own(save string, resume, force bool) (*Owned, error) {
	o := &Owned{save: save}
	if save == "" {
		return o, nil
	}
	var err error
	if o.lock, err = Take(save); err != nil {
		return nil, err
	}
	Tidy(save)
	if o.Found, err = Saved(save); err != nil {
		o.Release()
		return nil, err
	}
	switch {
	case !o.Found && !resume:
		os.Remove(memo(save)) //nolint:errcheck // of a run that came to no checkpoint, if at all
		return o, nil
	case !o.Found || resume:
		return o, nil
	case force:
		o.Found = false
		Clean(save)
		return o, nil
	}
	o.Release()
	return nil, catalog.Errorf("%s is the checkpoint of a run that has not ended: give {Resume} to go on with it, or {Force} to begin anew without it", save)
}

// Saved says whether a run has a checkpoint.
func Saved(save string) (bool, error) {
	if save == "" {
		return false, nil
	}
	for _, path := range []string{save, Part(save, 0)} {
		if _, err := os.Lstat(path); err == nil {
			return true, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return false, nil
}

// Done removes the checkpoint of a run that has ended, and gives it back.
func (o *Owned) Done() {
	Clean(o.save)
	o.Release()
}

// Release gives the checkpoint back as it is. It may be called again.
func (o *Owned) Release() { o.lock.Release() }

// temporary is what the names of half-written files end in.
const temporary = `[0-9]{9,20}$`

// half are names of half-written files.
var half = regexp.MustCompile(`^\..+` + temporary)

// IsHalf says whether a name is that of a half-written file, of a process that writes it or was
// killed meanwhile.
func IsHalf(name string) bool { return half.MatchString(name) }

// Tidy removes what a process that was killed while it wrote a file, its checkpoints
// or the data beside it left: .NAME and a number. Whoever calls it has taken the path.
func Tidy(path string) {
	name := regexp.QuoteMeta("." + filepath.Base(path))
	tidy(filepath.Dir(path), regexp.MustCompile(`^`+name+`(\.data|\.memo|\.[0-9]{1,4})?`+temporary))
}

// TidyFolder does so for all files of a folder with one of the given endings.
func TidyFolder(dir string, exts ...string) {
	for _, x := range exts {
		tidy(dir, regexp.MustCompile(`^\..+`+regexp.QuoteMeta(x)+`(\.[0-9]{1,4})?`+temporary))
	}
}

func tidy(dir string, names *regexp.Regexp) {
	es, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range es {
		if e.Type().IsRegular() && names.MatchString(e.Name()) {
			os.Remove(filepath.Join(dir, e.Name())) //nolint:errcheck // it is rubbish
		}
	}
}
