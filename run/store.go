package run

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Store is a folder of runs, each a directory below it. What a run is stands in its
// directory alone.
type Store struct {
	Dir string // absolute
}

// NewStore is the store in a folder, which need not be there yet.
func NewStore(dir string) (*Store, error) {
	abs, err := filepath.Abs(dir)
	return &Store{abs}, err
}

// Entry is a run of a store, as it stands in its directory.
type Entry struct {
	Name   string   `json:"name"` // of its directory
	Dir    string   `json:"dir"`
	Bytes  int64    `json:"bytes"`  // on the disk
	Status Status   `json:"status"` // as it is: Died where the record says that it runs and nobody has it
	Tags   []string `json:"tags"`
	Record *Record  `json:"record"`
}

// names are those of runs: the time (UTC, to the millisecond), so that they sort by it,
// the last word of the command, and digits of chance.
var names = regexp.MustCompile(`^[0-9]{8}-[0-9]{6}\.[0-9]{3}-[a-z]{1,20}-[0-9a-f]{6}$`)

// IsName says whether a word has the form of a run's name.
func IsName(name string) bool { return names.MatchString(name) }

// newName names a run of a command.
func newName(now time.Time, command string) string {
	words := strings.Fields(command)
	word := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, words[len(words)-1])
	if word == "" {
		word = "run"
	}
	var b [3]byte
	rand.Read(b[:]) //nolint:errcheck // it does not fail
	return fmt.Sprintf("%s-%.20s-%s", now.UTC().Format("20060102-150405.000"), word, hex.EncodeToString(b[:]))
}

// lockPath is what a run's process has locked while it works: the file NAME.lock beside
// the directory (see Take), so that a run is taken before it is there, and until it is
// gone.
func (s *Store) lockPath(name string) string { return filepath.Join(s.Dir, name) }

// Names lists the directories with names of runs, oldest first. A store that is not
// there has none.
func (s *Store) Names() ([]string, error) {
	es, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, e := range es {
		if e.IsDir() && IsName(e.Name()) {
			out = append(out, e.Name())
		}
	}
	return out, err
}

// Entry reads a run.
func (s *Store) Entry(name string) (*Entry, error) {
	dir := filepath.Join(s.Dir, name)
	if st, err := os.Lstat(dir); err != nil || !st.IsDir() || !IsName(name) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoRun)
	}
	r, err := ReadRecord(dir)
	if err != nil {
		return nil, err
	}
	e := &Entry{Name: name, Dir: dir, Bytes: SizeOf(dir), Tags: readTags(dir), Record: r}
	e.Status = s.StatusOf(name, r)
	return e, nil
}

// Last is when something was last known of a run: when it ended or, where it has not, when
// its metrics or its record were written.
func (e *Entry) Last() time.Time {
	last := e.Record.Ended
	for _, f := range []string{MetricsFile, RecordFile} {
		if st, err := os.Stat(filepath.Join(e.Dir, f)); err == nil && e.Record.Ended.IsZero() && st.ModTime().After(last) {
			last = st.ModTime()
		}
	}
	return last
}

// StatusOf says how a run stands: a record that says it runs is believed only as long as
// a process has the run.
func (s *Store) StatusOf(name string, r *Record) Status {
	if r.Status == Running && !held(s.lockPath(name)+".lock") {
		return Died
	}
	return r.Status
}

// held says whether a process has a lock.
func held(file string) bool {
	if _, err := os.Stat(file); err != nil {
		return false
	}
	f := flock.New(file, flock.SetFlag(os.O_RDONLY))
	ok, err := f.TryRLock()
	if err == nil && ok {
		f.Unlock() //nolint:errcheck // the file is closed
	}
	return err == nil && !ok
}

// List reads all runs, oldest first, and gives the errors of those that cannot be read.
func (s *Store) List() (out []*Entry, bad []error, err error) {
	ns, err := s.Names()
	for _, n := range ns {
		e, err := s.Entry(n)
		switch {
		case err == nil:
			out = append(out, e)
		case !Unfinished(filepath.Join(s.Dir, n)):
			bad = append(bad, err)
		}
	}
	return out, bad, err
}

// Unfinished says whether a directory holds nothing but what a process leaves that was
// killed as it began a run: no record, and no other file that it did not write itself.
func Unfinished(dir string) bool {
	es, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range es {
		if e.Name() == CheckFolder && e.IsDir() && Unfinished(filepath.Join(dir, CheckFolder)) {
			continue
		}
		if !e.Type().IsRegular() || !leftover.MatchString(e.Name()) {
			return false
		}
	}
	return true
}

// leftover are half-written records.
var leftover = regexp.MustCompile(`^\.` + regexp.QuoteMeta(RecordFile) + temporary)

// Latest stands for the run that was begun last.
const Latest = "latest"

// Find finds a run by its name, the beginning or end of one that is enough, the path of
// its directory, or Latest.
func (s *Store) Find(name string) (*Entry, error) {
	if name == "" {
		return nil, errors.New("a run has no empty name")
	}
	if strings.ContainsRune(name, filepath.Separator) {
		abs, err := filepath.Abs(name)
		if err != nil {
			return nil, err
		}
		return (&Store{filepath.Dir(abs)}).Entry(filepath.Base(abs))
	}
	ns, err := s.Names()
	if err != nil {
		return nil, err
	}
	if name == Latest {
		for _, n := range slices.Backward(ns) {
			if e, err := s.Entry(n); err == nil {
				return e, nil
			}
		}
		return nil, fmt.Errorf("there are no runs in %s", s.Dir)
	}
	var like []string
	for _, n := range ns {
		if n == name {
			return s.Entry(n)
		}
		if strings.HasPrefix(n, name) || strings.HasSuffix(n, name) {
			like = append(like, n)
		}
	}
	switch len(like) {
	case 0:
		return nil, fmt.Errorf("there is no run %q in %s", name, s.Dir)
	case 1:
		return s.Entry(like[0])
	}
	return nil, fmt.Errorf("%d runs in %s have names like %q, such as %s and %s: give more of it", len(like), s.Dir, name, like[0], like[1])
}

// mostTags bounds the file of tags.
const mostTags = 1 << 20

// readTags gives the tags of a run; a file that is none holds none.
func readTags(dir string) []string {
	out := []string{}
	b, err := readBounded(filepath.Join(dir, TagsFile), mostTags)
	if err != nil || json.Unmarshal(b, &out) != nil {
		return []string{}
	}
	return out
}

// tagged are words that may be tags.
var tagged = regexp.MustCompile(`^[\pL\pN][\pL\pN._/:=+-]{0,63}$`)

// Tag adds and takes away tags of a run, while it runs too.
func (e *Entry) Tag(add, remove []string) error {
	for _, t := range add {
		if !tagged.MatchString(t) {
			return fmt.Errorf("%.80q is no tag: it is a word of letters, digits and ._/:=+-, of at most 64", t)
		}
	}
	lock, err := Take(filepath.Join(e.Dir, TagsFile))
	if err != nil {
		return err
	}
	defer lock.Release()
	tags := slices.DeleteFunc(append(readTags(e.Dir), add...), func(t string) bool { return slices.Contains(remove, t) })
	slices.Sort(tags)
	b, err := json.Marshal(slices.Compact(tags))
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(e.Dir, TagsFile), append(b, '\n')); err != nil {
		return err
	}
	e.Tags = readTags(e.Dir)
	return nil
}
