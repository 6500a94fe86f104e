package kernel

import (
	"os"
	"syscall"
	"unsafe"
)

// largePages asks the system to map memory by large pages, which it may or may not do, and
// gives the memory.
func largePages(b []byte) []byte {
	if len(b) >= 4<<20 {
		page := os.Getpagesize()
		from := -int(uintptr(unsafe.Pointer(&b[0]))) & (page - 1)
		_ = syscall.Madvise(b[from:from+(len(b)-from)&^(page-1)], syscall.MADV_HUGEPAGE) // it is as good without
	}
	return b
}
