package search

import "pare/internal/kernel"

// chosen is the network of the highest logits.
func (h *shaping) chosen() Arch {
	var a Arch
	for _, of := range h.width {
		a.Width = append(a.Width, kernel.Argmax(of))
	}
	for _, of := range h.depth {
		a.Depth = append(a.Depth, kernel.Argmax(of))
	}
	return a
}

// expected is what the cost is by the softmax of the logits, which it leaves in pWidth and
// pDepth.
func (h *shaping) expected() [2]float64 {
	for i, of := range h.width {
		softmax(of, h.pWidth[i])
	}
	for i, of := range h.depth {
		softmax(of, h.pDepth[i])
	}
	return h.net.Cost(h.pWidth, h.pDepth)
}

// price adds the gradient of the cost to dWidth and dDepth.
func (h *shaping) price() {
	e, f := h.expected(), h.net.At(h.chosen())
	var by [2]float64
	for k, most := range h.budget {
		if most > 0 {
			by[k] = h.lambda * sign(f[k], most, h.tolerance) / e[k]
		}
	}
	if by == [2]float64{} {
		return
	}
	h.net.CostGradient(h.pWidth, h.pDepth, by, h.cWidth, h.cDepth)
	for k, p := range [2][][]float64{h.pWidth, h.pDepth} {
		c, d := [2][][]float64{h.cWidth, h.cDepth}[k], [2][][]float64{h.dWidth, h.dDepth}[k]
		for i := range p {
			mean := 0.0
			for x := range p[i] {
				mean += p[i][x] * c[i][x]
			}
			for x := range p[i] {
				d[i][x] += p[i][x] * (c[i][x] - mean)
			}
		}
	}
}

// sign says which way the expected cost is to go: 1 down, -1 up, 0 where the cost is right.
func sign(cost, most, tolerance float64) float64 {
	switch {
	case cost > most:
		return 1
	case cost < most-tolerance:
		return -1
	}
	return 0
}
