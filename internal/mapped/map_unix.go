//go:build unix

package mapped

import (
	"os"

	"golang.org/x/sys/unix"
)

// private maps a file so that writes to the memory stay in this process.
func private(f *os.File, size int) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
}

func unmap(b []byte) error { return unix.Munmap(b) }
