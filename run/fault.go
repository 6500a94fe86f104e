package run

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"syscall"

	"pare/engine"
)

// faults are errors of the machine, not of what it was asked to do.
var faults = []error{fs.ErrPermission, syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, syscall.EIO, syscall.EROFS, syscall.ENOMEM,
	syscall.EMFILE, syscall.ENFILE, syscall.ENODEV, syscall.ESTALE, ErrMemory, engine.ErrMemory}

// ErrMemory is wrapped by an error of a run that needs more memory than it may have.
var ErrMemory = errors.New("out of memory")

// IsFault says whether an error is the machine's: a full disk, no permission, too
// little memory. Made again elsewhere, or later, the same run may end well.
func IsFault(err error) bool {
	for _, f := range faults {
		if errors.Is(err, f) {
			return true
		}
	}
	return false
}

// Panicked is the error of a panic: it wraps ErrMemory where a slice was to be made
// that no memory holds.
func Panicked(r any) error {
	if err, ok := r.(runtime.Error); ok && strings.Contains(err.Error(), "out of range") && strings.Contains(err.Error(), "make") {
		return fmt.Errorf("%w: %v", ErrMemory, err)
	}
	return fmt.Errorf("internal error: %v", r)
}
