//go:build amd64 || arm64

package kernel

// dotsVec takes a row of each quarter at a time: four streams, each of which goes on where
// it was, are what a processor fetches ahead of need.
func dotsVec(x, y []float32, ldy int, dst []float32) {
	n := len(dst)
	if n == 0 {
		return
	}
	_ = y[(n-1)*ldy+len(x)-1]
	if isa == Generic || n < 4 {
		goDots(x, y, ldy, dst)
		return
	}
	dotQuarters(x, y, ldy, dst)
	if n%4 != 0 { // the last four again, so that a row's result depends on nothing but the row
		dotsVec(x, y[(n-4)*ldy:], ldy, dst[n-4:])
	}
}

// transVec transposes blocks of 8 by 8 along 8 rows of x; it returns how many.
func transVec(blocks int, x []float32, ldx int, y []float32, ldy int) int {
	if blocks <= 0 || isa == Generic {
		return 0
	}
	_, _ = x[7*ldx+8*blocks-1], y[(8*blocks-1)*ldy+7]
	trans8(blocks, &x[0], 4*ldx, &y[0], 4*ldy)
	return blocks
}

// panelsVec copies n panels of k rows; it returns how many.
func panelsVec(n int, x []float32, ldx int, y []float32, k int) int {
	if n == 0 || k == 0 || isa == Generic {
		return 0
	}
	width := 2 * lanes()
	_, _ = x[(k-1)*ldx+n*width-1], y[n*width*k-1]
	panels(k, n, &x[0], 4*ldx, &y[0], 4*width*k)
	return n
}
