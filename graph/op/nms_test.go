package op

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/graph"
	"pare/tensor"
)

// NonMaxSuppression against the greedy choice as its definition says it: again and again
// the best box that is left, unless it overlaps one that was taken.
func TestNonMaxSuppression(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		batch, classes, n := 1+r.IntN(2), 1+r.IntN(3), r.IntN(40)
		center := r.IntN(2)
		boxes, scores := tensor.New(tensor.Float32, batch, n, 4), tensor.New(tensor.Float32, batch, classes, n)
		for i := range boxes.F32() {
			boxes.F32()[i] = float32(r.IntN(9))
		}
		for i := range scores.F32() {
			if scores.F32()[i] = float32(r.IntN(12)) / 12; r.IntN(20) == 0 {
				scores.F32()[i] = float32(math.NaN())
			}
		}
		most, limit, least := int64(r.IntN(8)), float32(r.IntN(5))/5, float32(r.IntN(3))/4
		g, feed := oneNode(t, 11, "", "NonMaxSuppression", 1, []*tensor.Tensor{boxes, scores, tensor.Vector(most), tensor.Vector(limit), tensor.Vector(least)},
			graph.MakeAttr("center_point_box", center))
		got, err := Run(g, feed)
		if err != nil {
			t.Fatal(err)
		}
		sides := func(b, i int) (s [4]float64) {
			for k := range s {
				s[k] = float64(boxes.F32()[(b*n+i)*4+k])
			}
			if center == 1 {
				return [4]float64{s[1] - s[3]/2, s[0] - s[2]/2, s[1] + s[3]/2, s[0] + s[2]/2}
			}
			return [4]float64{min(s[0], s[2]), min(s[1], s[3]), max(s[0], s[2]), max(s[1], s[3])}
		}
		overlaps := func(p, q [4]float64) bool {
			h, w := max(0, min(p[2], q[2])-max(p[0], q[0])), max(0, min(p[3], q[3])-max(p[1], q[1]))
			area := (p[2]-p[0])*(p[3]-p[1]) + (q[2]-q[0])*(q[3]-q[1]) - h*w
			return h*w > 0 && h*w/area > float64(limit)
		}
		var want []int64
		for b := range batch {
			for c := range classes {
				var taken []int
				gone := make([]bool, n)
				for len(taken) < int(most) {
					best := -1
					for i := range n {
						if s := scores.F32()[(b*classes+c)*n+i]; !gone[i] && s > least && (best < 0 || s > scores.F32()[(b*classes+c)*n+best]) {
							best = i
						}
					}
					if best < 0 {
						break
					}
					gone[best] = true
					if slices.ContainsFunc(taken, func(k int) bool { return overlaps(sides(b, k), sides(b, best)) }) {
						continue
					}
					taken = append(taken, best)
					want = append(want, int64(b), int64(c), int64(best))
				}
			}
		}
		if x := tensor.Of[int64](got[g.Outputs[0].Name]); !slices.Equal(x, want) {
			t.Fatalf("boxes %v of scores %v, most %d, limit %v, least %v: %v, want %v", boxes.F32(), scores.F32(), most, limit, least, x, want)
		}
	}
}
