package calibrated

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/graph"
	"pare/internal/answer"
	"pare/internal/modeltest"
	"pare/internal/oracle"
	"pare/prune/allocate"
)

// permutations calls f with every order of n numbers.
func permutations(n int, f func([]int)) {
	var next func(p []int)
	next = func(p []int) {
		if len(p) == n {
			f(p)
			return
		}
		for i := range n {
			if !slices.Contains(p, i) {
				next(append(slices.Clone(p), i))
			}
		}
	}
	next(nil)
}

// The assignment is that of the largest sum, found by trying all.
func TestAssign(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 7 {
		for range 20 {
			gain := make([]float64, n*n)
			for i := range gain {
				gain[i] = float64(r.IntN(9) - 3) // ties, and losses
			}
			sum := func(p []int) (s float64) {
				for row, col := range p {
					s += gain[row*n+col]
				}
				return s
			}
			best := math.Inf(-1)
			permutations(n, func(p []int) { best = math.Max(best, sum(p)) })
			got := assign(n, func(r, c int) float64 { return gain[r*n+c] })
			if s := slices.Sorted(slices.Values(got)); n > 0 && (s[0] != 0 || s[n-1] != n-1 || len(slices.Compact(s)) != n) {
				t.Fatalf("%v is no assignment", got)
			}
			if sum(got) != best {
				t.Fatalf("%v brings %v of %v", got, sum(got), best)
			}
		}
	}
}

// stays is the sum of the two largest of every four, for columns in an order.
func stays(rate [][]float64, order []int) (sum float64) {
	for _, row := range rate {
		for at := 0; at < len(order); at += 4 {
			four := []float64{row[order[at]], row[order[at+1]], row[order[at+2]], row[order[at+3]]}
			slices.Sort(four)
			sum += four[2] + four[3]
		}
	}
	return sum
}

// RIA with 2:4 and its channels in another order, computed once more: the columns are dealt
// out by their sums, and then, place by place, exchanged among the fours in the best of all
// orders, found by trying them. What makes the channels is put into the same order.
func TestPermuteOracle(t *testing.T) {
	two, err := allocate.ParsePattern("2:4")
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"heuristic", "assignment"} {
		s := NewRIA()
		s.Pattern, s.Permute, s.Samples.Samples = two, how, 100
		j := oracle.Job(t, "mlp:10-16-12-4", 200, 20, 0, 9)
		r := oracle.NewTraining(t, j)
		x := oracle.NewStream(t, j.Data.Train, j.Data.Norm, 100, true, j.Seed).Batch(0, 0).X
		orders := map[int][]int{}
		for l, layer := range r.Net.Layers {
			in, _ := r.Net.Forward(x)
			p := part{x: in[l]}
			for o := range layer.Out {
				p.w = append(p.w, layer.W.X[o*layer.In:(o+1)*layer.In])
			}
			if l == 0 { // its inputs are the network's
				layer.W.Mask = relative(t, []part{p}, s, true)
				continue
			}
			rate := rates(p, s.Power)
			order := dealt(rate)
			for place := range 4 {
				if how == "heuristic" {
					break
				}
				best, now := slices.Clone(order), stays(rate, order)
				permutations(len(order)/4, func(q []int) {
					try := slices.Clone(order)
					for to, from := range q {
						try[to*4+place] = order[from*4+place]
					}
					if v := stays(rate, try); v > now+1e-9 {
						best, now = try, v
					}
				})
				order = best
			}
			plain := make([]int, len(order))
			for k := range plain {
				plain[k] = k
			}
			if stays(rate, order) <= stays(rate, plain) { // the order of the file is better
				order = plain
			} else {
				orders[l] = order
			}
			layer.W.Mask = make([]bool, layer.Out*layer.In)
			for o, row := range rate {
				for at := 0; at < len(order); at += 4 {
					four := []float64{row[order[at]], row[order[at+1]], row[order[at+2]], row[order[at+3]]}
					for i, keep := range oracle.Best(t, four, 2, oracle.KeepFirst) {
						if layer.W.Mask[o*layer.In+order[at+i]] = keep; !keep {
							layer.W.X[o*layer.In+order[at+i]] = 0
						}
					}
				}
			}
		}
		if len(orders) == 0 {
			t.Fatal("nothing is to be won: choose another seed")
		}
		for l, order := range orders {
			a, b := r.Net.Layers[l-1], r.Net.Layers[l]
			oldX, oldM := slices.Clone(a.W.X), slices.Clone(a.W.Mask)
			bias, readX, readM := slices.Clone(a.B.X), slices.Clone(b.W.X), slices.Clone(b.W.Mask)
			for i, k := range order {
				copy(a.W.X[i*a.In:(i+1)*a.In], oldX[k*a.In:])
				copy(a.W.Mask[i*a.In:(i+1)*a.In], oldM[k*a.In:])
				a.B.X[i] = bias[k]
				for o := range b.Out {
					b.W.X[o*b.In+i], b.W.Mask[o*b.In+i] = readX[o*b.In+k], readM[o*b.In+k]
				}
			}
		}
		res := r.Run().Follow(t, s, j)
		if f := res.Facts.(*RIAFacts); len(f.Orders) != len(orders) {
			t.Errorf("%s: %d layers were put into another order, want %d", how, len(f.Orders), len(orders))
		}
	}
}

// rates are those of RIA, [outs][cols].
func rates(p part, power float64) [][]float64 {
	out := make([][]float64, len(p.w))
	for o, w := range p.w {
		for k := range w {
			square, row, column := 0.0, 0.0, 0.0
			for _, x := range p.x {
				square += x[k] * x[k]
			}
			for i := range w {
				row += math.Abs(w[i])
			}
			for i := range p.w {
				column += math.Abs(p.w[i][k])
			}
			out[o] = append(out[o], (math.Abs(w[k])/row+math.Abs(w[k])/column)*math.Pow(math.Sqrt(square), power))
		}
	}
	return out
}

// dealt gives the fours their columns by the columns' sums: the lowest of each first and up,
// the next down, and so on.
func dealt(rate [][]float64) []int {
	cols := len(rate[0])
	sum, order := make([]float64, cols), make([]int, 0, cols)
	for k := range cols {
		order = append(order, k)
		for _, row := range rate {
			sum[k] += row[k]
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		if sum[a] < sum[b] {
			return -1
		}
		return 1
	})
	fours := cols / 4
	out := make([]int, cols)
	for rank, k := range order {
		place, four := rank/fours, rank%fours
		if place%2 == 1 {
			four = fours - 1 - four
		}
		out[four*4+place] = k
	}
	return out
}

// The order changes nothing but which weights stay: the network that comes out computes what
// the network before does with the same weights cut, every layer holds the pattern, and more
// of the rates stays after each step.
func TestPermute(t *testing.T) {
	two, err := allocate.ParsePattern("2:4")
	if err != nil {
		t.Fatal(err)
	}
	j := modeltest.Job(t, 1)
	j.Recipe.Recover = "solve,train"
	s := NewRIA()
	s.Pattern, s.Permute = two, "assignment"
	r := modeltest.Run(t, s, j)
	f := r.Facts.(*RIAFacts)
	if len(f.Orders) == 0 {
		t.Fatal("no layer was put into another order")
	}
	for _, o := range f.Orders {
		if o.Heuristic <= o.Plain || o.Assigned < o.Heuristic {
			t.Errorf("%+v", o)
		}
	}
	for l, w := range r.Masks.Weights {
		rows, cols, at := w.Matrix()
		for o := range rows {
			for k := 0; k+4 <= cols; k += 4 {
				n := 0
				for i := k; i < k+4; i++ {
					if r.Masks.Mask[l].Kept(at(o, i)) {
						n++
					} else if w.Data()[at(o, i)] != 0 {
						t.Fatalf("%s: what is cut is not zero", w.Name)
					}
				}
				if n != 2 {
					t.Fatalf("%s: %d of 4 stay", w.Name, n)
				}
			}
		}
	}
}

// A network of which nothing is cut by the mask computes the same in its new order.
func TestPermuteKeepsFunction(t *testing.T) {
	j := modeltest.Job(t, 0)
	before, _ := j.Graph.Clone(true)
	r := rand.New(rand.NewPCG(2, 2))
	by := &orders{readers: readers(j.Graph)}
	for v, reader := range by.readers {
		by.found = append(by.found, ChannelOrder{Layer: v.Name, from: r.Perm(len(reader.at))})
	}
	if len(by.found) == 0 {
		t.Fatal("no layer can be put into another order")
	}
	nothing := NewWanda()
	nothing.Sparsity = 0
	res := modeltest.Run(t, nothing, j)
	if err := by.apply(res); err != nil {
		t.Fatal(err)
	}
	answer.Same(t, "in another order", answer.ToNoise(t, before), answer.ToNoise(t, res.Graph))
	if same := func(a, b *graph.Graph) bool {
		return slices.Equal(a.Value("fc2.weight").Const.F32(), b.Value("fc2.weight").Const.F32())
	}; same(before, res.Graph) {
		t.Error("nothing was moved")
	}
}

func TestPermuteBadInput(t *testing.T) {
	s := NewRIA()
	s.Permute = "heuristic"
	modeltest.Refused(t, s, modeltest.Job(t, 0), "for an N:M Pattern")
}
