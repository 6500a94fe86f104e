package calibrate

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/graph"
	"pare/internal/answer"
	"pare/prune/structure"
	"pare/tensor"
	"pare/zoo"

	"gonum.org/v1/gonum/mat"
)

// stepwise removes columns one after the other by the rule for one: w -= w_m h_m/h_mm, and
// m is eliminated from the inverse.
func stepwise(w, inverse []float64, outs, cols int, gone []int) {
	for _, m := range gone {
		d := inverse[m*cols+m]
		for o := range outs {
			f := w[o*cols+m] / d
			for k := range cols {
				w[o*cols+k] -= f * inverse[m*cols+k]
			}
			w[o*cols+m] = 0
		}
		row := slices.Clone(inverse[m*cols : (m+1)*cols])
		for a := range cols {
			for b := range cols {
				inverse[a*cols+b] -= row[a] * row[b] / d
			}
		}
		for a := range cols {
			inverse[m*cols+a], inverse[a*cols+m] = 0, 0
		}
	}
}

// Columns that are removed at once leave the weights that they leave one after the other,
// in any order, and these are the solution of damped least squares without them.
func TestSurgeonTogether(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const rows, cols, outs, damp = 40, 9, 5, .03
	x := gaussian(r, rows, cols)
	w := gaussian(r, outs, cols).RawMatrix().Data
	m := momentsOf(x, mat.NewDense(rows, outs, nil))
	gone := []int{7, 0, 4, 3}
	s, err := newSurgeon(m, slices.Clone(w), damp)
	if err != nil {
		t.Fatal(err)
	}
	single := s.singly()
	for k, c := range single {
		if want := s.cost([]int{k}); math.Abs(c-want) > 1e-9*want {
			t.Errorf("column %d alone costs %v, among others %v", k, c, want)
		}
	}
	for _, order := range [][]int{gone, {0, 3, 4, 7}} {
		steps, inverse := slices.Clone(w), slices.Clone(s.inverse)
		stepwise(steps, inverse, outs, cols, order)
		at, _ := newSurgeon(m, slices.Clone(w), damp)
		if !at.remove(gone) {
			t.Fatal("not removed")
		}
		for i, v := range steps {
			if math.Abs(at.w[i]-v) > 1e-9 {
				t.Fatalf("entry %d is %v at once, %v one by one", i, at.w[i], v)
			}
		}
		for a := range cols {
			for b := range cols {
				if v := inverse[a*cols+b]; !slices.Contains(gone, a) && !slices.Contains(gone, b) && math.Abs(at.inverse[a*cols+b]-v) > 1e-9 {
					t.Fatalf("the inverse at %d, %d is %v at once, %v one by one", a, b, at.inverse[a*cols+b], v)
				}
			}
		}
	}
	s.remove(gone)
	// damped normal equations: (H_RR + λI) w_R = (H w)_R + λ w_R
	trace := 0.0
	for k := range cols {
		trace += m.XX[k*cols+k] / cols
	}
	var rest []int
	for k := range cols {
		if !slices.Contains(gone, k) {
			rest = append(rest, k)
		}
	}
	for o := range outs {
		a, b := mat.NewDense(len(rest), len(rest), nil), mat.NewVecDense(len(rest), nil)
		for i, k := range rest {
			for j, l := range rest {
				a.Set(i, j, m.XX[k*cols+l])
			}
			a.Set(i, i, a.At(i, i)+damp*trace)
			sum := damp * trace * w[o*cols+k]
			for l := range cols {
				sum += m.XX[k*cols+l] * w[o*cols+l]
			}
			b.SetVec(i, sum)
		}
		var fit mat.VecDense
		if err := fit.SolveVec(a, b); err != nil {
			t.Fatal(err)
		}
		for i, k := range rest {
			if math.Abs(s.w[o*cols+k]-fit.AtVec(i)) > 1e-9 {
				t.Fatalf("output %d, column %d: %v, least squares give %v", o, k, s.w[o*cols+k], fit.AtVec(i))
			}
		}
	}
}

// With H = I nothing can make up for a column: the others stay as they are, and a column
// costs its squares. Of two columns that are the same one takes the other's weights over,
// and the outputs stay.
func TestSurgeonSpecialCases(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const cols, outs = 6, 4
	w := gaussian(r, outs, cols).RawMatrix().Data
	m := momentsOf(gaussian(r, 1, cols), mat.NewDense(1, outs, nil))
	for i := range m.XX {
		m.XX[i] = 0
		if i%(cols+1) == 0 {
			m.XX[i] = 1
		}
	}
	s, err := newSurgeon(m, slices.Clone(w), 1e-12)
	if err != nil {
		t.Fatal(err)
	}
	for k, c := range s.singly() {
		want := 0.0
		for o := range outs {
			want += w[o*cols+k] * w[o*cols+k]
		}
		if math.Abs(c-want) > 1e-6 {
			t.Errorf("column %d costs %v, its squares are %v", k, c, want)
		}
	}
	s.remove([]int{1, 4})
	for i, v := range s.w {
		want := w[i]
		if k := i % cols; k == 1 || k == 4 {
			want = 0
		}
		if math.Abs(v-want) > 1e-9 {
			t.Errorf("entry %d is %v, was %v", i, v, want)
		}
	}

	x := gaussian(r, 50, cols)
	for n := range 50 {
		x.Set(n, 5, x.At(n, 2))
	}
	s, err = newSurgeon(momentsOf(x, mat.NewDense(50, outs, nil)), slices.Clone(w), 1e-7)
	if err != nil {
		t.Fatal(err)
	}
	s.remove([]int{5})
	var before, after mat.Dense
	before.Mul(x, mat.NewDense(outs, cols, w).T())
	after.Mul(x, mat.NewDense(outs, cols, s.w).T())
	if !mat.EqualApprox(&before, &after, 1e-4) {
		t.Error("a twin does not take over what its twin said")
	}
	for o := range outs {
		if got, want := s.w[o*cols+2], w[o*cols+2]+w[o*cols+5]; math.Abs(got-want) > 1e-4 {
			t.Errorf("output %d: the twin has %v, want %v", o, got, want)
		}
	}
}

// Layers behind each other: with every second channel of a hidden layer a copy of the one
// before, half of the channels go, and the network gives what it gave. Layers are done in
// order, groups of a convolution each with their own columns, and zeroed is cut.
func TestOperateTwins(t *testing.T) {
	g, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: .5})
	if err != nil {
		t.Fatal(err)
	}
	groups, _ := structure.Groups(g)
	twins(g, groups)
	r := rand.New(rand.NewPCG(1, 2))
	x := tensor.New(tensor.Float32, 40, 1, 8, 8)
	for i := range x.F32() {
		x.F32()[i] = float32(r.NormFloat64())
	}
	batches := func(yield func(map[string]*tensor.Tensor) error) error {
		return yield(map[string]*tensor.Tensor{g.Inputs[0].Name: x})
	}
	ctx := context.Background()
	want := answer.To(t, g, x)
	by, skips, err := Saliencies(ctx, g, groups, batches, 1e-5, Options{})
	if err != nil || len(skips) > 0 {
		t.Fatal(skips, err)
	}
	stay := structure.All(groups)
	for k, grp := range groups {
		if len(by[k]) == 0 {
			t.Fatalf("nothing reads %s", grp.Name)
		}
		for c := 1; c < len(grp.Channels); c += 2 {
			stay[k].Set(c, false)
		}
	}
	plain, err := structure.Cut(g, groups, stay)
	if err != nil {
		t.Fatal(err)
	}
	lost := largest(answer.To(t, plain, x), want)
	done, _, err := Operate(ctx, g, groups, stay, batches, 1e-5, Options{})
	if err != nil {
		t.Fatal(err)
	}
	cut, err := structure.Cut(g, groups, stay)
	if err != nil {
		t.Fatal(err)
	}
	if d := largest(answer.To(t, cut, x), want); d > 2e-3 || lost < 10*d {
		t.Errorf("outputs move by %v where twins take over, by %v where they do not", d, lost)
	}
	if len(done) != 7 {
		t.Errorf("%d layers are done", len(done))
	}
	for _, l := range done {
		if l.Before < 1e-3 || l.After > 1e-4 {
			t.Errorf("%+v", l)
		}
	}
	if d := largest(answer.To(t, structure.Zero(g, groups, stay), x), answer.To(t, cut, x)); d > 1e-5 {
		t.Errorf("zeroed and cut differ by %v", d)
	}
}

// twins makes every second channel of groups a copy of the one before wherever it is made.
func twins(g *graph.Graph, groups []*structure.Group) {
	for _, grp := range groups {
		for k, a := range grp.Axes {
			if !a.Value.IsConst() || grp.Reads(a.Value) == k {
				continue
			}
			shape, w := a.Value.Const.Shape, a.Value.Const.F32()
			inner := 1
			for _, n := range shape[a.Dim+1:] {
				inner *= n
			}
			for c := 1; c < len(grp.Channels); c += 2 {
				for i := range w {
					if p := i / inner % shape[a.Dim]; p == grp.Channels[c].At[k][0] {
						w[i] = w[i+(grp.Channels[c-1].At[k][0]-p)*inner]
					}
				}
			}
		}
	}
}

// largest is the largest difference, as a share of the largest number.
func largest(a, b []float32) float64 {
	d, scale := 0.0, 0.0
	for i := range b {
		d, scale = math.Max(d, math.Abs(float64(a[i]-b[i]))), math.Max(scale, math.Abs(float64(b[i])))
	}
	return d / scale
}

// The saliency of a channel is what the rule says of the inputs of the layers that read it,
// in the network as it is: computed from what goes into them.
func TestSaliencies(t *testing.T) {
	g, err := zoo.New("mlp:6-5-4", zoo.Options{In: []int{6}, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	groups, _ := structure.Groups(g)
	const n, damp = 30, .02
	x := tensor.New(tensor.Float32, n, 6)
	r := rand.New(rand.NewPCG(8, 9))
	for i := range x.F32() {
		x.F32()[i] = float32(r.NormFloat64())
	}
	got, _, err := Saliencies(context.Background(), g, groups, func(yield func(map[string]*tensor.Tensor) error) error {
		return yield(map[string]*tensor.Tensor{g.Inputs[0].Name: x})
	}, damp, Options{})
	if err != nil || len(got) != 1 || len(got[0]) != 1 {
		t.Fatal(got, err)
	}
	w1, b1, w2 := g.Value("fc1.weight").Const.F32(), g.Value("fc1.bias").Const.F32(), g.Value("fc2.weight").Const.F32()
	h := mat.NewDense(5, 5, nil)
	for s := range n {
		var u [5]float64
		for k := range u {
			u[k] = float64(b1[k])
			for i := range 6 {
				u[k] += float64(w1[6*k+i]) * float64(x.F32()[6*s+i])
			}
			u[k] = math.Max(0, u[k])
		}
		for a := range u {
			for b := range u {
				h.Set(a, b, h.At(a, b)+u[a]*u[b])
			}
		}
	}
	lambda := damp * mat.Trace(h) / 5
	for k := range 5 {
		h.Set(k, k, h.At(k, k)+lambda)
	}
	var inv mat.Dense
	if err := inv.Inverse(h); err != nil {
		t.Fatal(err)
	}
	for k := range 5 {
		want := 0.0
		for o := range 4 {
			want += float64(w2[5*o+k]) * float64(w2[5*o+k]) / inv.At(k, k)
		}
		if math.Abs(got[0][0][k]-want) > 1e-4*want {
			t.Errorf("channel %d is worth %v, want %v", k, got[0][0][k], want)
		}
	}
}

// The rank of a map is that of its singular values: of products of thin matrices, of zeros,
// and of maps that are no squares.
func TestRank(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, c := range [][3]int{{8, 8, 3}, {8, 8, 8}, {5, 9, 2}, {9, 5, 5}, {1, 1, 1}, {4, 1, 1}} {
		var m mat.Dense
		m.Mul(gaussian(r, c[0], c[2]), gaussian(r, c[2], c[1]))
		flat := make([]float64, c[0]*c[1])
		for i := range flat {
			flat[i] = float64(float32(m.At(i/c[1], i%c[1])))
		}
		var s mat.SVD
		s.Factorize(mat.NewDense(c[0], c[1], slices.Clone(flat)), mat.SVDNone)
		values, want := s.Values(nil), 0
		for _, v := range values {
			if v > values[0]*float64(max(c[0], c[1]))*0x1p-23 {
				want++
			}
		}
		if got := rank(flat, c[0], c[1]); got != want || got != c[2] {
			t.Errorf("[%d %d] of rank %d: %d, by singular values %d", c[0], c[1], c[2], got, want)
		}
	}
	if got := rank(make([]float64, 12), 3, 4); got != 0 {
		t.Errorf("zeros have rank %d", got)
	}
}

// Channels are rated by the mean rank of the maps that reach their readers; of single
// numbers, by how often they are not zero.
func TestRanks(t *testing.T) {
	g, err := zoo.New("conv-2", zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: .125})
	if err != nil {
		t.Fatal(err)
	}
	groups, _ := structure.Groups(g)
	x := tensor.New(tensor.Float32, 12, 1, 8, 8)
	r := rand.New(rand.NewPCG(8, 9))
	for i := range x.F32() {
		x.F32()[i] = float32(r.NormFloat64())
	}
	rates, skips, err := Ranks(context.Background(), g, groups, func(yield func(map[string]*tensor.Tensor) error) error {
		return yield(map[string]*tensor.Tensor{g.Inputs[0].Name: x})
	}, Options{})
	if err != nil || len(skips) > 0 {
		t.Fatal(skips, err)
	}
	for k, grp := range groups {
		want := make([]float64, len(grp.Channels))
		read := false
		for _, n := range g.Nodes {
			var in *graph.Value
			if n.Is("Conv", "Gemm") && grp.Reads(n.In(1)) >= 0 {
				in = n.In(0)
			}
			if in == nil {
				continue
			}
			read = true
			c, _ := g.Clone(false)
			c.Outputs = []*graph.Value{c.Value(in.Name)}
			c.Prune()
			y := answer.To(t, c, x)
			per := len(y) / 12 / in.Shape[1].Mul
			a := slices.IndexFunc(grp.Axes, func(a structure.Axis) bool { return a.Value == in })
			for s := range 12 {
				for i, ch := range grp.Channels {
					for _, p := range ch.At[a] {
						m := mat.NewDense(per/max(1, rowLength(in)), max(1, rowLength(in)), nil)
						for e := range per {
							m.RawMatrix().Data[e] = float64(y[(s*in.Shape[1].Mul+p)*per+e])
						}
						var f mat.SVD
						f.Factorize(m, mat.SVDNone)
						v := f.Values(nil)
						for _, q := range v {
							if q > v[0]*float64(max(m.RawMatrix().Rows, m.RawMatrix().Cols))*0x1p-23 {
								want[i] += 1 / float64(len(ch.At[a]))
							}
						}
					}
				}
			}
		}
		if !read {
			t.Fatalf("nothing reads %s", grp.Name)
		}
		structure.Relative(want)
		for c := range want {
			if math.Abs(rates[k][c]-want[c]) > 1e-9 {
				t.Errorf("%s: %v, want %v", grp.Name, rates[k], want)
				break
			}
		}
	}
}

func rowLength(v *graph.Value) int {
	if len(v.Shape) < 4 {
		return 1
	}
	return v.Shape[3].Mul
}
