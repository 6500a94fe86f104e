package kernel

// slabBytes is how much of the first cache a slab of the input may take.
const slabBytes = 22 << 10

// DenseCost estimates the cycles that a dense product of [m,k] and [k,n], or a
// convolution of as many multiply-accumulates, takes on one core.
func DenseCost(m, n, k int) float64 {
	wide := float64(m) * float64(k) * float64((n+7)/8*8) / 16
	if isa == AVX512 {
		return wide
	}
	return 1.15 * wide
}

// slabCost estimates the cycles in which a sparse kernel takes entries that nz
// rows and slabs share, for tiles of nv vectors of vec floats whose slab takes
// so many bytes; across says that vectors may lie across lines of the cache. The numbers were fitted to BenchmarkSparseTile on Zen 4.
func slabCost(entries, rows float64, nv, vec, bytes int, across bool) float64 {
	load, row := 1.1, 1.5 // of a vector: for an entry, and for a row
	if vec == 8 {
		load, row = .58, .9
	}
	if across {
		load *= 1.6
	}
	if bytes > 30<<10 && across {
		load *= 1.35
	} else if bytes > 30<<10 { // from the second cache
		load *= 1.85
	}
	return entries*(.7+load*float64(nv)) + rows*(12+row*float64(nv))
}

// slabOf chooses how many of n inputs go into a slab: all, or as many as the
// first cache holds. per is the bytes of one input in a tile, entries the
// number of weights that are not zero, rows that of the outputs.
func slabOf(n, per, entries, rows, nv, vec int, across bool) (slab int, cost float64) {
	cost = slabCost(float64(entries), float64(rows), nv, vec, n*per, across)
	if n*per <= slabBytes {
		return n, cost
	}
	slabs := (n*per + slabBytes - 1) / slabBytes
	slabs = min(slabs, n)
	slab = (n + slabs - 1) / slabs
	slabs = (n + slab - 1) / slab
	// sums are stored and loaded again for each slab
	cut := slabCost(float64(entries), float64(slabs*rows), nv, vec, slab*per, across) + float64(slabs*rows*nv*vec)/16*1.1
	if cut < cost {
		return slab, cut
	}
	return n, cost
}
