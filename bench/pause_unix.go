//go:build unix

package main

import "syscall"

// pause stops the peer's threads, some of which spin for a while after their
// work is done, until resume.
func (p *peer) pause() { p.cmd.Process.Signal(syscall.SIGSTOP) } //nolint:errcheck // the next question will show it

func (p *peer) resume() { p.cmd.Process.Signal(syscall.SIGCONT) } //nolint:errcheck
