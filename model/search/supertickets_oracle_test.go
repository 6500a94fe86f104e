package search

import (
	"math"
	"slices"
	"sort"
	"testing"

	"pare/internal/oracle"
	"pare/model"
)

// drawnByHand is the method with frozen weights in plain loops on the chain, with
// normalisation behind the first two layers.
func drawnByHand(t *testing.T, j *model.Job, s *SuperTickets, every int) (*oracle.Training, *SuperTicketsFacts) {
	n := oracle.Read(t, j.Graph)
	stream := oracle.Trained(t, j)
	r := &oracle.Training{Net: n, Stream: stream, Recipe: j.Recipe, Steps: j.Recipe.Epochs * stream.Steps()}
	units := [2]int{12, 6}
	var alive [2][]bool
	var average [2][]float64
	var stored [3][]float64
	var frozen [3][]bool // the masks
	for l := range 2 {
		alive[l], average[l] = slices.Repeat([]bool{true}, units[l]), slices.Clone(n.Layers[l].Norm.Scale.X)
	}
	mask := false
	there := func(l, o, k int) bool {
		return (l == 2 || alive[l][o]) && (l == 0 || alive[l-1][k])
	}
	write := func() {
		for l, layer := range n.Layers {
			for i := range layer.W.X {
				if layer.W.X[i] = stored[l][i]; mask && !layer.W.Mask[i] {
					layer.W.X[i] = 0
				}
			}
		}
	}
	died := 0
	for step := range r.Steps {
		b := r.Batch(step)
		loss := n.Gradient(b)
		rho := s.Rho
		if warm := int(math.Round(s.Warm.X / 100 * float64(r.Steps))); step < warm {
			rho *= float64(step) / float64(warm)
		}
		count := [2]float64{float64(oracle.Count(alive[0])), float64(oracle.Count(alive[1]))}
		price := [2]float64{10 + count[1], count[0] + 3}
		mean := (price[0]*count[0] + price[1]*count[1]) / (count[0] + count[1])
		for l := range 2 {
			m := n.Layers[l].Norm
			for u, x := range m.Scale.X {
				if !alive[l][u] {
					for _, p := range []*oracle.Tensor{m.Scale, m.Shift} {
						p.X[u], p.G[u], p.M[u] = 0, 0, 0
					}
					continue
				}
				m.Scale.G[u] += rho * price[l] / mean * math.Copysign(1, x)
				m.Scale.G[u] -= j.Recipe.Decay * x // it has none
			}
		}
		for l, layer := range n.Layers {
			if mask {
				for i, keep := range layer.W.Mask {
					if !keep {
						layer.W.G[i], layer.W.M[i] = 0, 0
					}
				}
				layer.W.Mask = nil
				copy(layer.W.X, stored[l])
			}
			for _, p := range []*oracle.Tensor{layer.W, layer.B} {
				r.Move(p, step)
			}
			if layer.Norm != nil {
				r.Move(layer.Norm.Scale, step)
				r.Move(layer.Norm.Shift, step)
			}
			stored[l] = slices.Clone(layer.W.X)
		}
		n.MoveStatistics(len(b.X), .9)
		keep := math.Min(s.Average, float64(2+step)/float64(11+step))
		for l := range 2 {
			for u, x := range n.Layers[l].Norm.Scale.X {
				average[l][u] = keep*average[l][u] + (1-keep)*x
			}
		}
		last := step+1 == r.Steps
		if mask { // the masks of the step before go on
			for l, layer := range n.Layers {
				layer.W.Mask = frozen[l]
			}
			write()
		}
		if (step+1)%every == 0 || last {
			size := func(l, u int) float64 {
				if last {
					return math.Abs(average[l][u])
				}
				return math.Max(math.Abs(average[l][u]), math.Abs(n.Layers[l].Norm.Scale.X[u]))
			}
			next := [2][]bool{slices.Clone(alive[0]), slices.Clone(alive[1])}
			for l := range 2 {
				best := -1
				for u := range units[l] {
					if alive[l][u] && (best < 0 || size(l, u) > size(l, best)) {
						best = u
					}
				}
				for u := range units[l] {
					if alive[l][u] && u != best && size(l, u) <= s.Tau {
						next[l][u] = false
						died++
					}
				}
			}
			for l := range 2 {
				m, behind := n.Layers[l].Norm, n.Layers[l+1]
				for u := range units[l] {
					if next[l][u] || !alive[l][u] {
						continue
					}
					for o := range behind.Out {
						behind.B.X[o] += behind.W.X[o*behind.In+u] * math.Max(0, m.Shift.X[u])
					}
					for _, p := range []*oracle.Tensor{m.Scale, m.Shift} {
						p.X[u], p.G[u], p.M[u] = 0, 0, 0
					}
				}
			}
			alive = next
			share := math.Min(float64((step+every)/every)/10, s.Sparsity)
			if last {
				share = s.Sparsity
			}
			type entry struct {
				l, i int
				x    float64
			}
			var all []entry
			for l, layer := range n.Layers {
				for i, x := range stored[l] {
					if there(l, i/layer.In, i%layer.In) {
						all = append(all, entry{l, i, math.Abs(x)})
					}
				}
			}
			sort.SliceStable(all, func(a, b int) bool { return all[a].x < all[b].x })
			for l, layer := range n.Layers {
				layer.W.Mask = make([]bool, len(layer.W.X))
				for i := range layer.W.Mask {
					layer.W.Mask[i] = there(l, i/layer.In, i%layer.In)
				}
			}
			for _, e := range all[:int(math.Floor(share*float64(len(all))+1e-9))] {
				n.Layers[e.l].W.Mask[e.i] = false
			}
			for l, layer := range n.Layers {
				frozen[l] = layer.W.Mask
			}
			mask = true
			write()
		}
		r.Frames = append(r.Frames, &oracle.Frame{Loss: loss})
	}
	for l := range 2 {
		m := n.Layers[l].Norm
		var masks, next []bool
		for i, keep := range n.Layers[l].W.Mask {
			if alive[l][i/n.Layers[l].In] {
				masks = append(masks, keep)
			}
		}
		for i, keep := range n.Layers[l+1].W.Mask {
			if alive[l][i%n.Layers[l+1].In] {
				next = append(next, keep)
			}
		}
		n.Narrow(l, alive[l])
		n.Layers[l].W.Mask, n.Layers[l+1].W.Mask = masks, next
		narrow := func(x []float64) (out []float64) {
			for u, keep := range alive[l] {
				if keep {
					out = append(out, x[u])
				}
			}
			return out
		}
		m.Scale, m.Shift = oracle.NewTensor(m.Scale.Name, narrow(m.Scale.X)), oracle.NewTensor(m.Shift.Name, narrow(m.Shift.X))
		m.Mean, m.Variance = narrow(m.Mean), narrow(m.Variance)
	}
	stream.Recalibrate(n, 50)
	f := &SuperTicketsFacts{Units: 18, Dead: died}
	for _, l := range n.Layers {
		f.Weights += len(l.W.X)
		f.Nonzero += oracle.Count(l.W.Mask)
	}
	return r, f
}

// The method is the one by hand: the loss of every step, and network, masks and counts at the
// end, with units that die on the way and at the end.
func TestTicketsOracle(t *testing.T) {
	j := oracle.Job(t, sizes, 200, 20, 4, 4)
	oracle.Normalise(t, j)
	s := NewSuperTickets()
	s.Sparsity, s.Rho, s.Tau, s.Average, s.Worth = .45, .1, .25, .8, 0
	hand, want := drawnByHand(t, j, s, 40/15)
	got := hand.Follow(t, s, j).Facts.(*SuperTicketsFacts)
	if got.Units != want.Units || got.Dead != want.Dead || got.Weights != want.Weights || got.Nonzero != want.Nonzero || got.Dead < 3 {
		t.Errorf("%+v, want %+v", got, want)
	}
}
