package zoo

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/graph/op"
	"pare/tensor"
)

// The loss graph against the loss written down as loops.
func TestSSDLoss(t *testing.T) {
	const n, m, classes = 3, 4, 2
	o := Options{In: []int{3, 32, 48}, Classes: classes}
	g, err := SSDLoss(o, m)
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Params()) > 0 {
		t.Error("the loss has weights")
	}
	anchors := Anchors(32, 48)
	a := anchors.Shape[0]
	r := rand.New(rand.NewPCG(1, 2))
	boxes, scores := tensor.New(tensor.Float32, n, a, 4), tensor.New(tensor.Float32, n, a, classes+1)
	box := func(to []float32) {
		x, y, w, h := r.Float64()*.6, r.Float64()*.6, .1+.4*r.Float64(), .1+.4*r.Float64()
		copy(to, []float32{float32(x), float32(y), float32(x + w), float32(y + h)})
	}
	for i := range n * a {
		box(boxes.F32()[4*i : 4*i+4])
	}
	for i := range scores.F32() {
		scores.F32()[i] = float32(r.NormFloat64() * 2)
	}
	truth, labels := tensor.New(tensor.Float32, n, m, 4), tensor.New(tensor.Int64, n, m)
	for i := range n * m {
		l := int64(-1)
		if k := []int{0, 1, 3}[i/m]; i%m < k { // images of none, one and three boxes
			box(truth.F32()[4*i : 4*i+4])
			l = int64(r.IntN(classes))
		}
		tensor.Of[int64](labels)[i] = l
	}
	res, err := op.Run(g, map[string]*tensor.Tensor{"boxes": boxes, "scores": scores, "true_boxes": truth, "true_labels": labels})
	if err != nil {
		t.Fatal(err)
	}
	where, what, matches := 0.0, 0.0, 0
	for i := range n {
		w, c, k := plainSSD(anchors, boxes.F32()[4*a*i:4*a*(i+1)], scores.F32()[3*a*i:3*a*(i+1)], truth.F32()[4*m*i:4*m*(i+1)], tensor.Of[int64](labels)[m*i:m*(i+1)])
		where, what, matches = where+w, what+c, matches+k
	}
	if matches < 4 {
		t.Fatalf("%d matches do not test much", matches)
	}
	want := (where + what) / float64(matches)
	if got := float64(res["loss"].F32()[0]); math.Abs(got-want) > 1e-4*want {
		t.Errorf("the loss is %v, want %v", got, want)
	}
}

// plainSSD is the loss of one image: of places, of classes, and its matches.
func plainSSD(anchors *tensor.Tensor, boxes, scores, truth []float32, labels []int64) (where, what float64, matches int) {
	a, classes := anchors.Shape[0], len(scores)/anchors.Shape[0]
	corner := func(i int) [4]float64 {
		f := anchors.F32()[4*i:]
		return [4]float64{float64(f[0] - f[2]/2), float64(f[1] - f[3]/2), float64(f[0] + f[2]/2), float64(f[1] + f[3]/2)}
	}
	quad := func(x []float32, i int) [4]float64 {
		return [4]float64{float64(x[4*i]), float64(x[4*i+1]), float64(x[4*i+2]), float64(x[4*i+3])}
	}
	iou := func(p, q [4]float64) float64 {
		w, h := min(p[2], q[2])-max(p[0], q[0]), min(p[3], q[3])-max(p[1], q[1])
		if w <= 0 || h <= 0 {
			return 0
		}
		return w * h / ((p[2]-p[0])*(p[3]-p[1]) + (q[2]-q[0])*(q[3]-q[1]) - w*h)
	}
	match := make([]int, a)
	for i := range a {
		match[i] = -1
		best := .5
		for j, l := range labels {
			if v := iou(corner(i), quad(truth, j)); l >= 0 && v >= best {
				match[i], best = j, v
			}
		}
	}
	for j, l := range labels {
		if l < 0 {
			continue
		}
		best, at := -1.0, 0
		for i := range a {
			if v := iou(corner(i), quad(truth, j)); v > best {
				best, at = v, i
			}
		}
		match[at] = j
	}
	code := func(p [4]float64, i int) [4]float64 {
		f := anchors.F32()[4*i:]
		return [4]float64{((p[0]+p[2])/2 - float64(f[0])) / float64(f[2]) / .1, ((p[1]+p[3])/2 - float64(f[1])) / float64(f[3]) / .1,
			math.Log((p[2]-p[0])/float64(f[2])) / .2, math.Log((p[3]-p[1])/float64(f[3])) / .2}
	}
	var rest []float64
	for i := range a {
		sum, class := 0.0, 0
		for _, s := range scores[i*classes : (i+1)*classes] {
			sum += math.Exp(float64(s))
		}
		if j := match[i]; j >= 0 {
			class = int(labels[j]) + 1
			matches++
			p, q := code(quad(boxes, i), i), code(quad(truth, j), i)
			for k := range p {
				if d := math.Abs(p[k] - q[k]); d < 1 {
					where += d * d / 2
				} else {
					where += d - .5
				}
			}
		}
		loss := math.Log(sum) - float64(scores[i*classes+class])
		if class > 0 {
			what += loss
		} else {
			rest = append(rest, loss)
		}
	}
	slices.Sort(rest)
	slices.Reverse(rest)
	for _, v := range rest[:min(len(rest), 3*max(1, matches))] {
		what += v
	}
	return where, what, matches
}
