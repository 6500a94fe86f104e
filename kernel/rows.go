package kernel

import "unsafe"

// rows is the argument of the passes over one vector of channels of a matrix
// [N, channels]; strides in bytes. The order of the fields is known to the
// generator.
type rows struct {
	N     int
	X     unsafe.Pointer
	Ldx   int
	Y     unsafe.Pointer
	Ldy   int
	R     unsafe.Pointer
	Ldr   int
	D     unsafe.Pointer
	Ldd   int
	S     unsafe.Pointer
	Q     unsafe.Pointer
	B     unsafe.Pointer
	Flags int
	Mask  uintptr
	M     unsafe.Pointer // subtracted from X; nil: nothing
}
