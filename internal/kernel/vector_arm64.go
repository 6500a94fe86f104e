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
