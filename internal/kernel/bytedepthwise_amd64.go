package kernel

import (
	"math/bits"
	"unsafe"
)

// rowVec computes a row; it reports false where there is no assembly for it.
func (c *ByteDepthwise) rowVec(w *Worker, x, y []byte, taps []int) bool {
	if dot < DotVNNI || isa != AVX512 {
		return false
	}
	groups, ow := len(taps)/4, c.OutW()
	_ = x[(ow-1)*c.StrideW*c.CI+taps[c.taps-1]+(c.CI+depthwiseBlock-1)/depthwiseBlock*depthwiseBlock-1]
	t := &w.depthwise
	for b := 0; b < c.CI; b += depthwiseBlock {
		*t = depthwiseTile{X: unsafe.Pointer(&x[b]), Pixels: ow, Step: c.StrideW * c.CI, Taps: unsafe.Pointer(&taps[0]), Groups: groups,
			Weights: unsafe.Pointer(&c.woven[b*groups*4]), Bias: unsafe.Pointer(&c.bias[b]), Scale: unsafe.Pointer(&c.scale[b]),
			Out: unsafe.Pointer(&y[b]), OutStep: c.CO, Mask: ^uint64(0) >> (depthwiseBlock - min(depthwiseBlock, c.CI-b)),
			Lo: c.q.Lo, Hi: c.q.Hi, Zero: c.q.Zero}
		depthwisebytes((*byte)(unsafe.Pointer(t)))
	}
	*t = depthwiseTile{}
	return bits.UintSize == 64
}
