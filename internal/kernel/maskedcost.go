package kernel

// Costs of masked passes in cycles of a core, fitted to times of training's shapes
// with activations that are not in the first caches, as they are within a step.
const (
	valueCost = 3.0 // of an entry that is read from, or written to, the dense weight
	rowCost   = 20  // of a sparse row in a tile
)

// moveCost is the cost of reading or writing n activations in another layout.
func moveCost(n int) float64 {
	switch {
	case n <= 1<<18: // they are in the second cache
		return .6 * float64(n)
	case n <= 1<<20:
		return 1.3 * float64(n)
	}
	return 2 * float64(n)
}

// scanCost is the cost of passing over a dense weight of n numbers.
func scanCost(n int) float64 { return moveCost(n) / 5 }

// loadCost is the cost of multiplying by a vector of vec floats, where what all
// entries pick from takes that number of bytes.
func loadCost(vec, bytes int) float64 {
	load := 1.4
	switch {
	case bytes > 256<<10:
		load = 3
	case bytes > 32<<10:
		load = 1.9
	}
	if vec == 8 {
		load /= 1.9
	}
	return load
}

// sumCost is the cost of an entry of a weight in a tile of nv vectors.
func sumCost(nv, vec, bytes int) float64 { return 1 + loadCost(vec, bytes)*float64(nv) }

// sampleCost is the cost of an entry of a gradient in a call over nv vectors.
func sampleCost(nv, vec, bytes int) float64 {
	return 5 + max(loadCost(vec, bytes), loadCost(vec, 0)*1.1)*float64(nv)
}
