package metric

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pare/tensor"
)

// measured is the value of a metric over batches of (outputs…, targets…), all of whose
// samples count.
func measured(t *testing.T, text string, batches ...[]*tensor.Tensor) float64 {
	t.Helper()
	v, err := try(t, text, batches...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func try(t *testing.T, text string, batches ...[]*tensor.Tensor) (float64, error) {
	t.Helper()
	uses, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	a, err := uses[0].New()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		outputs, targets := uses[0].divide(b)
		if err := a.Add(b[len(b)-1].Shape[0], outputs, targets); err != nil {
			if _, after := a.Value(); after == nil {
				t.Fatalf("%s: a value after the error %v", text, err)
			}
			return 0, err
		}
	}
	return a.Value()
}

// divide tells outputs from targets; those that may be left out are there where they
// have names.
func (u Use) divide(b []*tensor.Tensor) (outputs, targets []*tensor.Tensor) {
	if u.Metric.Inputs != nil {
		return b, nil
	}
	k := len(b)
	for i, role := range slices.Backward(u.Metric.Targets) {
		if strings.HasSuffix(role, "?") && u.Arg(len(u.Metric.Outputs)+i) == "" {
			targets = append(targets, nil)
			continue
		}
		k--
		targets = append(targets, b[k])
	}
	slices.Reverse(targets)
	return b[:k], targets
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within*math.Max(1, math.Abs(want))) {
		t.Errorf("%s is %v, not %v", what, got, want)
	}
}

func fails(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, where one with %q is due", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

func f32(shape []int, v ...float32) *tensor.Tensor { return tensor.From(v, shape...) }

// Classes are found in every layout, and refused where several fit.
func TestClassAxis(t *testing.T) {
	for _, c := range []struct {
		out, target []int
		axis        int
		ok          bool
	}{
		{[]int{4, 10}, []int{4}, 1, true},
		{[]int{4, 10, 1, 1}, []int{4}, 1, true},
		{[]int{4, 1, 1, 10}, []int{4}, 3, true},
		{[]int{4, 10}, []int{4, 1}, 1, true},
		{[]int{4, 3, 8, 9}, []int{4, 8, 9}, 1, true},
		{[]int{4, 8, 9, 3}, []int{4, 8, 9}, 3, true},
		{[]int{4, 3, 8, 9}, []int{4, 1, 8, 9}, 1, true},
		{[]int{4, 7, 30}, []int{4, 7}, 2, true},
		{[]int{4, 30, 7}, []int{4, 7}, 1, true},
		{[]int{28, 30}, []int{4, 7}, 1, true},
		{[]int{4, 1}, []int{4}, 1, true},
		{[]int{4}, []int{4}, 1, true},
		{[]int{4, 1, 8, 9}, []int{4, 8, 9}, 1, true},
		{[]int{4, 8, 9}, []int{4, 8, 9}, 3, true},
		{[]int{4, 7, 7}, []int{4, 7}, 0, false},
		{[]int{4, 3, 8, 9}, []int{4, 9, 8}, 0, false},
		{[]int{5, 10}, []int{4}, 0, false},
		{[]int{4, 3, 8}, []int{4}, 0, false},
		{nil, []int{4}, 0, false},
		{[]int{4}, nil, 0, false},
	} {
		if axis, ok := ClassAxis(c.out, c.target); axis != c.axis || ok != c.ok {
			t.Errorf("%v with %v: %d, %v", c.out, c.target, axis, ok)
		}
	}
}

// The same scores in other layouts are as accurate.
func TestAccuracyOfLayouts(t *testing.T) {
	// two samples of three labels each, four classes
	const n, l, k = 2, 3, 4
	x := []float32{
		9, 1, 2, 3 /**/, 0, 5, 2, 1 /**/, 0, 1, 2, 3,
		1, 1, 0, 0 /**/, 2, 3, 4, 1 /**/, 0, 0, 7, 8,
	}
	y := []int64{0, 1, 2 /**/, 0, 2, 2} // right: 1, 1, 0, 1 (the first of equals), 1, 0
	turned := make([]float32, len(x))
	for i := range n {
		for j := range l {
			for c := range k {
				turned[(i*k+c)*l+j] = x[(i*l+j)*k+c]
			}
		}
	}
	labels := tensor.From(y, n, l)
	for _, o := range []*tensor.Tensor{f32([]int{n, l, k}, x...), f32([]int{n, k, l}, turned...), f32([]int{n * l, k}, x...), f32([]int{n, k, 1, l}, turned...)} {
		near(t, o.String(), measured(t, "accuracy", []*tensor.Tensor{o, labels}), 4./6, 1e-15)
	}
	near(t, "top 2", measured(t, "top-k(k=2)", []*tensor.Tensor{f32([]int{n, l, k}, x...), labels}), 1, 0)
	near(t, "without 2", measured(t, "accuracy(ignore=2)", []*tensor.Tensor{f32([]int{n, l, k}, x...), labels}), 1, 0)
}

// Padding does not count, and a lone score answers for two classes.
func TestPadding(t *testing.T) {
	u, err := Parse("accuracy(scores=probabilities)")
	if err != nil {
		t.Fatal(err)
	}
	a, err := u[0].New()
	if err != nil {
		t.Fatal(err)
	}
	o, y := f32([]int{4, 1}, .6, .4, .9, float32(math.NaN())), tensor.Vector[int64](1, 1, 7, -5)
	if err := a.Add(2, []*tensor.Tensor{o}, []*tensor.Tensor{y}); err != nil {
		t.Fatal(err)
	}
	v, err := a.Value()
	if err != nil {
		t.Fatal(err)
	}
	near(t, "accuracy", v, .5, 0)
	fails(t, a.Add(3, []*tensor.Tensor{o}, []*tensor.Tensor{y}), "label", "sample 4 is 7", "2 classes")
}

// What is not finite is named.
func TestNotFinite(t *testing.T) {
	inf := float32(math.Inf(1))
	_, err := try(t, "accuracy(logits,label)", []*tensor.Tensor{f32([]int{2, 2}, 1, 2, 3, 4), tensor.Vector[int64](0, 1)}, []*tensor.Tensor{f32([]int{2, 2}, 1, 2, 3, inf), tensor.Vector[int64](0, 1)})
	fails(t, err, `output "logits" of sample 3 is +Inf at [1]`)
	_, err = try(t, "mse", []*tensor.Tensor{f32([]int{1, 1}, 1), f32([]int{1, 1}, float32(math.NaN()))})
	fails(t, err, "the target of sample 0 is NaN")
	for _, m := range Metrics() {
		a, err := Use{Metric: m}.New()
		if err != nil {
			t.Fatalf("%s: %v", m.Name, err)
		}
		_, err = a.Value()
		fails(t, err, "nothing was measured")
		if m.Target != Boxes {
			fails(t, a.Add(1, []*tensor.Tensor{nil}, []*tensor.Tensor{nil}), "missing")
		}
	}
}

// Errors of numbers, against closed forms.
func TestNumbers(t *testing.T) {
	b := []*tensor.Tensor{f32([]int{3, 2}, 1, 2, 3, 4, 5, 6), f32([]int{3, 2}, 2, 2, 1, 5, 5, 10)}
	near(t, "mae", measured(t, "mae", b), 8./6, 1e-15)
	near(t, "mse", measured(t, "mse", b), 22./6, 1e-15)
	near(t, "rmse", measured(t, "rmse", b), math.Sqrt(22./6), 1e-15)
	near(t, "mape", measured(t, "mape", b), (.5+0+2+.2+0+.4)/6, 1e-15)
	// means 8/3 and 17/3; sums of squares around them 26/3 and 98/3; residuals 5 and 17
	near(t, "r2", measured(t, "r2", b), ((1-5/(26./3))+(1-17/(98./3)))/2, 1e-14)
	_, err := try(t, "r2", []*tensor.Tensor{f32([]int{2}, 1, 2), f32([]int{2}, 3, 3)})
	fails(t, err, "same in all 2")
	_, err = try(t, "mape", []*tensor.Tensor{f32([]int{2}, 1, 2), f32([]int{2}, 3, 0)})
	fails(t, err, "sample 1 is 0")
	_, err = try(t, "mse", []*tensor.Tensor{f32([]int{2, 2}, 1, 2, 3, 4), f32([]int{2, 1}, 3, 0)})
	fails(t, err, "must be the same")
}
