package score

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// VIP is the variable importance in projection of each feature (column of x, a row a
// sample) in a partial least squares regression of y with a number of components (Wold
// 1994): the root of P times the mean of the squared weights, weighted by what each
// component explains of y. Columns are centred and divided by their deviation; one that
// does not vary has importance 0. The mean square of all is 1.
func VIP(x, y *mat.Dense, components int) []float64 {
	x, y = standard(x), standard(y)
	n, p := x.Dims()
	_, q := y.Dims()
	sum, all := make([]float64, p), 0.
	for range min(components, p, max(1, n-1)) {
		var c, cc mat.Dense
		c.Mul(x.T(), y) // covariances; the first weights are its dominant left singular vector
		cc.Mul(c.T(), &c)
		sym := mat.NewSymDense(q, nil)
		for i := range q {
			for k := i; k < q; k++ {
				sym.SetSym(i, k, cc.At(i, k))
			}
		}
		var e mat.EigenSym
		if !e.Factorize(sym, true) {
			break
		}
		var vs mat.Dense
		e.VectorsTo(&vs)
		var w, t mat.VecDense
		w.MulVec(&c, vs.ColView(q-1))
		norm := mat.Norm(&w, 2)
		if !(norm > 1e-12) {
			break
		}
		w.ScaleVec(1/norm, &w)
		t.MulVec(x, &w)
		tt := mat.Dot(&t, &t)
		if !(tt > 1e-12) {
			break
		}
		var px, qy mat.VecDense
		px.MulVec(x.T(), &t)
		px.ScaleVec(1/tt, &px)
		qy.MulVec(y.T(), &t)
		qy.ScaleVec(1/tt, &qy)
		explained := tt * mat.Dot(&qy, &qy)
		all += explained
		for k := range sum {
			sum[k] += explained * w.AtVec(k) * w.AtVec(k)
		}
		var gone mat.Dense
		gone.Outer(1, &t, &px)
		x.Sub(x, &gone)
		gone.Reset()
		gone.Outer(1, &t, &qy)
		y.Sub(y, &gone)
	}
	for k := range sum {
		if all > 0 {
			sum[k] = math.Sqrt(float64(p) * sum[k] / all)
		}
	}
	return sum
}

// standard copies a matrix with its columns centred, and divided by their deviation where
// they vary.
func standard(x *mat.Dense) *mat.Dense {
	n, p := x.Dims()
	out := mat.NewDense(n, p, nil)
	for k := range p {
		mean, dev := 0., 0.
		for i := range n {
			mean += x.At(i, k) / float64(n)
		}
		for i := range n {
			dev += (x.At(i, k) - mean) * (x.At(i, k) - mean) / math.Max(1, float64(n-1))
		}
		if dev = math.Sqrt(dev); !(dev > 1e-12*math.Abs(mean)) || dev == 0 {
			continue
		}
		for i := range n {
			out.Set(i, k, (x.At(i, k)-mean)/dev)
		}
	}
	return out
}
