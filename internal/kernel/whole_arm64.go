package kernel

import "github.com/klauspost/cpuid/v2"

// The kernels, for matrices with zeros and without, by the logarithm of the number of rows: by
// the dot product of bytes, and by products of bytes whose pairs are added up.
var (
	wholeDot   = [2][]func(*byte){{wholedot1neon, wholedot2neon}, {wholesparsedot1neon, wholesparsedot2neon}}
	wholePairs = [2][]func(*byte){{whole1neon, whole2neon}, {wholesparse1neon, wholesparse2neon}}
)

// addsBytes says whether the CPU adds products of four bytes at once (SDOT).
var addsBytes = cpuid.CPU.Supports(cpuid.ASIMDDP)

// wholeKernels are those in use.
func wholeKernels() *[2][]func(*byte) {
	if addsBytes {
		return &wholeDot
	}
	return &wholePairs
}

// wholeRowVec is wholeRow of some groups, step bytes apart.
func wholeRowVec(groups int, x *float32, to *byte, step int) { wholerowneon(groups, x, to, step) }
