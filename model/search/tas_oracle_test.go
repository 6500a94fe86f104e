package search

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/internal/oracle"
	"pare/model"
)

// The network of this test is a chain of 10, 12, 6 and 3. With a and b hidden units it takes
// 10 a + a b + 3 b multiply-accumulates of 210.
const sizes = "mlp:10-12-6-3"

// interpolated is the matrix [12 or 6][c] that brings the first c of n units to o.
func interpolated(n, c, o int) [][]float64 {
	m := make([][]float64, n)
	for t := range m {
		m[t] = make([]float64, n)
		if t >= o {
			continue
		}
		lo := int(math.Floor(float64(t*c) / float64(o)))
		hi := int(math.Ceil(float64((t+1)*c) / float64(o)))
		for s := lo; s < hi; s++ {
			m[t][s] = 1 / float64(hi-lo)
		}
	}
	return m
}

// mixed is the mean loss of a batch of a chain whose hidden units go through matrices before
// the ReLU. It leaves the gradients in the parameters, and gives those of the matrices. With
// a teacher the loss is (1 - share) times cross-entropy and share times the divergence of
// the outputs over t.
func mixed(n *oracle.Net, mix [][][]float64, b oracle.Batch, teacher [][]float64, share, t float64) (loss float64, dMix [][][]float64) {
	size := float64(len(b.X))
	for _, p := range n.Tensors() {
		clear(p.G)
	}
	for _, m := range mix {
		d := make([][]float64, len(m))
		for i := range d {
			d[i] = make([]float64, len(m[i]))
		}
		dMix = append(dMix, d)
	}
	soft := func(x []float64, t float64) []float64 {
		sum, out := 0.0, make([]float64, len(x))
		for c, v := range x {
			out[c] = math.Exp((v - slices.Max(x)) / t)
			sum += out[c]
		}
		for c := range out {
			out[c] /= sum
		}
		return out
	}
	for s, x := range b.X {
		var in, made, before [][]float64 // what a layer reads and makes, and what goes into the ReLU
		for l, layer := range n.Layers {
			in = append(in, x)
			y := make([]float64, layer.Out)
			for o := range y {
				y[o] = layer.B.X[o]
				for k, u := range x {
					y[o] += layer.W.X[o*layer.In+k] * u
				}
			}
			made = append(made, y)
			if l < len(n.Layers)-1 && mix != nil {
				z := make([]float64, len(y))
				for o := range z {
					for k, u := range y {
						z[o] += mix[l][o][k] * u
					}
				}
				y = z
			}
			before = append(before, y)
			x = slices.Clone(y)
			for o := range x {
				if l < len(n.Layers)-1 {
					x[o] = math.Max(0, x[o])
				}
			}
		}
		p, d := soft(x, 1), make([]float64, len(x))
		for c := range d {
			d[c] = (1 - share) * p[c] / size
		}
		d[b.Y[s]] -= (1 - share) / size
		loss -= (1 - share) * math.Log(p[b.Y[s]]) / size
		if teacher != nil {
			want, got := soft(teacher[s], t), soft(x, t)
			for c := range d {
				loss += share * t * t * want[c] * math.Log(want[c]/got[c]) / size
				d[c] += share * t * (got[c] - want[c]) / size
			}
		}
		for l := len(n.Layers) - 1; l >= 0; l-- {
			layer := n.Layers[l]
			if l < len(n.Layers)-1 {
				for o := range d {
					if before[l][o] <= 0 {
						d[o] = 0
					}
				}
				if mix != nil {
					back := make([]float64, len(d))
					for o, e := range d {
						for k := range back {
							dMix[l][o][k] += e * made[l][k]
							back[k] += e * mix[l][o][k]
						}
					}
					d = back
				}
			}
			back := make([]float64, layer.In)
			for o, e := range d {
				layer.B.G[o] += e
				for k, u := range in[l] {
					layer.W.G[o*layer.In+k] += e * u
					back[k] += e * layer.W.X[o*layer.In+k]
				}
			}
			d = back
		}
	}
	return loss, dMix
}

// byHand is the method in plain loops on the chain: the training that it makes, the logits
// of widths, and the units that are kept.
func byHand(t *testing.T, j *model.Job, s *TAS) (frames []*oracle.Frame, net *oracle.Net, logits [2][]float64, kept [2]int) {
	choices := [2][]int{{3, 4, 6, 7, 8, 9, 10, 12}, {1, 2, 3, 4, 5, 6}}
	units := [2]int{12, 6}
	n := oracle.Read(t, j.Graph)
	teacher := n.Clone()
	half, second, err := j.Data.Train.Split(.5, j.Seed)
	if err != nil {
		t.Fatal(err)
	}
	a := oracle.NewStream(t, half, j.Data.Norm, j.Recipe.Batch, true, j.Seed)
	b := oracle.NewStream(t, second, j.Data.Norm, j.Recipe.Batch, true, j.Seed^0x7a5)
	r := &oracle.Training{Net: n, Stream: a, Recipe: j.Recipe, Steps: s.Search * a.Steps()}
	first := rand.New(rand.NewPCG(j.Seed, 0x7a5))
	var m, v [2][]float64
	for l := range 2 {
		for range choices[l] {
			logits[l] = append(logits[l], .01*first.NormFloat64())
		}
		m[l], v[l] = make([]float64, len(choices[l])), make([]float64, len(choices[l]))
	}
	softmax := func(x []float64) []float64 {
		sum, out := 0.0, make([]float64, len(x))
		for k := range x {
			out[k] = math.Exp(x[k])
			sum += out[k]
		}
		for k := range out {
			out[k] /= sum
		}
		return out
	}
	type drawn struct {
		at    [2]int
		share [2]float64
	}
	tau := 0.0
	draw := func(step, which int) (out [2]drawn, mix [][][]float64) {
		random := rand.New(rand.NewPCG(j.Seed, 0x7a5<<48|uint64(step)<<1|uint64(which)))
		tau = s.Cold + (s.Hot-s.Cold)*(1+math.Cos(math.Pi*float64(step/a.Steps())/float64(s.Search)))/2
		for l := range 2 {
			p := softmax(logits[l])
			o := make([]float64, len(p))
			for k := range o {
				o[k] = (math.Log(p[k]) - math.Log(-math.Log(random.Float64()))) / tau
			}
			q := softmax(o)
			gone := -1
			for x := range 2 {
				sum := 0.0
				for k := range q {
					if k != gone {
						sum += q[k] + 1e-7
					}
				}
				at, u := -1, random.Float64()*sum
				for k := range q {
					if k != gone && u >= 0 {
						at = k
						u -= q[k] + 1e-7
					}
				}
				out[l].at[x], gone = at, at
			}
			i, k := out[l].at[0], out[l].at[1]
			out[l].share = [2]float64(softmax([]float64{o[i], o[k]}))
			most := max(choices[l][i], choices[l][k])
			sum := interpolated(units[l], choices[l][i], most)
			for x, row := range interpolated(units[l], choices[l][k], most) {
				for y := range row {
					sum[x][y] = out[l].share[0]*sum[x][y] + out[l].share[1]*row[y]
				}
			}
			mix = append(mix, sum)
		}
		return out, mix
	}
	cost := func(x, y float64) float64 { return (10*x + x*y + 3*y) / 210 }
	for step := range r.Steps {
		_, mix := draw(step, 0)
		loss, _ := mixed(n, mix, r.Batch(step), nil, 0, 1)
		for _, p := range n.Tensors() {
			r.Move(p, step)
		}
		frames = append(frames, &oracle.Frame{Loss: loss})

		of, mix := draw(step, 1)
		_, dMix := mixed(n, mix, b.Batch(step/a.Steps(), step%a.Steps()%b.Steps()), nil, 0, 1)
		var expected, chosen [2]float64
		var prob [2][]float64
		for l := range 2 {
			prob[l] = softmax(logits[l])
			for k, p := range prob[l] {
				expected[l] += p * float64(choices[l][k])
			}
			chosen[l] = float64(choices[l][slices.Index(logits[l], slices.Max(logits[l]))])
		}
		e, f, way := cost(expected[0], expected[1]), cost(chosen[0], chosen[1]), 0.0
		if f > .5 {
			way = 1
		} else if f < .5-s.Tolerance {
			way = -1
		}
		slope := [2]float64{(10 + expected[1]) / 210, (expected[0] + 3) / 210}
		for l := range 2 {
			var d [2]float64 // by the shares
			for x := range 2 {
				c := interpolated(units[l], choices[l][of[l].at[x]], max(choices[l][of[l].at[0]], choices[l][of[l].at[1]]))
				for o := range c {
					for k := range c[o] {
						d[x] += dMix[l][o][k] * c[o][k]
					}
				}
			}
			g := make([]float64, len(choices[l]))
			p := of[l].share
			g[of[l].at[0]] += p[0] * p[1] * (d[0] - d[1]) / tau
			g[of[l].at[1]] -= p[0] * p[1] * (d[0] - d[1]) / tau
			for k := range g {
				g[k] += s.Cost * way / e * slope[l] * prob[l][k] * (float64(choices[l][k]) - expected[l])
				g[k] += s.ArchDecay * logits[l][k]
				m[l][k] = .5*m[l][k] + .5*g[k]
				v[l][k] = .999*v[l][k] + .001*g[k]*g[k]
				up := 1 - math.Pow(.5, float64(step+1))
				logits[l][k] -= s.ArchLR * m[l][k] / up / (math.Sqrt(v[l][k]/(1-math.Pow(.999, float64(step+1)))) + 1e-8)
			}
		}
	}
	for l := range 2 {
		kept[l] = choices[l][slices.Index(logits[l], slices.Max(logits[l]))]
	}
	if c := cost(float64(kept[0]), float64(kept[1])); c > .5 || c < .5-s.Tolerance {
		t.Fatalf("the search by hand ends at %v, which the method would move", c)
	}
	net = teacher.Clone() // the first units of the network as it was
	for l := range 2 {
		keep := make([]bool, units[l])
		for k := range kept[l] {
			keep[k] = true
		}
		net.Narrow(l, keep)
	}
	last := &oracle.Training{Net: net, Stream: oracle.Trained(t, j), Recipe: j.Recipe}
	last.Steps = j.Recipe.Epochs * last.Stream.Steps()
	for step := range last.Steps {
		batch := last.Batch(step)
		_, y := teacher.Forward(batch.X)
		loss, _ := mixed(net, nil, batch, y, s.Transfer, s.Temperature)
		for _, p := range net.Tensors() {
			last.Move(p, step)
		}
		frames = append(frames, &oracle.Frame{Loss: loss})
	}
	return frames, net, logits, kept
}

// The method is the one by hand: the loss of every step, and the network at the end.
func TestTASOracle(t *testing.T) {
	for _, transfer := range []float64{0, .9} {
		j := oracle.Job(t, sizes, 240, 20, 3, 4)
		s := NewTAS()
		s.Search, s.ArchLR, s.Weights, s.Transfer, s.Tolerance = 12, .04, "kept", transfer, .08
		frames, net, logits, kept := byHand(t, j, s)
		r := &oracle.Training{Net: net, Frames: frames}
		res := r.Follow(t, s, j)
		f := res.Facts.(*TASFacts)
		want := float64(10*kept[0]+kept[0]*kept[1]+3*kept[1]) / 210
		if f.Moves != 0 || math.Abs(f.Found-want) > 1e-12 || math.Abs(f.Searched-want) > 1e-12 || f.Widths[0].Kept != kept[0] || f.Widths[1].Kept != kept[1] {
			t.Errorf("%+v, want %v units at %v", f, kept, want)
		}
		for l := range 2 {
			sum := 0.0
			for _, x := range logits[l] {
				sum += math.Exp(x - slices.Max(logits[l]))
			}
			if got := f.Widths[l].Probability; math.Abs(got-1/sum) > 1e-4 {
				t.Errorf("probability %v of layer %d, want %v", got, l, 1/sum)
			}
		}
	}
}
