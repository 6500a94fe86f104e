package kernel

import "github.com/klauspost/cpuid/v2"

// Levels are what the CPU has, weakest first.
func Levels() []ISA {
	switch {
	case cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512DQ, cpuid.AVX512BW, cpuid.AVX512VL, cpuid.AVX2, cpuid.FMA3, cpuid.BMI2, cpuid.F16C):
		return []ISA{Generic, AVX2, AVX512}
	case cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3, cpuid.BMI2, cpuid.F16C):
		return []ISA{Generic, AVX2}
	}
	return []ISA{Generic}
}
