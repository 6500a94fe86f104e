package metric

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pare/tensor"
)

// sampleOf makes outputs and targets that a metric takes, for n samples: random ones, or
// outputs that are as good as can be.
func sampleOf(r *rand.Rand, m *Metric, n int, perfect bool) (outputs, targets []*tensor.Tensor) {
	number := func(shape ...int) *tensor.Tensor {
		t := tensor.New(tensor.Float32, shape...)
		for i := range t.F32() {
			t.F32()[i] = float32(r.NormFloat64())
		}
		return t
	}
	classes := func(k int, shape ...int) *tensor.Tensor {
		t := tensor.New(tensor.Int64, shape...)
		for i := range tensor.Of[int64](t) {
			tensor.Of[int64](t)[i] = int64((i + r.IntN(2)) % k)
		}
		return t
	}
	switch m.Target {
	case Classes:
		o, y := number(n, 12), classes(6, n)
		if perfect {
			for i, c := range tensor.Of[int64](y) {
				o.F32()[i*12+int(c)] = 60
			}
		}
		return []*tensor.Tensor{o}, []*tensor.Tensor{y}
	case Tokens:
		o, y := number(n, 9, 5), classes(4, n, 4)
		for i, c := range tensor.Of[int64](y) {
			tensor.Of[int64](y)[i] = c + 1
			if perfect {
				s, j := i/4, i%4
				o.F32()[(s*9+2*j)*5+int(c+1)] = 60
				o.F32()[(s*9+2*j+1)*5] = 60
				o.F32()[(s*9+8)*5] = 60
			}
		}
		return []*tensor.Tensor{o}, []*tensor.Tensor{y}
	case Boxes:
		b, y, o := number(n, 3, 4), classes(3, n, 3), number(n, 5, 6)
		for i := range 3 * n {
			x := b.F32()[4*i : 4*i+4]
			x[2], x[3] = x[0]+1+x[2]*x[2], x[1]+1+x[3]*x[3]
			f := o.F32()[(i/3*5+i%3)*6:][:6]
			f[4], f[5] = r.Float32(), float32(r.IntN(3))
			copy(f, x[:4])
			if !perfect {
				f[0]--
			} else {
				f[4], f[5] = .9, float32(tensor.Of[int64](y)[i])
			}
		}
		for s := range n {
			clear(o.F32()[(s*5+3)*6 : (s+1)*30]) // padding
		}
		return []*tensor.Tensor{o}, []*tensor.Tensor{b, y}
	}
	shape := []int{n, 3}
	switch m.Name {
	case "pearson", "spearman":
		shape = []int{n}
	case "psnr", "ssim":
		shape = []int{n, 3, 12, 13}
	}
	o := number(shape...)
	if perfect {
		return []*tensor.Tensor{o}, []*tensor.Tensor{o.Clone()}
	}
	return []*tensor.Tensor{o}, []*tensor.Tensor{number(shape...)}
}

// ideal is the best value of each metric.
var ideal = map[string]float64{"log-loss": 0, "perplexity": 1, "mae": 0, "mse": 0, "rmse": 0, "mape": 0, "cer": 0, "wer": 0, "relative-error": 0}

// Every metric describes itself, gives the best value to the best outputs and a worse one
// to others, is the same in batches of any size, with padding and in any run, and refuses
// what is not finite.
func TestContract(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range Metrics() {
		t.Run(m.Name, func(t *testing.T) {
			if seen[m.Name] || m.Doc == "" || len(m.Outputs) == 0 || len(m.Targets) == 0 || strings.ContainsAny(m.Name, special+" ") {
				t.Errorf("%+v", m)
			}
			seen[m.Name] = true
			for _, p := range m.Params {
				if err := p.Check(p.Default); err != nil || p.Doc == "" {
					t.Errorf("%s: default: %v", p.Name, err)
				}
			}
			const n = 24
			r := rand.New(rand.NewPCG(1, 2))
			outputs, targets := sampleOf(r, m, n, false)
			whole, err := inPieces(m, outputs, targets, n)
			if err != nil {
				t.Fatal(err)
			}
			for _, size := range []int{1, 7, n} {
				v, err := inPieces(m, outputs, targets, size)
				if err != nil || !(math.Abs(v-whole) <= 1e-12*math.Max(1, math.Abs(whole))) {
					t.Errorf("%v in one piece, %v in pieces of %d (%v)", whole, v, size, err)
				}
			}
			outputs, targets = sampleOf(r, m, n, true)
			best, err := inPieces(m, outputs, targets, 5)
			want, other := ideal[m.Name]
			if !other {
				want = 1
			}
			switch {
			case m.Name == "psnr": // infinite
				fails(t, err, "infinite")
			case m.Name == "recall-at-k": // all else of an embedding is noise
				if err != nil || best < .9 {
					t.Errorf("the best is %v (%v)", best, err)
				}
			case err != nil || math.Abs(best-want) > 1e-9:
				t.Errorf("the best is %v, not %v (%v)", best, want, err)
			}
			if m.Name != "psnr" && !(m.Worse(best, whole) > 0) {
				t.Errorf("%v is no worse than %v", whole, best)
			}
			bad := outputs[0].Clone()
			bad.F32()[bad.Len()-1] = float32(math.Inf(-1))
			_, err = inPieces(m, []*tensor.Tensor{bad}, targets, n)
			fails(t, err, "of sample 23 is -Inf")
		})
	}
}

// inPieces measures in batches of a size, the last one filled up with NaN.
func inPieces(m *Metric, outputs, targets []*tensor.Tensor, size int) (float64, error) {
	a, err := Use{Metric: m}.New()
	if err != nil {
		return 0, err
	}
	n := outputs[0].Shape[0]
	piece := func(xs []*tensor.Tensor, at, here int) (out []*tensor.Tensor) {
		for _, x := range xs {
			k := x.Len() / n
			b := tensor.New(x.DType, append([]int{size}, x.Shape[1:]...)...)
			switch d := x.Data.(type) {
			case []float32:
				for i := range b.F32() {
					b.F32()[i] = float32(math.NaN())
				}
				copy(b.F32(), d[at*k:(at+here)*k])
			case []int64:
				for i := range tensor.Of[int64](b) {
					tensor.Of[int64](b)[i] = 1 << 40
				}
				copy(tensor.Of[int64](b), d[at*k:(at+here)*k])
			}
			out = append(out, b)
		}
		return out
	}
	for at := 0; at < n; at += size {
		here := min(size, n-at)
		if err := a.Add(here, piece(outputs, at, here), piece(targets, at, here)); err != nil {
			return 0, err
		}
	}
	return a.Value()
}

// No shape, type or number makes a metric panic, and what is given is finite.
func TestHostile(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	random := func() *tensor.Tensor {
		shape := []int{1 + r.IntN(3)}
		for range r.IntN(4) {
			shape = append(shape, []int{1, 1, 2, 3, 4, 5, 6, 11, 0}[r.IntN(9)])
		}
		n := product(shape)
		if r.IntN(12) == 0 {
			return tensor.New(tensor.Bool, shape...)
		}
		if r.IntN(2) == 0 {
			x := make([]int64, n)
			for i := range x {
				x[i] = int64(r.IntN(7) - 1)
			}
			return tensor.From(x, append([]int{}, shape...)...)
		}
		x := make([]float32, n)
		for i := range x {
			x[i] = []float32{0, 1, .5, -2, 3, 1e30, 4, -1}[r.IntN(8)]
		}
		return tensor.From(x, shape...)
	}
	ok := map[string]int{}
	for i := range 40000 {
		m := Metrics()[i%len(Metrics())]
		u := Use{Metric: m, Params: Params{}}
		for _, p := range m.Params {
			if r.IntN(4) > 0 {
				continue
			}
			if v := fmt.Sprint(r.IntN(4)); p.Check(v) == nil {
				u.Params[p.Name] = v
			} else if len(p.Choices) > 0 {
				u.Params[p.Name] = p.Choices[r.IntN(len(p.Choices))]
			}
		}
		a, err := u.New()
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			outputs, targets := []*tensor.Tensor{random()}, []*tensor.Tensor{random()}
			switch r.IntN(4) {
			case 0:
				targets[0] = outputs[0].Clone()
			case 1:
				targets[0] = tensor.New(tensor.Int64, outputs[0].Shape[0])
			}
			for len(outputs) < len(m.Outputs) && r.IntN(2) == 0 {
				outputs = append(outputs, random())
			}
			for len(targets) < len(m.Targets) {
				targets = append(targets, random())
			}
			if a.Add(r.IntN(3), outputs, targets) != nil {
				break
			}
		}
		if v, err := a.Value(); err == nil {
			ok[m.Name]++
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("%v: %v", u, v)
			}
		}
	}
	if len(ok) < 15 {
		t.Errorf("only %v were measured", ok)
	}
}

// A batch takes no memory once the first has been.
func TestNoAllocation(t *testing.T) {
	for _, m := range Metrics() {
		switch m.Name {
		case "auroc", "average-precision", "spearman", "pearson", "recall-at-k", "ap", "ap50", "ap75":
			continue // these keep what they are given
		}
		outputs, targets := sampleOf(rand.New(rand.NewPCG(5, 6)), m, 8, false)
		a, err := Use{Metric: m}.New()
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(5, func() {
			if err := a.Add(8, outputs, targets); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations a batch", m.Name, n)
		}
	}
}
