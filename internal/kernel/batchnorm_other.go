//go:build !amd64 && !arm64

package kernel

func runStats(r *rows) { goStats(r) }
func runApply(r *rows) { goApply(r) }
func runSums(r *rows)  { goSums(r) }
func runGrad(r *rows)  { goGrad(r) }
