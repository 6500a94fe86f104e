package weights

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"pare/tensor"
)

// Two heads of six rows, by hand; the inverse; biases; what is no such projection.
func TestHalves(t *testing.T) {
	x := tensor.From([]int64{0, 10, 1, 11, 2, 12, 3, 13, 4, 14, 5, 15, 6, 16, 7, 17, 8, 18, 9, 19, 10, 20, 11, 21}, 12, 2)
	y, err := Halves(x, 2)
	if err != nil {
		t.Fatal(err)
	}
	want := []int64{0, 10, 2, 12, 4, 14, 1, 11, 3, 13, 5, 15, 6, 16, 8, 18, 10, 20, 7, 17, 9, 19, 11, 21}
	if !reflect.DeepEqual(y.Data, want) {
		t.Errorf("%v, want %v", y.Data, want)
	}
	for _, d := range []tensor.DType{tensor.Float32, tensor.BFloat16, tensor.Int8} {
		for _, shape := range [][]int{{12}, {12, 5}, {12, 2, 3}, {0, 4}} {
			for _, heads := range []int{1, 2, 3, 6} {
				x := tensor.New(d, shape...)
				b := x.Raw()
				for i := range b {
					b[i] = byte(rand.IntN(256))
				}
				x, _ = tensor.FromRaw(b, d, shape...)
				y, err := Halves(x, heads)
				if err != nil {
					t.Fatal(err)
				}
				z, err := Pairs(y, heads)
				if err != nil || !slices.Equal(x.Shape, z.Shape) || !bytes.Equal(b, z.Raw()) {
					t.Errorf("%v in %d heads: %v, %v", x, heads, z.Data, err)
				}
			}
		}
	}
	for _, c := range []struct {
		x     *tensor.Tensor
		heads int
	}{{tensor.Scalar[float32](1), 1}, {x, 0}, {x, -2}, {x, 4}, {x, 12}} {
		if _, err := Halves(c.x, c.heads); err == nil {
			t.Errorf("%v in %d heads", c.x, c.heads)
		}
	}
}

// rotate turns the pairs of a head by angles that grow with the position.
func rotate(x []float64, position float64, pairs func(i int) (int, int)) []float64 {
	out := make([]float64, len(x))
	for i := range len(x) / 2 {
		a, b := pairs(i)
		sin, cos := math.Sincos(position * math.Pow(10000, -2*float64(i)/float64(len(x))))
		out[a], out[b] = x[a]*cos-x[b]*sin, x[a]*sin+x[b]*cos
	}
	return out
}

// The scores of queries and keys are the same in either order, with the rotation that goes with
// it; and differ with the other.
func TestScores(t *testing.T) {
	const n = 8
	in := func(i int) (int, int) { return 2 * i, 2*i + 1 }
	halves := func(i int) (int, int) { return i, i + n/2 }
	r := rand.New(rand.NewPCG(1, 1))
	q, k := tensor.New(tensor.Float64, n), tensor.New(tensor.Float64, n)
	for i := range n {
		q.Data.([]float64)[i], k.Data.([]float64)[i] = r.NormFloat64(), r.NormFloat64()
	}
	score := func(q, k *tensor.Tensor, pairs func(int) (int, int)) (s float64) {
		a, b := rotate(q.Data.([]float64), 7, pairs), rotate(k.Data.([]float64), 3, pairs)
		for i := range a {
			s += a[i] * b[i]
		}
		return s
	}
	q2, err := Halves(q, 1)
	if err != nil {
		t.Fatal(err)
	}
	k2, err := Halves(k, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := score(q, k, in)
	if got := score(q2, k2, halves); math.Abs(got-want) > 1e-12 {
		t.Errorf("%v, want %v", got, want)
	}
	if got := score(q, k, halves); math.Abs(got-want) < 1e-3 {
		t.Error("the order does not matter")
	}
}
