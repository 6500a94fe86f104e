package prune

import (
	"math"
	"math/rand/v2"
)

// Signed gives every entry of a weight the sign that it has in old (Zhou, Lan,
// Liu, Yosinski 2019): what a draw of new magnitudes leaves of a ticket.
func Signed(w *Weight, old []float32) {
	for i, x := range w.Data() {
		w.Data()[i] = float32(math.Copysign(float64(x), float64(old[i])))
	}
}

// Permute puts the entries of a weight at random places: a draw from the layer's
// own values, whatever they were drawn from.
func Permute(w *Weight, seed uint64, layer int) {
	x := w.Data()
	rand.New(rand.NewPCG(seed, 0x9e12<<32|uint64(layer))).Shuffle(len(x), func(i, k int) { x[i], x[k] = x[k], x[i] })
}
