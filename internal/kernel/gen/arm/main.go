// Command arm writes the NEON assembly of package kernel. Go's assembler has names for a part
// of NEON only, so vector instructions are written as words, with what they are in the
// notation of GNU's assembler beside them; a test compares both by a disassembler.
// With -counts it prints how many instructions the inner loops of the kernels take.
package main

import (
	"flag"
	"fmt"
	"os"
)

// writers are the writers of the kernels, in the order of the file.
var writers = []func(){tiles, channels, vectors, functions, reductions, optimizers, norms, panels, transposes, sparses, sampledProducts, keeps, packedMatrices, wholeMatrices, attention}

func main() {
	out := flag.String("out", "kernels_arm64.s", "assembly")
	stubs := flag.String("stubs", "stubs_arm64.go", "declarations in Go")
	counts := flag.Bool("counts", false, "print the instructions of the inner loops in place of writing them")
	twins := flag.String("twins", "", "with -counts: a test binary of the kernels, for the loops of the plain twins")
	flag.Parse()
	for _, write := range writers {
		write()
	}
	if *counts {
		fail(printCounts(os.Stdout, *twins))
		return
	}
	for name, text := range map[string]string{*out: assembly(), *stubs: declarations()} {
		fail(os.WriteFile(name, []byte(text), 0o644))
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
