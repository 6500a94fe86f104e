package score

import (
	"math"

	"pare/prune"
)

// GraSP is w*(H g), given the products of the Hessian of the loss with its gradient
// g by the weights, in their order. Wang, Zhang and Grosse 2020, equation 8, score
// -w*(H g) and cut the highest: the sign here makes the highest stay. It returns an
// error where a score is not finite.
func GraSP(ws []*prune.Weight, hg [][]float64) ([][]float32, error) {
	out := make([][]float32, len(ws))
	for l, w := range ws {
		out[l] = make([]float32, w.Len())
		for i, x := range w.Data() {
			out[l][i] = float32(float64(x) * hg[l][i])
		}
		if err := Finite(w.Name, out[l]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// CroP is |w*(H g)|, as GraSP with no temperature and without its sign: what goes changes the
// norm of the gradient least, up or down (Rachwan, Zügner, Charpentier, Geisler, Ayle,
// Günnemann 2022, ICML, arXiv 2206.10451).
func CroP(ws []*prune.Weight, hg [][]float64) ([][]float32, error) {
	out, err := GraSP(ws, hg)
	for _, s := range out {
		for i, x := range s {
			s[i] = float32(math.Abs(float64(x)))
		}
	}
	return out, err
}
