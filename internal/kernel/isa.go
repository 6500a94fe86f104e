// Package kernel holds the loops that everything above spends its time in:
// matrix products, convolutions, normalisation, elementwise passes, over plain
// []float32. On amd64 the inner loops are assembly written by avo (kernel/gen), on
// arm64 by kernel/gen/arm, and chosen at run time; elsewhere, and as the definition
// that tests compare with, they are plain Go.
package kernel

import (
	"fmt"
	"os"
	"slices"
)

// ISA is a set of vector instructions.
type ISA uint8

// The sets.
const (
	Generic ISA = iota // plain Go
	AVX2               // with FMA, BMI2 and F16C
	AVX512             // F, DQ, BW, VL
	NEON               // of every arm64
)

func (i ISA) String() string { return [...]string{"generic", "avx2", "avx512", "neon"}[i] }

var isa = best()

// best is what the CPU has; the environment variable PARE_ISA (avx512, avx2, neon or
// generic) can lower it.
func best() ISA {
	all := Levels()
	for _, l := range all {
		if os.Getenv("PARE_ISA") == l.String() {
			return l
		}
	}
	return all[len(all)-1]
}

// Level is the level in use.
func Level() ISA { return isa }

// SetISA chooses a level; it returns an error where the CPU lacks it. It must
// not be called while kernels run.
func SetISA(l ISA) error {
	if all := Levels(); !slices.Contains(all, l) {
		return fmt.Errorf("this CPU does not have %v (it has %v)", l, all[len(all)-1])
	}
	isa = l
	dot = bestDot()
	return nil
}

// lanes is the number of floats that a kernel works on side by side: a vector, or with NEON two.
func lanes() int {
	switch isa {
	case AVX512:
		return 16
	case AVX2, NEON:
		return 8
	}
	return 16
}
