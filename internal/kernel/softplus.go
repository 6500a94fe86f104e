package kernel

// Softplus writes log(1+e^x) = max(x,0) + log(1+e^-|x|), within 5e-7 relative to it.
func Softplus(x, dst []float32) {
	var e, s [256]float32
	for i := 0; i < len(dst); i += len(e) {
		n := min(len(e), len(dst)-i)
		in, e, s := x[i:i+n], e[:n], s[:n]
		Abs(in, e)
		Scale(-1, e, e)
		Exp(e, e)
		Affine(1, e, 1, s)
		Log(s, s)
		for k, v := range in {
			y := e[k]
			if d := 1 + y - 1; d != 0 { // what 1+y lost, the quotient gives back (Kahan)
				y *= s[k] / d
			}
			dst[i+k] = max(v, 0) + y
		}
	}
}

// Sign writes -1, 0 or 1; NaN stays NaN.
func Sign(x, dst []float32) {
	for i, v := range x {
		switch {
		case v > 0:
			v = 1
		case v < 0:
			v = -1
		}
		dst[i] = v
	}
}
