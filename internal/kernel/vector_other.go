//go:build !amd64 && !arm64

package kernel

func addVec(x, y, dst []float32) int                                   { return 0 }
func subVec(x, y, dst []float32) int                                   { return 0 }
func mulVec(x, y, dst []float32) int                                   { return 0 }
func axpbyVec(s float32, x []float32, t float32, y, dst []float32) int { return 0 }
func reluVec(x, dst []float32) int                                     { return 0 }
func reluGradVec(d, y, dst []float32) int                              { return 0 }

func panelsVec(n int, x []float32, ldx int, y []float32, k int) int { return 0 }
