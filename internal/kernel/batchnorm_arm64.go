package kernel

import "unsafe"

func runStats(r *rows) {
	if isa == Generic {
		goStats(r)
		return
	}
	bnstatsneon((*byte)(unsafe.Pointer(r)))
}

func runApply(r *rows) {
	if isa == Generic {
		goApply(r)
		return
	}
	bnapplyneon((*byte)(unsafe.Pointer(r)))
}

func runSums(r *rows) {
	if isa == Generic {
		goSums(r)
		return
	}
	bnsumsneon((*byte)(unsafe.Pointer(r)))
}

func runGrad(r *rows) {
	if isa == Generic {
		goGrad(r)
		return
	}
	bngradneon((*byte)(unsafe.Pointer(r)))
}
