//go:build !unix

package model

import (
	"context"
	"os/exec"
)

// shell runs a command as a line that is typed.
func shell(ctx context.Context, line string) *exec.Cmd {
	return exec.CommandContext(ctx, "cmd", "/C", line)
}

// quoted is a path as one word of such a line.
func quoted(path string) string { return `"` + path + `"` }
