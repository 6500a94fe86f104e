package hook

import (
	"slices"

	"pare/internal/kernel"
	"pare/prune"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// ProductChange changes a whole matrix [outputs, inputs] W by a product of two thin ones,
// B [outputs, rank] and A [rank, inputs] (Zimmer, Andoni, Spiegel, Pokutta 2023, arXiv
// 2312.15230):
//
//	W + M (s B A)    with a mask M, whose zeros stay (MaskLoRA), or none (LoRA; Hu et al. 2021, arXiv 2106.09685)
//	W (B A)          entry by entry, with Times (ScaleLoRA): zeros stay of themselves
//
// It is not for networks that are cut: rows and columns are all of the matrix's.
type ProductChange struct {
	B, A  *Array
	Scale float32     // s
	Mask  *prune.Mask // by entry of the matrix; nil: none
	Times []float32   // W, with ScaleLoRA; nil: the product is added

	masked, gb, ga []float32 // scratch
}

// Arrays are the two matrices.
func (p *ProductChange) Arrays() []*Array { return []*Array{p.B, p.A} }

// Delta is what the product adds to the matrix.
func (p *ProductChange) Delta(_, _ []int, d []float32) {
	b, a := general(p.B.W, p.B), general(p.A.W, p.A)
	blas32.Gemm(blas.NoTrans, blas.NoTrans, p.Scale, b, a, 0, blas32.General{Rows: b.Rows, Cols: a.Cols, Stride: a.Cols, Data: d})
	if p.Times != nil {
		for i, w := range p.Times {
			d[i] = w*d[i] - w
		}
	}
	if p.Mask != nil {
		p.Mask.Apply(d)
	}
}

// Grad is, with G the gradient by the matrix where the mask keeps it (times the matrix,
// with Times), s G A' for B and s B' G for A.
func (p *ProductChange) Grad(_, _ []int, g []float32) {
	if p.masked == nil {
		p.masked, p.gb, p.ga = make([]float32, len(g)), make([]float32, len(p.B.W)), make([]float32, len(p.A.W))
	}
	copy(p.masked, g)
	if p.Mask != nil {
		p.Mask.Apply(p.masked)
	}
	if p.Times != nil {
		kernel.Mul(p.masked, p.Times, p.masked)
	}
	b, a := general(p.B.W, p.B), general(p.A.W, p.A)
	m := blas32.General{Rows: b.Rows, Cols: a.Cols, Stride: a.Cols, Data: p.masked}
	blas32.Gemm(blas.NoTrans, blas.Trans, p.Scale, m, a, 0, general(p.gb, p.B))
	blas32.Gemm(blas.Trans, blas.NoTrans, p.Scale, b, m, 0, general(p.ga, p.A))
	for i, x := range p.gb {
		p.B.G[i] += float64(x)
	}
	for i, x := range p.ga {
		p.A.G[i] += float64(x)
	}
}

// Count is that of both matrices.
func (p *ProductChange) Count(rows, cols []int) int { return p.B.Shape[1] * (len(rows) + len(cols)) }

// general is numbers as the matrix of an array.
func general(x []float32, of *Array) blas32.General {
	return blas32.General{Rows: of.Shape[0], Cols: of.Shape[1], Stride: of.Shape[1], Data: x}
}

// whole lists all positions of an axis.
func whole(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// Over lays a change over a whole weight whose entry of row r and column c is at(r, c).
func Over(name string, source []float32, rows, cols int, at func(r, c int) int, change Change) *Adapter {
	a := &Adapter{Name: name, Source: slices.Clone(source), Rows: whole(rows), Cols: whole(cols), Change: change}
	for r := range rows {
		for c := range cols {
			a.At = append(a.At, at(r, c))
		}
	}
	return a
}
