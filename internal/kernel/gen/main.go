// Command gen writes the assembly of package kernel with avo. It is a module
// of its own, so that avo is no dependency of Pare.
package main

import . "github.com/mmcloughlin/avo/build"

// kernels are the writers of the kernels that every instruction set has, in the
// order of the file.
var kernels = []func(v vec, isa string){packRows, packEvens, norms, vectors, functions, reductions, panels, sampled, keep, packedMatrices, wholeMatrices, attention, requantise, byteLoops}

func main() {
	ConstraintExpr("amd64")
	avx2, avx512 := vec{n: 8}, vec{n: 16, z512: true}
	tiles(avx2, avx512)
	sparses()
	for _, write := range kernels {
		write(avx512, "avx512")
		write(avx2, "avx2")
	}
	dots()
	requantiseRows()
	sparseBytes()
	transpose8()
	Generate()
}
