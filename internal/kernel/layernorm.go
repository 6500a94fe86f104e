package kernel

import "math"

// LayerNormTask normalises each row of X [Rows, C]: Y = (X-mean)/sqrt(var+Eps)
// * Scale + Bias. Sums over rows are taken in a fixed number of parts and added
// in their order.
type LayerNormTask struct {
	Rows, C     int
	X           []float32
	Scale, Bias []float32 // [C]; Bias nil: none
	Eps         float32
	Y           []float32
	Mean, Istd  []float32 // [Rows], written forward; nil: not wanted, Backward computes them again

	DY, DX        []float32
	DScale, DBias []float32 // [C]

	back  bool
	parts int
	part  []float32 // [parts][2][C]
	zero  []float32
}

func (t *LayerNormTask) prepare() {
	t.parts = max(1, min(16, t.Rows/16))
	if len(t.part) != t.parts*2*t.C {
		t.part = make([]float32, t.parts*2*t.C)
	}
	if t.Bias == nil && len(t.zero) != t.C {
		t.zero = make([]float32, t.C)
	}
}

// Forward computes Y.
func (t *LayerNormTask) Forward(p *Pool) {
	t.prepare()
	t.back = false
	p.Run(t.parts, t)
}

// Backward computes DX, DScale and DBias from DY and X.
func (t *LayerNormTask) Backward(p *Pool) {
	t.prepare()
	t.back = true
	clear(t.part)
	p.Run(t.parts, t)
	clear(t.DScale)
	clear(t.DBias)
	for k := range t.parts {
		Add(t.DScale, t.part[2*k*t.C:(2*k+1)*t.C], t.DScale)
		Add(t.DBias, t.part[(2*k+1)*t.C:(2*k+2)*t.C], t.DBias)
	}
}

// moments is the mean and 1/sqrt(variance+Eps) of a row.
func (t *LayerNormTask) moments(x []float32) (mean, istd float32) {
	mean = float32(Sum(x) / float64(t.C))
	return mean, float32(1 / math.Sqrt(sqdevVec(x, mean)/float64(t.C)+float64(t.Eps)))
}

// Do works on one part of the rows.
func (t *LayerNormTask) Do(w *Worker, k int) {
	c := t.C
	bias := t.Bias
	if bias == nil {
		bias = t.zero
	}
	ds, db := t.part[2*k*c:(2*k+1)*c], t.part[(2*k+1)*c:(2*k+2)*c]
	for r := k * t.Rows / t.parts; r < (k+1)*t.Rows/t.parts; r++ {
		x := t.X[r*c : (r+1)*c]
		var mean, istd float32
		if t.back && t.Mean != nil && t.Istd != nil {
			mean, istd = t.Mean[r], t.Istd[r]
		} else {
			mean, istd = t.moments(x)
		}
		if t.back {
			d, dx := t.DY[r*c:(r+1)*c], t.DX[r*c:(r+1)*c]
			s, q := layerSumsVec(x, d, t.Scale, ds, db, mean, istd)
			layerGradVec(x, d, t.Scale, dx, mean, istd, s/float32(c), q/float32(c))
			continue
		}
		if t.Mean != nil {
			t.Mean[r] = mean
		}
		if t.Istd != nil {
			t.Istd[r] = istd
		}
		layerVec(x, t.Scale, bias, t.Y[r*c:(r+1)*c], mean, istd)
	}
}

// goLayer writes (x-m)*is*g + b.
func goLayer(x, g, b, y []float32, m, is float32) {
	for i, v := range x {
		y[i] = (v-m)*is*g[i] + b[i]
	}
}

// goLayerSums adds d*xhat to ds and d to db, and sums d*g and d*g*xhat.
func goLayerSums(x, d, g, ds, db []float32, m, is float32) (s, q float32) {
	for i, v := range x {
		h := (v - m) * is
		ds[i] += d[i] * h
		db[i] += d[i]
		a := d[i] * g[i]
		s += a
		q += a * h
	}
	return s, q
}

// goLayerGrad writes is*(d*g - s - xhat*q).
func goLayerGrad(x, d, g, dx []float32, m, is, s, q float32) {
	for i, v := range x {
		dx[i] = is * (d[i]*g[i] - s - (v-m)*is*q)
	}
}
