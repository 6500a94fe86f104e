//go:build !amd64 && !arm64

package kernel

func sumVec(x []float32) float64                      { return goSum(x) }
func dotVec(x, y []float32) float64                   { return goDot(x, y) }
func sqdevVec(x []float32, m float32) float64         { return goSqdev(x, m) }
func maxVec(x []float32) float32                      { return goMax(x) }
func expSumVec(x, dst []float32, m float32) float32   { return goExpSum(x, dst, m) }
func layerVec(x, g, b, y []float32, m, is float32)    { goLayer(x, g, b, y, m, is) }
func sgdStepVec(w, d, m, mask []float32, a *sgdArgs)  { goSGD(w, d, m, mask, a) }
func adamVec(w, d, m, v, mask []float32, a *adamArgs) { goAdam(w, d, m, v, mask, a) }
func layerSumsVec(x, d, g, ds, db []float32, m, is float32) (s, q float32) {
	return goLayerSums(x, d, g, ds, db, m, is)
}
func layerGradVec(x, d, g, dx []float32, m, is, s, q float32) {
	goLayerGrad(x, d, g, dx, m, is, s, q)
}

func dotsVec(x, y []float32, ldy int, dst []float32) { goDots(x, y, ldy, dst) }

func transVec(blocks int, x []float32, ldx int, y []float32, ldy int) int { return 0 }
