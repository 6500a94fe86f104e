package kernel

// counted is the count for a kernel of whole slices after checking lengths: 0 where there is
// none.
func counted(dst []float32, a, b int) int {
	n := len(dst)
	if a < n || b < n {
		panic("kernel: operands of unequal length")
	}
	if isa == Generic {
		return 0
	}
	return n
}

func addVec(x, y, dst []float32) int {
	n := counted(dst, len(x), len(y))
	if n > 0 {
		vaddneon(n, &x[0], &y[0], &dst[0])
	}
	return n
}

func subVec(x, y, dst []float32) int {
	n := counted(dst, len(x), len(y))
	if n > 0 {
		vsubneon(n, &x[0], &y[0], &dst[0])
	}
	return n
}

func mulVec(x, y, dst []float32) int {
	n := counted(dst, len(x), len(y))
	if n > 0 {
		vmulneon(n, &x[0], &y[0], &dst[0])
	}
	return n
}

func axpbyVec(s float32, x []float32, t float32, y, dst []float32) int {
	n := counted(dst, len(x), len(y))
	if n > 0 {
		vaxpbyneon(n, s, &x[0], t, &y[0], &dst[0])
	}
	return n
}

func reluVec(x, dst []float32) int {
	n := counted(dst, len(x), len(x))
	if n > 0 {
		vreluneon(n, &x[0], &dst[0])
	}
	return n
}

func reluGradVec(d, y, dst []float32) int {
	n := counted(dst, len(d), len(y))
	if n > 0 {
		vrelugradneon(n, &d[0], &y[0], &dst[0])
	}
	return n
}

// panelsVec copies n panels of k rows; it returns how many.
func panelsVec(n int, x []float32, ldx int, y []float32, k int) int {
	if n == 0 || k == 0 || isa == Generic {
		return 0
	}
	width := 2 * lanes()
	_, _ = x[(k-1)*ldx+n*width-1], y[n*width*k-1]
	panelsneon(k, n, &x[0], 4*ldx, &y[0], 4*width*k)
	return n
}
