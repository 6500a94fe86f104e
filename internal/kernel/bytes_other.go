//go:build !amd64

package kernel

func quantiseVec(x []float32, q Quantisation, y []byte) int { return 0 }

func dequantiseVec(x []byte, q Quantisation, y []float32) int { return 0 }

func addBytesVec(x []byte, qx Quantisation, rx float32, y []byte, qy Quantisation, ry float32, z []byte, qz Quantisation, lo, hi float32) int {
	return 0
}

func mulBytesVec(x []byte, qx Quantisation, y []byte, qy Quantisation, s float32, z []byte, qz Quantisation, lo, hi float32) int {
	return 0
}

func mapVec(x []byte, table *[256]byte, y []byte) int { return 0 }

func maxBytesVec(x, y, z []byte) int { return 0 }

func sumBytesVec(x []byte) (int, int32) { return 0, 0 }
