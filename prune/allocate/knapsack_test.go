package allocate

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// line is a curve of n weights with the distortion slope times the share cut.
func line(n, points int, slope float64) Curve {
	var c Curve
	for d := range points + 1 {
		c.Keep = append(c.Keep, n-n*d/points)
		c.Distortion = append(c.Distortion, slope*float64(d)/float64(points))
	}
	return c
}

// random is a convex or crooked curve down to a few weights.
func random(r *rand.Rand, n, points int) Curve {
	c := Curve{Keep: []int{n}, Distortion: []float64{0}}
	for d := 1; d < points; d++ {
		c.Keep = append(c.Keep, n-n*d/points)
		c.Distortion = append(c.Distortion, c.Distortion[d-1]+r.ExpFloat64()*math.Pow(float64(d), 2*r.Float64()))
	}
	return c
}

// cost is the distortion of keeping so many: that of the next point below.
func cost(curves []Curve, keep []int) float64 {
	s := 0.0
	for l, c := range curves {
		d := 0
		for c.Keep[d] > keep[l] {
			d++
		}
		s += c.Distortion[d]
	}
	return s
}

// brute tries all choices.
func brute(curves []Curve, budget int) float64 {
	if budget < 0 {
		return math.Inf(1)
	}
	if len(curves) == 0 {
		return 0
	}
	best := math.Inf(1)
	for d, k := range curves[0].Keep {
		best = min(best, curves[0].Distortion[d]+brute(curves[1:], budget-k))
	}
	return best
}

func TestKnapsackCheapestFirst(t *testing.T) {
	cheap, dear := line(100, 10, 1), line(100, 10, 3)
	for budget, want := range map[int][2]int{150: {50, 100}, 100: {0, 100}, 60: {0, 60}, 37: {0, 37}, 200: {100, 100}, 0: {0, 0}, 145: {45, 100}} {
		k, err := Knapsack([]Curve{cheap, dear}, budget, 1000)
		if err != nil || k[0] != want[0] || k[1] != want[1] {
			t.Errorf("budget %d: %v, %v, want %v", budget, k, err, want)
		}
	}
}

func TestKnapsackIsBest(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		var curves []Curve
		total, least := 0, 0
		for range 4 {
			c := random(r, 20+r.IntN(400), 6)
			curves = append(curves, c)
			total += c.Keep[0]
			least += c.Keep[len(c.Keep)-1]
		}
		for _, s := range []float64{.1, .4, .7, 1} {
			budget := least + int(s*float64(total-least))
			for _, units := range []int{1 << 20, 200, 50} {
				k, err := Knapsack(curves, budget, units)
				if err != nil {
					t.Fatal(err)
				}
				sum := 0
				for l, n := range k {
					sum += n
					if n > curves[l].Keep[0] || n < curves[l].Keep[len(curves[l].Keep)-1] {
						t.Errorf("layer %d keeps %d", l, n)
					}
				}
				if sum != budget {
					t.Errorf("seed %d: %d weights are kept of %d that may", seed, sum, budget)
				}
				got, want := cost(curves, k), brute(curves, budget)
				if units == 1<<20 && got > want+1e-12 || got < want-1e-12 {
					t.Errorf("seed %d, budget %d: distortion %v, the least is %v", seed, budget, got, want)
				}
				if b := budget - (total+units-1)/units; got > brute(curves, b)+1e-12 {
					t.Errorf("seed %d, budget %d, %d units: distortion %v, with a unit less %v is possible", seed, budget, units, got, brute(curves, b))
				}
			}
		}
	}
}

func TestKnapsackRefuses(t *testing.T) {
	short := Curve{Keep: []int{100, 50}, Distortion: []float64{0, 1}}
	for want, f := range map[string]func() error{
		"sparsity of at most 0.5000": func() error { _, err := Knapsack([]Curve{short, short}, 99, 100); return err },
		"0 units":                    func() error { _, err := Knapsack([]Curve{short}, 60, 0); return err },
		"curve 0 has 1 points":       func() error { _, err := Knapsack([]Curve{{Keep: []int{1}}}, 1, 9); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
	// least points that rounding makes too many still fit
	k, err := Knapsack([]Curve{{[]int{1000, 3}, []float64{0, 1}}, {[]int{1000, 4}, []float64{0, 2}}}, 7, 2)
	if err != nil || k[0] != 3 || k[1] != 4 {
		t.Errorf("%v, %v", k, err)
	}
}
