package kernel

// slabBytes is how much of the first cache a slab of the input may take, and a
// little more where that rounds it.
const slabBytes, slabMost = 24 << 10, 28 << 10

// DenseCost estimates the cycles that a dense product of [m,k] and [k,n], or a
// convolution of as many multiply-accumulates, takes on one core.
func DenseCost(m, n, k int) float64 {
	if m < 4 { // each weight is read once
		return float64(n) * float64(k) * .155
	}
	wide := float64(m) * float64(k) * float64((n+7)/8*8) / 16
	if isa == AVX512 {
		return wide
	}
	return 1.03 * wide
}

// sparseCount is what the cost of a sparse matrix depends on: its rows, and the
// entries of these, or where blocks is set those that four rows share.
type sparseCount struct {
	rows, entries int
	blocks        bool
}

// countSparse counts the entries of w, [rows, cols], in both forms; where rows is
// no multiple of four, there is one.
func countSparse(w []float32, rows, cols int) []sparseCount {
	forms := []sparseCount{{rows, NonZeros(w), false}}
	if rows%blockRows == 0 {
		shared := 0
		for r := 0; r < rows; r += blockRows {
			shared += sharedNonZeros(w[r*cols:], cols, cols)
		}
		forms = append(forms, sparseCount{rows, shared, true})
	}
	return forms
}

// slabCost estimates the cycles in which a sparse kernel takes the entries of a
// matrix in a number of slabs, for tiles of nv vectors of vec floats whose slab takes
// a number of bytes; across says that vectors may lie across lines of the cache. The
// numbers were fitted to BenchmarkSparse and BenchmarkSparseTile on Zen 4.
func slabCost(c sparseCount, slabs, nv, vec, bytes int, across bool) float64 {
	load, row := 1.06, 1.5 // of a vector: for an entry, and for a row
	if vec == 8 {
		load, row = .54, .9
	}
	rows := float64(slabs * c.rows)
	if slabs > 1 { // sums are stored and loaded again for each slab
		row += 1.1 * float64(vec) / 16
	}
	if c.blocks { // a vector serves four rows: it matters little where it comes from
		most := 4
		if isa == AVX2 || isa == NEON {
			most = 2
		}
		parts := float64((nv + most - 1) / most)
		return float64(c.entries)*(1.5*parts+.92*blockRows*load*float64(nv)) + rows*(5*parts+row*float64(nv))
	}
	if across {
		load *= 1.6
	}
	if bytes > 30<<10 && across {
		load *= 1.35
	} else if bytes > 30<<10 { // from the second cache
		load *= 1.85
	}
	return float64(c.entries)*(.5+load*float64(nv)) + rows*(12+row*float64(nv))
}

// slabOf chooses how many of n inputs go into a slab: all, or as many as the
// first cache holds. per is the bytes of one input in a tile.
func slabOf(n, per int, c sparseCount, nv, vec int, across bool) (slab int, cost float64) {
	cost = slabCost(c, 1, nv, vec, n*per, across)
	if n*per <= slabBytes {
		return n, cost
	}
	slabs := min(n, (n*per+slabBytes-1)/slabBytes)
	slab = (n + slabs - 1) / slabs
	slab = roundSlab(slab, per)
	if cut := slabCost(c, (n+slab-1)/slab, nv, vec, slab*per, across); cut < cost {
		return slab, cut
	}
	return n, cost
}

// roundSlab makes a slab a multiple of 8 or of 4 inputs: where that many of four
// neighbours count, all rows then have as many entries.
func roundSlab(slab, per int) int {
	for _, by := range []int{8, 4} {
		if up := (slab + by - 1) / by * by; up*per <= slabMost {
			return up
		}
	}
	return max(1, min(slab, slab&^3))
}
