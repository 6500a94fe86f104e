//go:build unix

package hostile

import (
	"syscall"
	"time"
)

// Processor is the time that the process has had of the processors: it does
// not advance while others run.
func Processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
