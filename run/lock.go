package run

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Lock says that this process works on a path: a file beside it, PATH.lock, which
// the system locks and which holds the process's number. The lock of a process that
// has died is none.
type Lock struct {
	f *flock.Flock
}

// BusyError says that another run works on a path.
type BusyError struct {
	Path string
	PID  int // 0: not known
}

func (e *BusyError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("%s is being worked on by %s: wait until it has ended, or choose another place", e.Path, who)
}

// probes is how often a lock is tried, a millisecond apart.
const probes = 5

// Take locks a path. It returns a BusyError where another run has it.
func Take(path string) (*Lock, error) {
	file := path + ".lock"
	for tries := 0; ; {
		f := flock.New(file, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o644))
		ok, err := f.TryLock()
		if err != nil {
			return nil, err
		}
		if !ok {
			if tries++; tries < probes { // who asks whether there is a lock has it for a moment
				time.Sleep(time.Millisecond)
				continue
			}
			return nil, &BusyError{path, owner(file)}
		}
		mine, err := f.Stat()
		if err != nil {
			return nil, err
		}
		there, err := os.Stat(file)
		if err != nil || !os.SameFile(mine, there) { // who had it has removed the file meanwhile
			f.Unlock() //nolint:errcheck // it locks nothing that is there
			continue
		}
		if err := os.WriteFile(file, fmt.Appendln(nil, os.Getpid()), 0o644); err != nil {
			(&Lock{f}).Release()
			return nil, err
		}
		return &Lock{f}, nil
	}
}

// owner reads whose a lock is; who has just taken it may not have said so yet.
func owner(file string) int {
	for range 20 {
		b, err := os.ReadFile(file)
		if err != nil {
			return 0
		}
		if n, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			return n
		}
		time.Sleep(5 * time.Millisecond)
	}
	return 0
}

// Release gives the path back. It may be called again, and of nil.
func (l *Lock) Release() {
	if l == nil || !l.f.Locked() {
		return
	}
	os.Remove(l.f.Path()) //nolint:errcheck // an unlocked file is no lock
	l.f.Unlock()          //nolint:errcheck // the end of the process does it too
}
