package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// box is a rectangle by its sides, and its area.
type box struct{ y0, x0, y1, x1, area float64 }

func boxOf(v []float64, center bool) box {
	b := box{min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]), max(v[1], v[3]), 0}
	if center { // x, y, width, height
		b = box{v[1] - v[3]/2, v[0] - v[2]/2, v[1] + v[3]/2, v[0] + v[2]/2, 0}
	}
	b.area = (b.y1 - b.y0) * (b.x1 - b.x0)
	return b
}

// overlap is the intersection over the union.
func (b *box) overlap(c *box) float64 {
	if b.y1 <= c.y0 || c.y1 <= b.y0 || b.x1 <= c.x0 || c.x1 <= b.x0 || b.area <= 0 || c.area <= 0 {
		return 0
	}
	both := (min(b.y1, c.y1) - max(b.y0, c.y0)) * (min(b.x1, c.x1) - max(b.x0, c.x0))
	return both / (b.area + c.area - both)
}

// candidate is a box by its number, and its score.
type candidate struct {
	score float64
	box   int
}

// best is a queue of candidates, a heap: the best first, of equals the first. (The one of
// container/heap takes three times as long, through its interface.)
type best []candidate

func (b best) before(i, j int) bool {
	return b[i].score > b[j].score || b[i].score == b[j].score && b[i].box < b[j].box
}

// down puts element i where it belongs.
func (b best) down(i int) {
	for {
		k := 2*i + 1
		if k >= len(b) {
			return
		}
		if k+1 < len(b) && b.before(k+1, k) {
			k++
		}
		if !b.before(k, i) {
			return
		}
		b[i], b[k] = b[k], b[i]
		i = k
	}
}

// queued makes a queue of candidates in any order.
func queued(b best) best {
	for i := len(b)/2 - 1; i >= 0; i-- {
		b.down(i)
	}
	return b
}

// next takes the best out.
func (b *best) next() candidate {
	q := *b
	x := q[0]
	q[0] = q[len(q)-1]
	*b = q[:len(q)-1]
	b.down(0)
	return x
}

// NonMaxSuppression(boxes [B N 4], scores [B C N], most, overlap, score) keeps
// for each class the best boxes that do not overlap a better one; it gives
// [batch, class, box] of each.
var _ = register(Def{Name: "NonMaxSuppression", Grad: noGrad,
	Infer: func(c *Infer) error {
		for i := range 2 {
			v, err := c.In(i)
			if err != nil {
				return err
			}
			if v.Shape != nil && len(v.Shape) != 3 {
				return fmt.Errorf("input %d is %v: it must be of rank 3", i, v.Shape)
			}
		}
		c.Out(0, tensor.Int64, graph.Shape{unknownDim(c, 0, 0), graph.N(3)})
		return nil
	},
	Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		b, s := in[0].Shape, in[1].Shape
		if len(b) != 3 || len(s) != 3 || b[2] != 4 || b[0] != s[0] || b[1] != s[2] {
			return nil, fmt.Errorf("boxes %v and scores %v do not go together", b, s)
		}
		coords, scores, err := bothFloats(in[0], in[1])
		if err != nil {
			return nil, err
		}
		one := func(i int, def float64) (float64, bool, error) {
			t := arg(in, i)
			if t == nil || t.Len() == 0 {
				return def, false, nil
			}
			f, err := floats(t)
			if err == nil && len(f) != 1 {
				err = fmt.Errorf("input %d is not one number", i)
			}
			if err != nil {
				return 0, false, err
			}
			return f[0], true, nil
		}
		most, _, err := one(2, 0)
		if err != nil {
			return nil, err
		}
		limit, _, err := one(3, 0)
		if err != nil {
			return nil, err
		}
		least, bounded, err := one(4, 0)
		if err != nil {
			return nil, err
		}
		var chosen []int64
		boxes, order, kept := make([]box, b[1]), make([]candidate, 0, b[1]), make([]box, 0, b[1])
		for r := range s[0] * s[1] {
			if r%s[1] == 0 {
				for i := range boxes {
					at := (r/s[1]*b[1] + i) * 4
					boxes[i] = boxOf(coords[at:at+4], n.Int("center_point_box", 0) != 0)
				}
			}
			order, kept = order[:0], kept[:0]
			for i, v := range scores[r*s[2] : (r+1)*s[2]] {
				if v == v && (!bounded || v > least) {
					order = append(order, candidate{v, i})
				}
			}
			queue := queued(order)
		next:
			for len(queue) > 0 && float64(len(kept)) < most {
				k := queue.next()
				c := &boxes[k.box]
				for i := range kept {
					if kept[i].overlap(c) > limit {
						continue next
					}
				}
				kept = append(kept, *c)
				chosen = append(chosen, int64(r/s[1]), int64(r%s[1]), int64(k.box))
			}
		}
		out := tensor.New(tensor.Int64, len(chosen)/3, 3)
		copy(tensor.Of[int64](out), chosen)
		return single(out, nil)
	}})
