package main

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"pare/tensor"
)

// learnable says how well something simple, which is no network, does a task:
// better than chance, and not so well that there is nothing to learn. The test
// is one of the parts that it is not fitted on.
var learnable = map[string]struct {
	scale       float64
	least, most float64 // what the score may be; chance is below least
	score       func(t *testing.T, m *made) float64
}{
	"text":       {.15, .32, .75, func(t *testing.T, m *made) float64 { return linearClass(m, 4, pieces) }},        // chance: .25
	"twoin":      {.3, .25, .85, func(t *testing.T, m *made) float64 { return linearClass(m, 6, table) }},          // chance: .17
	"big":        {1, .15, .9, func(t *testing.T, m *made) float64 { return nearestMean(m) }},                      // chance: .1
	"embed":      {.3, .1, .9, func(t *testing.T, m *made) float64 { return nearestOther(m.splits[2]) }},           // chance: .03
	"regress":    {.1, .15, .8, func(t *testing.T, m *made) float64 { return linearR2(m, "features", "targets") }}, // chance: 0
	"series":     {.2, .1, .9, func(t *testing.T, m *made) float64 { return linearR2(m, "past", "next") }},         // chance: 0
	"recommend":  {.5, .15, .85, func(t *testing.T, m *made) float64 { return means(m) }},                          // chance: 0
	"multilabel": {.1, .02, .3, func(t *testing.T, m *made) float64 { return linearAttributes(m) }},                // above the more frequent answer
	"segment":    {.05, .05, .6, func(t *testing.T, m *made) float64 { return foreground(m.splits[2]) }},           // errors of "background" that are mended
	"superres":   {.1, .1, 2, func(t *testing.T, m *made) float64 { return sharper(m) }},                           // dB above bicubic
	"detect":     {.03, .15, .95, func(t *testing.T, m *made) float64 { return components(m.splits[2]) }},          // chance: 0
}

func TestLearnable(t *testing.T) {
	for _, task := range tasks {
		l, ok := learnable[task.name]
		if !ok {
			if task.name != "fold" {
				t.Errorf("%s has no baseline", task.name)
			}
			continue
		}
		t.Run(task.name, func(t *testing.T) {
			m, err := task.make(settings{scale: l.scale, seed: 5, bytes: 5e6})
			if err != nil {
				t.Fatal(err)
			}
			score := l.score(t, m)
			t.Logf("%.3f", score)
			if !(score >= l.least && score <= l.most) {
				t.Errorf("the simple way scores %.3f: a task to learn has %v to %v", score, l.least, l.most)
			}
		})
	}
}

// row is a sample's elements of a field.
func row(sp split, field string, i int) []float64 {
	a := sp.array(field)
	n := a.Len() / a.Shape[0]
	switch a.DType {
	case tensor.Uint8:
		return numbers(tensor.From(tensor.Of[uint8](a)[i*n:(i+1)*n], n))
	case tensor.Int64:
		return numbers(tensor.From(tensor.Of[int64](a)[i*n:(i+1)*n], n))
	}
	return numbers(tensor.From(a.F32()[i*n:(i+1)*n], n))
}

// ridge fits y = [x 1] w by least squares with a little decay.
func ridge(x, y [][]float64) *mat.Dense {
	a, b := dense(x), mat.NewDense(len(y), len(y[0]), slices.Concat(y...))
	var left mat.SymDense
	left.SymOuterK(1, a.T())
	n, _ := left.Dims()
	for i := range n {
		left.SetSym(i, i, left.At(i, i)+1e-3*float64(len(x)))
	}
	var right, w mat.Dense
	right.Mul(a.T(), b)
	var c mat.Cholesky
	if !c.Factorize(&left) || c.SolveTo(&w, &right) != nil {
		panic("the features do not determine a fit")
	}
	return &w
}

// dense puts a 1 behind each row.
func dense(x [][]float64) *mat.Dense {
	var all []float64
	for _, r := range x {
		all = append(append(all, r...), 1)
	}
	return mat.NewDense(len(x), len(x[0])+1, all)
}

func predict(w *mat.Dense, x [][]float64) *mat.Dense {
	var y mat.Dense
	y.Mul(dense(x), w)
	return &y
}

func rows(sp split, of func(sp split, i int) []float64) [][]float64 {
	var out [][]float64
	for i := range sp.size() {
		out = append(out, of(sp, i))
	}
	return out
}

func oneHot(k, n int) []float64 {
	x := make([]float64, n)
	x[k] = 1
	return x
}

func top(x []float64) int {
	k := 0
	for i, v := range x {
		if v > x[k] {
			k = i
		}
	}
	return k
}

// linearClass is the accuracy of least squares onto the classes.
func linearClass(m *made, classes int, features func(sp split, i int) []float64) float64 {
	train, test := m.splits[0], m.splits[2]
	w := ridge(rows(train, features), rows(train, func(sp split, i int) []float64 { return oneHot(int(row(sp, "label", i)[0]), classes) }))
	y, ok := predict(w, rows(test, features)), 0
	for i := range test.size() {
		if top(y.RawRowView(i)) == int(row(test, "label", i)[0]) {
			ok++
		}
	}
	return float64(ok) / float64(test.size())
}

// pieces counts the tokens of a text, whatever their order.
func pieces(sp split, i int) []float64 {
	x := make([]float64, 250)
	for _, id := range row(sp, "ids", i) {
		x[int(id)]++
	}
	return x
}

// table is the vitals with their squares and products.
func table(sp split, i int) []float64 {
	v := row(sp, "vitals", i)
	x := slices.Clone(v)
	for a := range v {
		for b := range a + 1 {
			x = append(x, v[a]*v[b])
		}
	}
	return x
}

// nearestMean is the accuracy of the class whose mean is nearest.
func nearestMean(m *made) float64 {
	train, test := m.splits[0], m.splits[2]
	var mean [bigClasses][]float64
	var n [bigClasses]float64
	for i := range train.size() {
		k := int(row(train, "label", i)[0])
		x := row(train, "image", i)
		if n[k]++; mean[k] == nil {
			mean[k] = make([]float64, len(x))
		}
		for j, v := range x {
			mean[k][j] += v
		}
	}
	ok := 0
	for i := range test.size() {
		x := row(test, "image", i)
		d := make([]float64, bigClasses)
		for k := range mean {
			for j, v := range x {
				d[k] -= (v - mean[k][j]/n[k]) * (v - mean[k][j]/n[k])
			}
		}
		if top(d) == int(row(test, "label", i)[0]) {
			ok++
		}
	}
	return float64(ok) / float64(test.size())
}

// nearestOther is the recall at 1 of the pixels themselves.
func nearestOther(sp split) float64 {
	x := rows(sp, func(sp split, i int) []float64 { return row(sp, "image", i) })
	ok := 0
	for i := range x {
		best, at := math.Inf(1), 0
		for j := range x {
			d := 0.0
			for k := range x[i] {
				d += (x[i][k] - x[j][k]) * (x[i][k] - x[j][k])
			}
			if i != j && d < best {
				best, at = d, j
			}
		}
		if row(sp, "label", i)[0] == row(sp, "label", at)[0] {
			ok++
		}
	}
	return float64(ok) / float64(len(x))
}

// r2 is the explained share of variance, over all columns together.
func r2(y *mat.Dense, truth [][]float64) float64 {
	n, k := y.Dims()
	rest, all := 0.0, 0.0
	for c := range k {
		mean := 0.0
		for i := range n {
			mean += truth[i][c] / float64(n)
		}
		for i := range n {
			rest += (y.At(i, c) - truth[i][c]) * (y.At(i, c) - truth[i][c])
			all += (mean - truth[i][c]) * (mean - truth[i][c])
		}
	}
	return 1 - rest/all
}

func linearR2(m *made, x, y string) float64 {
	of := func(f string) func(sp split, i int) []float64 {
		return func(sp split, i int) []float64 { return row(sp, f, i) }
	}
	w := ridge(rows(m.splits[0], of(x)), rows(m.splits[0], of(y)))
	return r2(predict(w, rows(m.splits[2], of(x))), rows(m.splits[2], of(y)))
}

// means predicts a rating by the mean, what the user adds and what the item adds.
func means(m *made) float64 {
	sp := m.splits[0]
	u, i, y := numbers(sp.array("user")), numbers(sp.array("item")), numbers(sp.array("rating"))
	mean := 0.0
	for _, v := range y {
		mean += v / float64(len(y))
	}
	user, item := make([]float64, users), make([]float64, items)
	for range 10 {
		for _, side := range []struct {
			of, other []float64
			at, with  []float64
		}{{user, item, u, i}, {item, user, i, u}} {
			n := make([]float64, len(side.of))
			clear(side.of)
			for k, v := range y {
				side.of[int(side.at[k])] += v - mean - side.other[int(side.with[k])]
				n[int(side.at[k])]++
			}
			for k := range n {
				side.of[k] /= n[k] + 3
			}
		}
	}
	test := m.splits[2]
	tu, ti, ty := numbers(test.array("user")), numbers(test.array("item")), numbers(test.array("rating"))
	guess, truth := mat.NewDense(len(ty), 1, nil), make([][]float64, len(ty))
	for k, v := range ty {
		guess.Set(k, 0, mean+user[int(tu[k])]+item[int(ti[k])])
		truth[k] = []float64{v}
	}
	return r2(guess, truth)
}

// linearAttributes is how much more often least squares on the picture, small,
// is right than the more frequent answer of each attribute.
func linearAttributes(m *made) float64 {
	shrunk := func(sp split, i int) []float64 {
		v := row(sp, "image", i)
		x := make([]float64, 3*64)
		for p, u := range v {
			c, y, z := p/(32*32), p/32%32, p%32
			x[(c*8+y/4)*8+z/4] += u / 255 / 16
		}
		return x
	}
	labels := func(sp split, i int) []float64 { return row(sp, "labels", i) }
	w := ridge(rows(m.splits[0], shrunk), rows(m.splits[0], labels))
	test := m.splits[2]
	y, truth := predict(w, rows(test, shrunk)), rows(test, labels)
	right, often := 0.0, 0.0
	for k := range attributes {
		yes := 0.0
		for i := range truth {
			yes += truth[i][k]
			if (y.At(i, k) > .5) == (truth[i][k] > .5) {
				right++
			}
		}
		often += max(yes, float64(len(truth))-yes)
	}
	return (right - often) / float64(len(truth)*len(attributes))
}

// foreground calls background what has the color of most of the border, and
// circle all else: the share of the errors of calling all background that this
// mends.
func foreground(sp split) float64 {
	const n = segmentSize
	wrong, all := 0.0, 0.0
	for i := range sp.size() {
		x, mask := row(sp, "image", i), row(sp, "mask", i)
		ground := median(x, n, n)
		for p, k := range mask {
			guess := 0.0
			if apart(x, ground, p, n*n) > 80 {
				guess = 1
			}
			if k != 0 {
				all++
			}
			if guess != k {
				wrong++
			}
		}
	}
	return 1 - wrong/all
}

// median is the middle value of each channel.
func median(x []float64, h, w int) [3]float64 {
	var out [3]float64
	for c := range out {
		s := slices.Clone(x[c*h*w : (c+1)*h*w])
		slices.Sort(s)
		out[c] = s[len(s)/2]
	}
	return out
}

// apart is a pixel's distance from a color.
func apart(x []float64, from [3]float64, p, plane int) float64 {
	d := 0.0
	for c, v := range from {
		d += (x[c*plane+p] - v) * (x[c*plane+p] - v)
	}
	return math.Sqrt(d)
}

// sharper is by how many decibels least squares from 5x5 small pixels to the
// four large ones is better than bicubic enlargement.
func sharper(m *made) float64 {
	const n = superresSize
	around := func(sp split, i, r int, f func(x []float64, y [4]float64)) {
		low, high := row(sp, "low", i), row(sp, "high", i)
		for y := r; y < n-r; y++ {
			for x := r; x < n-r; x++ {
				var at []float64
				for dy := -r; dy <= r; dy++ {
					at = append(at, low[(y+dy)*n+x-r:(y+dy)*n+x+r+1]...)
				}
				h := func(dy, dx int) float64 { return high[(2*y+dy)*2*n+2*x+dx] }
				f(at, [4]float64{h(0, 0), h(0, 1), h(1, 0), h(1, 1)})
			}
		}
	}
	var xs, ys [][]float64
	for i := range 60 {
		around(m.splits[0], i, 2, func(x []float64, y [4]float64) { xs, ys = append(xs, x), append(ys, y[:]) })
	}
	w := ridge(xs, ys)
	// a large pixel lies a quarter beside the small one: the weights of Keys'
	// kernel (a = -1/2) at -1.75, -.75, .25, 1.25, and mirrored
	key := func(d float64) float64 {
		d = math.Abs(d)
		if d < 1 {
			return 1.5*d*d*d - 2.5*d*d + 1
		}
		return max(0, math.Copysign(1, 2-d)) * (-.5*d*d*d + 2.5*d*d - 4*d + 2)
	}
	fit, cubic := 0.0, 0.0
	test := m.splits[2]
	for i := range min(30, test.size()) {
		var x [][]float64
		var y [][4]float64
		around(test, i, 2, func(a []float64, b [4]float64) { x, y = append(x, a), append(y, b) })
		p := predict(w, x)
		for k := range y {
			for q, v := range y[k] {
				d := p.At(k, q) - v
				fit += d * d
				oy, ox := float64(q/2)/2-.25, float64(q%2)/2-.25
				c := 0.0
				for a := range 25 {
					c += x[k][a] * key(float64(a/5-2)-oy) * key(float64(a%5-2)-ox)
				}
				cubic += (c - v) * (c - v)
			}
		}
	}
	return 10 * math.Log10(cubic/fit)
}

// components finds shapes as connected pixels unlike the background, and their
// kind by how much of their box they fill: the share of the true ones that have
// one of the same kind with an overlap of one half or more, and of the found ones
// that are true, as F1.
func components(sp split) float64 {
	const n = detectSize
	hits, found, truths := 0.0, 0.0, 0.0
	for i := range sp.size() {
		x, boxes, labels := row(sp, "image", i), row(sp, "true_boxes", i), row(sp, "true_labels", i)
		ground := median(x, n, n)
		seen := make([]bool, n*n)
		for p := range seen {
			seen[p] = apart(x, ground, p, n*n) < 75
		}
		for _, k := range labels {
			if k >= 0 {
				truths++
			}
		}
		for p := range seen {
			if seen[p] {
				continue
			}
			area, box := 0.0, [4]float64{n, n, 0, 0}
			seen[p] = true
			for todo := []int{p}; len(todo) > 0; {
				q := todo[len(todo)-1]
				todo = todo[:len(todo)-1]
				area++
				u, v := float64(q%n), float64(q/n)
				box = [4]float64{min(box[0], u), min(box[1], v), max(box[2], u+1), max(box[3], v+1)}
				for _, d := range [][2]int{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
					a, b := q%n+d[0], q/n+d[1]
					if a >= 0 && a < n && b >= 0 && b < n && !seen[b*n+a] {
						seen[b*n+a] = true
						todo = append(todo, b*n+a)
					}
				}
			}
			if area < 25 {
				continue
			}
			found++
			fill, kind := area/((box[2]-box[0])*(box[3]-box[1])), 2.0
			if fill > .65 {
				kind = 0
			}
			if fill > .83 {
				kind = 1
			}
			for j, k := range labels {
				b := boxes[4*j : 4*j+4]
				w, h := min(box[2], b[2]*n)-max(box[0], b[0]*n), min(box[3], b[3]*n)-max(box[1], b[1]*n)
				if w > 0 && h > 0 && k == kind && w*h/((box[2]-box[0])*(box[3]-box[1])+(b[2]-b[0])*(b[3]-b[1])*n*n-w*h) >= .5 {
					hits++
				}
			}
		}
	}
	return 2 * hits / (found + truths)
}
