//go:build !amd64

package kernel

func runStats(r *rows, n int) { goStats(r, n) }
func runApply(r *rows, n int) { goApply(r, n) }
func runSums(r *rows, n int)  { goSums(r, n) }
func runGrad(r *rows, n int)  { goGrad(r, n) }
