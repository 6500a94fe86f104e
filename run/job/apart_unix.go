//go:build unix

package job

import (
	"os/exec"
	"syscall"
)

// apart keeps a terminal's signals from a child: who started it stops it.
func apart(p *exec.Cmd) { p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
