package kernel

import "unsafe"

// rows is the argument of the passes over a matrix [N, C] whose rows follow each
// other, and over numbers for each column. The order of the fields is known to
// the generator.
type rows struct {
	N, C       int
	X, Y, R, D unsafe.Pointer // [N, C]
	S, Q, B, M unsafe.Pointer // [C]
	Lo, Hi     float32        // bounds of the output
}

func (r *rows) row(p unsafe.Pointer, i int) []float32 {
	return unsafe.Slice((*float32)(unsafe.Add(p, 4*i*r.C)), r.C)
}

// The passes in plain Go.

// goStats: S += X-B, Q += (X-B)^2.
func goStats(r *rows) {
	s, q, b := r.row(r.S, 0), r.row(r.Q, 0), r.row(r.B, 0)
	for i := range r.N {
		for j, x := range r.row(r.X, i) {
			d := x - b[j]
			s[j] += d
			q[j] += d * d
		}
	}
}

// goApply: Y = X*S + B (+ R), held between Lo and Hi.
func goApply(r *rows) {
	s, b := r.row(r.S, 0), r.row(r.B, 0)
	for i := range r.N {
		y := r.row(r.Y, i)
		for j, x := range r.row(r.X, i) {
			v := x*s[j] + b[j]
			if r.R != nil {
				v += r.row(r.R, i)[j]
			}
			y[j] = clip(v, r.Lo, r.Hi)
		}
	}
}

// counted is D, or 0 where Y is given and not between the bounds.
func (r *rows) counted(i, j int) float32 {
	if r.Y != nil {
		if y := r.row(r.Y, i)[j]; !(y > r.Lo && y < r.Hi) {
			return 0
		}
	}
	return r.row(r.D, i)[j]
}

// goSums: S += g, Q += g*(X-B), where g is what counts of D.
func goSums(r *rows) {
	s, q, b := r.row(r.S, 0), r.row(r.Q, 0), r.row(r.B, 0)
	for i := range r.N {
		for j, x := range r.row(r.X, i) {
			g := r.counted(i, j)
			s[j] += g
			q[j] += g * (x - b[j])
		}
	}
}

// goGrad: R = g*S + (X-M)*Q + B.
func goGrad(r *rows) {
	s, q, b, m := r.row(r.S, 0), r.row(r.Q, 0), r.row(r.B, 0), r.row(r.M, 0)
	for i := range r.N {
		out := r.row(r.R, i)
		for j, x := range r.row(r.X, i) {
			out[j] = r.counted(i, j)*s[j] + (x-m[j])*q[j] + b[j]
		}
	}
}
