//go:build unix

package main

import (
	"syscall"
	"time"
)

// pause stops the peer's threads, some of which spin for a while after their
// work is done, until resume.
func (p *peer) pause() { p.cmd.Process.Signal(syscall.SIGSTOP) } //nolint:errcheck // the next question will show it

func (p *peer) resume() { p.cmd.Process.Signal(syscall.SIGCONT) } //nolint:errcheck

// processorTime is what all threads of this process have taken of processors.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
