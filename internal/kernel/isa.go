// Package kernel holds the loops that everything above spends its time in:
// matrix products, convolutions, normalisation, elementwise passes, over plain
// []float32. On amd64 the inner loops are assembly written by avo (kernel/gen)
// and chosen at run time; elsewhere, and as the definition that tests compare
// with, they are plain Go.
package kernel

import (
	"fmt"
	"os"

	"github.com/klauspost/cpuid/v2"
)

// ISA is a level of vector instructions.
type ISA uint8

// The levels, weakest first.
const (
	Generic ISA = iota // plain Go
	AVX2               // with FMA, BMI2 and F16C
	AVX512             // F, DQ, BW, VL
)

func (i ISA) String() string { return [...]string{"generic", "avx2", "avx512"}[i] }

var isa = best()

// best is what the CPU has; the environment variable PARE_ISA (avx512, avx2 or
// generic) can lower it.
func best() ISA {
	top := detected()
	for l := Generic; l < top; l++ {
		if os.Getenv("PARE_ISA") == l.String() {
			return l
		}
	}
	return top
}

func detected() ISA {
	switch {
	case !haveAssembly:
		return Generic
	case cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512DQ, cpuid.AVX512BW, cpuid.AVX512VL, cpuid.AVX2, cpuid.FMA3, cpuid.BMI2, cpuid.F16C):
		return AVX512
	case cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3, cpuid.BMI2, cpuid.F16C):
		return AVX2
	}
	return Generic
}

// Level is the level in use.
func Level() ISA { return isa }

// SetISA chooses a level; it returns an error where the CPU lacks it. It must
// not be called while kernels run.
func SetISA(l ISA) error {
	if l > detected() {
		return fmt.Errorf("this CPU does not have %v (it has %v)", l, detected())
	}
	isa = l
	dot = bestDot()
	return nil
}

// lanes is the number of floats in a vector.
func lanes() int {
	switch isa {
	case AVX512:
		return 16
	case AVX2:
		return 8
	}
	return 16
}
