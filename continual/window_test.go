package continual

import (
	"errors"
	"math"
	"strings"
	"testing"

	"pare/graph"
	"pare/tensor"
)

// linear is a layer on the last axis.
func (b *builder) linear(x *graph.Value, out int) *graph.Value {
	in := x.Shape[len(x.Shape)-1].Mul
	return b.Op("Add", b.Op("MatMul", x, b.transposed(out, in)), b.weight(out))
}

func (b *builder) transposed(out, in int) *graph.Value {
	w := b.weight(out, in)
	w.Const.Shape, w.Shape = []int{in, out}, graph.Dims(in, out)
	return w
}

func (b *builder) norm(x *graph.Value) *graph.Value {
	d := x.Shape[len(x.Shape)-1].Mul
	return b.op("LayerNormalization", attrs{"axis": -1}, x, b.weight(d), b.weight(d))
}

// attend is attention of heads, [N, T, d]; sharp multiplies the products.
func (b *builder) attend(x *graph.Value, heads int, sharp float64) *graph.Value {
	t, d := x.Shape[1].Mul, x.Shape[2].Mul
	split := func(perm ...int) *graph.Value {
		return b.op("Transpose", attrs{"perm": perm}, b.Op("Reshape", b.linear(x, d), b.Ints(0, t, heads, d/heads)))
	}
	q, k, v := split(0, 2, 1, 3), split(0, 2, 3, 1), split(0, 2, 1, 3)
	s := b.Op("Mul", b.Op("MatMul", q, k), b.Scalar(sharp/math.Sqrt(float64(d/heads)), x))
	a := b.op("Transpose", attrs{"perm": []int{0, 2, 1, 3}}, b.Op("MatMul", b.op("Softmax", attrs{"axis": -1}, s), v))
	return b.linear(b.Op("Reshape", a, b.Ints(0, t, d)), d)
}

func (b *builder) encode(x *graph.Value, layers int, sharp float64) *graph.Value {
	for range layers {
		x = b.Op("Add", x, b.attend(b.norm(x), 2, sharp))
		x = b.Op("Add", x, b.linear(b.Op("Relu", b.linear(b.norm(x), 12)), x.Shape[2].Mul))
	}
	return x
}

func (b *builder) last(x *graph.Value, axis int) *graph.Value {
	return b.op("Gather", attrs{"axis": axis}, x, b.Const(tensor.Scalar(int64(-1))))
}

// mean over axes, which go.
func (b *builder) mean(x *graph.Value, axes ...int) *graph.Value {
	return b.Reduce("ReduceMean", x, false, axes...)
}

// windowed are networks whose output is of a clip as a whole.
var windowed = map[string]struct {
	shape []int // of a frame, time left out: it lies on axis
	axis  int
	build func(b *builder) *graph.Value
}{
	"pooled": {[]int{3}, 2, func(b *builder) *graph.Value {
		y := b.Op("Relu", b.bn(b.conv1(b.conv1(b.x, 4, 3, 1, 1, 0, 0), 4, 2, 1, 2, 0, 0)))
		return b.linear(b.Op("Flatten", b.Op("GlobalAveragePool", y)), 3)
	}},
	"pooled, strided": {[]int{3}, 2, func(b *builder) *graph.Value {
		return b.linear(b.mean(b.Op("Relu", b.conv1(b.x, 4, 3, 2, 1, 0, 0)), 2), 3)
	}},
	"largest": {[]int{3}, 2, func(b *builder) *graph.Value { return b.Op("GlobalMaxPool", b.conv1(b.x, 4, 3, 1, 1, 0, 0)) }},
	"layer over all frames": {[]int{3}, 2, func(b *builder) *graph.Value {
		return b.linear(b.Op("Flatten", b.conv1(b.x, 4, 3, 1, 1, 0, 0)), 3)
	}},
	"reaches all frames": {[]int{3}, 2, func(b *builder) *graph.Value {
		y := b.conv1(b.Op("Relu", b.conv1(b.x, 4, 5, 1, 1, 0, 0)), 4, 7, 1, 1, 0, 0)
		return b.linear(b.Op("Squeeze", y, b.Ints(2)), 3)
	}},
	"volumes": {[]int{2, 5, 4}, 2, func(b *builder) *graph.Value {
		y := b.op("Conv", attrs{"kernel_shape": []int{3, 3, 3}, "pads": []int{0, 1, 1, 0, 1, 1}, "strides": []int{1, 2, 1}}, b.x, b.weight(4, 2, 3, 3, 3), b.weight(4))
		y = b.op("Conv", attrs{"kernel_shape": []int{3, 1, 2}, "group": 4, "dilations": []int{2, 1, 1}}, b.Op("Relu", y), b.weight(4, 1, 3, 1, 2))
		y = b.op("MaxPool", attrs{"kernel_shape": []int{2, 2, 2}}, y)
		return b.Op("GlobalAveragePool", y)
	}},
	"volumes, time last": {[]int{2, 5, 4}, 4, func(b *builder) *graph.Value {
		y := b.op("Conv", attrs{"kernel_shape": []int{3, 2, 3}, "pads": []int{1, 0, 0, 1, 0, 0}}, b.x, b.weight(4, 2, 3, 2, 3), b.weight(4))
		return b.Op("GlobalMaxPool", y)
	}},
	"graph convolution": {[]int{2, 5}, 2, func(b *builder) *graph.Value { // [N, C, T, V]
		t := b.x.Shape[2].Mul
		y := b.op("Conv", attrs{"kernel_shape": []int{1, 1}}, b.x, b.weight(6, 2, 1, 1), b.weight(6))
		y = b.op("Einsum", attrs{"equation": "nkctv,kvw->nctw"}, b.Op("Reshape", y, b.Ints(-1, 2, 3, t, 5)), b.weight(2, 5, 5))
		y = b.op("Conv", attrs{"kernel_shape": []int{5, 1}}, b.Op("Relu", b.bn(y)), b.weight(3, 3, 5, 1), b.weight(3))
		skip := b.op("Conv", attrs{"kernel_shape": []int{1, 1}}, b.Op("Slice", b.x, b.Ints(2), b.Ints(-2), b.Ints(2)), b.weight(3, 2, 1, 1))
		y = b.Op("Relu", b.Op("Add", y, skip))
		return b.op("AveragePool", attrs{"kernel_shape": []int{t - 4, 5}}, y)
	}},
	"images of time": {[]int{2, 4, 4}, 1, func(b *builder) *graph.Value { // [N, T, C, H, W], folded into the batch
		t := b.x.Shape[1].Mul
		y := b.Op("Reshape", b.x, b.Ints(-1, 2, 4, 4))
		y = b.Op("Relu", b.op("Conv", attrs{"kernel_shape": []int{3, 3}}, y, b.weight(3, 2, 3, 3), b.weight(3)))
		y = b.Op("Reshape", b.Op("Flatten", b.Op("GlobalAveragePool", y)), b.Ints(-1, t, 3))
		return b.mean(b.linear(y, 4), 1)
	}},
	"attention, newest": {[]int{6}, 1, func(b *builder) *graph.Value { return b.linear(b.last(b.encode(b.linear(b.x, 8), 1, 1), 1), 3) }},
	"attention, oldest": {[]int{6}, 1, func(b *builder) *graph.Value {
		return b.Op("Slice", b.encode(b.linear(b.x, 8), 1, 1), b.Ints(0), b.Ints(1), b.Ints(1))
	}},
	"attention, all":        {[]int{6}, 1, func(b *builder) *graph.Value { return b.encode(b.linear(b.x, 8), 1, 1) }},
	"attention, all, sharp": {[]int{6}, 1, func(b *builder) *graph.Value { return b.encode(b.linear(b.x, 8), 1, 20) }},
	"attention, mean":       {[]int{6}, 1, func(b *builder) *graph.Value { return b.mean(b.encode(b.linear(b.x, 8), 1, 1), 1) }},
	"two layers, newest": {[]int{6}, 1, func(b *builder) *graph.Value {
		return b.last(b.norm(b.encode(b.linear(b.x, 8), 2, 1)), 1)
	}},
	"three layers": {[]int{6}, 1, func(b *builder) *graph.Value { return b.last(b.encode(b.linear(b.x, 8), 3, 2), 1) }},
	"behind a convolution": {[]int{6}, 2, func(b *builder) *graph.Value {
		y := b.op("Transpose", attrs{"perm": []int{0, 2, 1}}, b.conv1(b.x, 8, 3, 2, 1, 0, 0))
		return b.last(b.encode(y, 2, 1), 1)
	}},
}

// Of every window of a stream the steps give what the network gives for it as a clip.
func TestWindows(t *testing.T) {
	const clip, length = 11, 34
	for name, c := range windowed {
		t.Run(name, func(t *testing.T) {
			shape := append([]int{}, c.shape...)
			shape = append(shape[:c.axis-1], append([]int{clip}, shape[c.axis-1:]...)...)
			b := newBuilder(5, shape...)
			g := b.finish(t, c.build(b))
			full := append([]int{2}, shape...)
			full[c.axis] = length
			x := random(4, full...)
			s := mustConvert(t, g, Options{Axes: map[string]int{"x": c.axis}})
			got := streamed(t, s, x, c.axis, true)["y0"]
			if want := (length-clip)/s.Frames + 1; len(got.value) != want {
				t.Fatalf("%d outputs, want %d", len(got.value), want)
			}
			if got.at[0] != s.Delay || s.Delay != clip-1 && s.Frames == 1 {
				t.Errorf("the first output came with frame %d, the delay is %d", got.at[0], s.Delay)
			}
			for k, v := range got.value {
				lo := k * s.Frames
				if d := difference(v, offline(t, g, cut(t, x, c.axis, lo, lo+clip))["y0"]); d > 1e-5 {
					t.Fatalf("window %d differs by %v", k, d)
				}
			}
		})
	}
}

// Retroactive attention stays exact over a thousand steps, with products beyond what exp
// takes in float32, and takes an order less than attention of all frames.
func TestRetroactive(t *testing.T) {
	const clip, length = 8, 1010
	// A product of 300 is rounded to one part in 2^24 of it: so far weights differ anyway.
	for sharp, most := range map[float64]float64{1: 1e-5, 300: 2e-4} {
		b := newBuilder(5, clip, 6)
		g := b.finish(t, b.attend(b.linear(b.x, 8), 2, sharp))
		s := mustConvert(t, g, Options{Axes: map[string]int{"x": 1}, Refresh: 100})
		if s.Refresh == 0 {
			t.Error("nothing is ever computed anew")
		}
		x := random(4, 1, length, 6)
		got := streamed(t, s, x, 1, false)["y0"]
		if len(got.value) != length-clip+1 {
			t.Fatalf("%d outputs", len(got.value))
		}
		for k := len(got.value) - 200; k < len(got.value); k++ {
			if d := difference(got.value[k], offline(t, g, cut(t, x, 1, k, k+clip))["y0"]); d > most {
				t.Fatalf("sharpness %v: window %d differs by %v", sharp, k, d)
			}
		}
	}
}

// What has no form on a stream is refused by name and reason, or computed anew.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		axis  int
		build func(b *builder) *graph.Value
		want  string
		anew  bool // recomputing helps
	}{
		"squeeze and excitation": {2, func(b *builder) *graph.Value {
			return b.Op("Mul", b.x, b.Op("Sigmoid", b.Op("GlobalAveragePool", b.x)))
		}, "squeeze-and-excitation", true},
		"softmax over time": {2, func(b *builder) *graph.Value { return b.op("Softmax", attrs{"axis": 2}, b.x) }, "runs over time", true},
		"instance normalisation": {2, func(b *builder) *graph.Value {
			return b.Op("InstanceNormalization", b.x, b.weight(4), b.weight(4))
		}, "InstanceNormalization) has no form", true},
		"frame weights": {2, func(b *builder) *graph.Value { return b.Op("Mul", b.x, b.weight(1, 1, 6)) }, "for every frame of a clip", true},
		"positions":     {2, func(b *builder) *graph.Value { return b.Op("Add", b.x, b.weight(1, 4, 6)) }, "recycle", true},
		"mixing":        {2, func(b *builder) *graph.Value { return b.Op("MatMul", b.x, b.weight(6, 5)) }, "sums over time", true},
		"mask": {1, func(b *builder) *graph.Value {
			s := b.Op("MatMul", b.x, b.op("Transpose", attrs{"perm": []int{0, 2, 1}}, b.x))
			return b.Op("MatMul", b.op("Softmax", attrs{"axis": -1}, b.Op("Add", s, b.weight(4, 4))), b.x)
		}, "attention masks", false},
		"strides": {2, func(b *builder) *graph.Value {
			return b.op("Concat", attrs{"axis": 1}, b.conv1(b.x, 2, 1, 5, 1, 0, 0), b.conv1(b.Op("Slice", b.x, b.Ints(0), b.Ints(4), b.Ints(2)), 2, 1, 2, 1, 0, 0))
		}, "different strides", false},
		"rounding up": {2, func(b *builder) *graph.Value {
			return b.op("AveragePool", attrs{"kernel_shape": []int{3}, "strides": []int{2}, "ceil_mode": 1}, b.x)
		}, "in time up", true},
		"batch normalisation in training": {2, func(b *builder) *graph.Value {
			y := b.bn(b.x)
			y.From.Set("training_mode", 1)
			return y
		}, "in training", true},
		"batch normalisation of time": {1, func(b *builder) *graph.Value { return b.bn(b.x) }, "numbers of its own for every frame", true},
	} {
		b := newBuilder(1, 4, 6)
		g := b.finish(t, c.build(b))
		o := Options{Axes: map[string]int{"x": c.axis}}
		_, err := Convert(g, o)
		var bad *Unsuitable
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) || bad.Node.Name == "" {
			t.Errorf("%s: %v", name, err)
			continue
		}
		o.Recompute = true
		s, err := Convert(g, o)
		if !c.anew {
			if err == nil {
				t.Errorf("%s: was computed anew", name)
			}
			continue
		}
		if err != nil || len(s.Notes) == 0 {
			t.Errorf("%s, anew: %v", name, err)
			continue
		}
		n := []int{4, 6}[c.axis-1]
		x := random(2, 2, 4, 6)
		x.Shape[c.axis] = n
		long := random(2, []int{2, 4 + 5*(2-c.axis), 6 + 5*(c.axis-1)}...)
		got := streamed(t, s, long, c.axis, false)["y0"]
		for k, v := range got.value {
			if d := difference(v, offline(t, g, cut(t, long, c.axis, k, k+n))["y0"]); d > 1e-5 {
				t.Errorf("%s: window %d differs by %v", name, k, d)
			}
		}
		if len(got.value) != 6 {
			t.Errorf("%s: %d windows", name, len(got.value))
		}
	}
}

// Wrong settings and files are refused before any work.
func TestWrongUse(t *testing.T) {
	b := newBuilder(1, 2, 6)
	g := b.finish(t, b.conv1(b.x, 2, 3, 1, 1, 0, 0))
	for want, o := range map[string]Options{
		"no time axis":     {},
		"there is no inp":  {Axes: map[string]int{"z": 1}},
		"has no axis 3":    {Axes: map[string]int{"x": 3}},
		"takes frames for": {Axes: map[string]int{"x": 1}},
		"Window -1":        {Axes: map[string]int{"x": 2}, Window: -1},
		"a clip of 2":      {Axes: map[string]int{"x": 2}, Window: 2},
	} {
		if _, err := Convert(g, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	if _, err := Open(g); err == nil {
		t.Error("a network of clips was opened as one of a stream")
	}
}

// The window of a network may be another than that of its clips.
func TestOtherWindow(t *testing.T) {
	make := func(frames int) *graph.Graph {
		b := newBuilder(5, 3, frames)
		return b.finish(t, b.Op("GlobalAveragePool", b.conv1(b.x, 4, 3, 1, 1, 0, 0)))
	}
	s := mustConvert(t, make(6), Options{Axes: map[string]int{"x": -1}, Window: 9})
	x := random(4, 1, 3, 12)
	got := streamed(t, s, x, 2, false)["y0"]
	if len(got.value) != 4 || s.Clip != 9 {
		t.Fatalf("%d outputs of clips of %d", len(got.value), s.Clip)
	}
	for k, v := range got.value {
		if d := difference(v, offline(t, make(9), cut(t, x, 2, k, k+9))["y0"]); d > 1e-5 {
			t.Errorf("window %d differs by %v", k, d)
		}
	}
}

// A frame keeps the position of its arrival, counted where positions are added: a window
// sees the table turned.
func TestRecycled(t *testing.T) {
	const clip, length, width = 4, 23, 3
	for _, size := range []int{4, 9} {
		for ahead := range 3 { // frames that a slice drops before
			net := func(b *builder, table func() *graph.Value) *graph.Graph {
				x := b.x
				if ahead > 0 {
					x = b.Op("Slice", x, b.Ints(ahead), b.Ints(clip+ahead), b.Ints(1))
				}
				return b.finish(t, b.last(b.encode(b.linear(b.Op("Add", x, table()), 4), 1, 1), 1))
			}
			rows := random(8, size, width)
			b := newBuilder(5, clip+ahead, width)
			g := net(b, func() *graph.Value {
				w := b.G.Const("positions", rows.Clone(), graph.Param)
				if size > clip {
					w = b.Op("Slice", w, b.Ints(0), b.Ints(clip), b.Ints(0))
				}
				return w
			})
			s, err := Convert(g, Options{Axes: map[string]int{"x": 1}, Positions: "recycle"})
			if err != nil {
				t.Fatal(err)
			}
			if (len(s.Notes) > 0) != (size < 2*clip-1) {
				t.Errorf("a table of %d: notes %q", size, s.Notes)
			}
			x := random(4, 1, length, width)
			got := streamed(t, s, x, 1, false)["y0"]
			if len(got.value) != length-clip-ahead+1 {
				t.Fatalf("%d outputs", len(got.value))
			}
			for k, v := range got.value {
				turned := tensor.New(tensor.Float32, clip, width)
				for i := range clip {
					copy(turned.F32()[i*width:][:width], rows.F32()[(k+i)%size*width:])
				}
				b := newBuilder(5, clip+ahead, width)
				g := net(b, func() *graph.Value { return b.G.Const("positions", turned, graph.Param) })
				if d := difference(v, offline(t, g, cut(t, x, 1, k, k+clip+ahead))["y0"]); d > 1e-5 {
					t.Fatalf("a table of %d, %d frames dropped: window %d differs by %v", size, ahead, k, d)
				}
			}
		}
	}
}

// A query of the newest frame alone costs products of the window's keys and values, in
// number n E each, and all other layers one frame.
func TestSingleOutput(t *testing.T) {
	const n, d = 11, 8
	b := newBuilder(5, n, 6)
	s := mustConvert(t, b.finish(t, windowed["attention, newest"].build(b)), Options{Axes: map[string]int{"x": 1}})
	if want := int64(6*d + 3*d*d + 2*n*d + d*d + 2*d*12 + d*3); s.MACs != want || s.Refresh != 0 {
		t.Errorf("a step takes %d and at times %d, want %d", s.MACs, s.Refresh, want)
	}
}
