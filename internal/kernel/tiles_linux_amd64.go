package kernel

import (
	"sync"
	"syscall"
)

// tilesAllowed asks the system once for the registers of tiles, which a process has to do
// before it uses them (Linux, Documentation/arch/x86/xstate.rst).
var tilesAllowed = sync.OnceValue(func() bool {
	const request, tileData = 0x1023, 18
	_, _, err := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, request, tileData, 0)
	return err == 0
})
