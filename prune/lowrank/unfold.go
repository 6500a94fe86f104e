// Package lowrank writes the weights of layers as products of two thin ones: how a weight
// is laid out as matrices, their singular values, what a rank costs, and the surgery that
// puts two layers in the place of one.
package lowrank

import (
	"pare/prune"
)

// Scheme is a way to lay a weight out as matrices.
type Scheme string

// The schemes. A convolution from c to n channels, with a kernel of k by k', becomes two:
const (
	Channel  Scheme = "channel"  // k by k' from c to e channels, then 1 by 1 to n (Zhang, Zou, He, Sun 2016, arXiv 1505.06798)
	Spatial  Scheme = "spatial"  // k by 1 from c to e, then 1 by k' to n (Jaderberg, Vedaldi, Zisserman 2014, arXiv 1405.3866)
	Decouple Scheme = "decouple" // 1 by 1 from c to n e, then k by k' on each e of these alone (Guo, Li, Lin, Wang 2018, arXiv 1808.05517)
)

// Cost is what a layer takes: multiply-accumulates for one sample, and parameters without
// the bias.
type Cost struct{ MACs, Params int64 }

// Unfolding is a weight as matrices of one size, each of which is cut to a rank. In groups
// of a convolution each group has its own; Decouple has one for each output.
type Unfolding struct {
	*prune.Weight
	Scheme             Scheme
	Blocks, Rows, Cols int
	Whole              Cost // of the layer as it is
	Each               Cost // of the two layers, for each rank

	at func(b, r, c int) int // where an entry of block b is in the weight
}

// Full is the rank of the matrices that nothing is cut from.
func (u *Unfolding) Full() int { return min(u.Rows, u.Cols) }

// At is what a rank costs.
func (u *Unfolding) At(rank int) Cost {
	return Cost{int64(rank) * u.Each.MACs, int64(rank) * u.Each.Params}
}

// Saves says whether two layers of a rank take fewer multiply-accumulates than the layer as
// it is, and fewer parameters.
func (u *Unfolding) Saves(rank int) bool {
	c := u.At(rank)
	return c.MACs < u.Whole.MACs && c.Params < u.Whole.Params
}

// Unfold lays the layer's weight out. It gives nil where a scheme does not fit: Spatial and
// Decouple are ways of kernels.
func (l *Layer) Unfold(s Scheme) *Unfolding {
	u := &Unfolding{Weight: l.Weight, Scheme: s, Whole: l.whole}
	switch {
	case l.kernel == nil:
		if s != Channel {
			return nil
		}
		rows, cols, at := l.Matrix()
		u.Blocks, u.Rows, u.Cols = 1, rows, cols
		u.at = func(_, r, c int) int { return at(r, c) }
		u.Each = l.cost(l.outside*int64(rows), l.outside*int64(cols), int64(rows+cols))
	case l.node.Is("ConvTranspose"):
		if s != Channel {
			return nil
		}
		u.transposed(l)
	default:
		return u.conv(l)
	}
	return u
}

// cost adds up the multiply-accumulates of two layers.
func (l *Layer) cost(first, second, params int64) Cost { return Cost{first + second, params} }

// conv lays out the kernel of a convolution, [n, c/g, k, k'...].
func (u *Unfolding) conv(l *Layer) *Unfolding {
	n, cg, g := l.Const.Shape[0], l.Const.Shape[1], l.groups
	ng, k0, k1 := n/g, l.kernel[0], product(l.kernel[1:])
	k := k0 * k1
	p := func(positions int64, sizes ...int) int64 { return positions * int64(product(sizes)) }
	switch u.Scheme {
	case Channel: // n/g x (c/g k k')
		u.Blocks, u.Rows, u.Cols = g, ng, cg*k
		u.at = func(b, r, c int) int { return (b*ng+r)*cg*k + c }
		u.Each = l.cost(p(l.outside, g, cg, k), p(l.outside, n), int64(g*cg*k+n))
	case Spatial: // (c/g k) x (n/g k')
		if len(l.kernel) < 2 || k == 1 {
			return nil
		}
		u.Blocks, u.Rows, u.Cols = g, cg*k0, ng*k1
		u.at = func(b, r, c int) int {
			return (((b*ng+c/k1)*cg+r/k0)*k0+r%k0)*k1 + c%k1
		}
		u.Each = l.cost(p(l.between, g, cg, k0), p(l.outside, n, k1), int64(g*cg*k0+n*k1))
	case Decouple: // for each output, c/g x (k k')
		if k == 1 || cg == 1 {
			return nil
		}
		u.Blocks, u.Rows, u.Cols = n, cg, k
		u.at = func(b, r, c int) int { return (b*cg+r)*k + c }
		u.Each = l.cost(p(l.inside, n, cg), p(l.outside, n, k), int64(n*cg+n*k))
	default:
		return nil
	}
	return u
}

// transposed lays out the kernel of a transposed convolution, [c, n/g, k, k'...]: c/g x
// (n/g k k'), which becomes 1 by 1 from c to e channels, and then the kernel from e to n.
func (u *Unfolding) transposed(l *Layer) {
	c, ng, g, k := l.Const.Shape[0], l.Const.Shape[1], l.groups, product(l.kernel)
	u.Blocks, u.Rows, u.Cols = g, c/g, ng*k
	u.at = func(b, r, col int) int { return (b*(c/g)+r)*ng*k + col }
	u.Each = l.cost(l.inside*int64(c), l.inside*int64(g*ng*k), int64(c+g*ng*k))
}

func product(x []int) int {
	p := 1
	for _, n := range x {
		p *= n
	}
	return p
}
