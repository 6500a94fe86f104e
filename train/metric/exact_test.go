package metric

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/tensor"
)

type tensors = []*tensor.Tensor

// Counts of classes, against values worked out by hand.
func TestCounts(t *testing.T) {
	// said 0 0 1 1 2 2, there 0 1 1 1 2 0: both 1 2 1, said 2 2 2, there 2 3 1
	x := tensor.New(tensor.Float32, 6, 4) // a fourth class is nowhere
	for i, c := range []int{0, 0, 1, 1, 2, 2} {
		x.F32()[4*i+c] = 1
	}
	b := tensors{x, tensor.Vector[int64](0, 1, 1, 1, 2, 0)}
	near(t, "accuracy", measured(t, "accuracy", b), 4./6, 1e-15)
	near(t, "balanced", measured(t, "balanced-accuracy", b), (1./2+2./3+1)/3, 1e-15)
	near(t, "precision", measured(t, "precision", b), (1./2+1+1./2)/3, 1e-15)
	near(t, "recall", measured(t, "recall", b), (1./2+2./3+1)/3, 1e-15)
	near(t, "f1", measured(t, "f1", b), (1./2+4./5+2./3)/3, 1e-15)
	near(t, "weighted", measured(t, "f1(average=weighted)", b), (2*1./2+3*4./5+2./3)/6, 1e-15)
	near(t, "micro", measured(t, "f1(average=micro)", b), 4./6, 1e-15)
	near(t, "binary", measured(t, "f1(average=binary,positive=2)", b), 2./3, 1e-15)
	near(t, "iou", measured(t, "iou", b), (1./3+2./3+1./2)/3, 1e-15)
	near(t, "dice without class 0", measured(t, "dice(background=no)", b), (4./5+2./3)/2, 1e-15)
	_, err := try(t, "f1(average=binary,positive=3)", b)
	fails(t, err, "neither said nor there")
	_, err = try(t, "accuracy(ignore=0)", tensors{x, tensor.New(tensor.Int64, 6)})
	fails(t, err, "every label is left out")
}

// A label counts among the best k and no further; of equal scores the first come first.
func TestTopK(t *testing.T) {
	b := tensors{f32([]int{4, 4}, 4, 3, 2, 1 /**/, 4, 3, 2, 1 /**/, 4, 3, 2, 1 /**/, 4, 3, 3, 1), tensor.Vector[int64](0, 1, 2, 2)}
	for k, want := range map[string]float64{"1": 1. / 4, "2": 2. / 4, "3": 1} {
		near(t, "top "+k, measured(t, "top-k(k="+k+")", b), want, 0)
	}
}

// A yes or no for each class: three labels, the last of which is never there or said.
func TestFlags(t *testing.T) {
	x := f32([]int{4, 3}, .9, .2, .1 /**/, .8, .6, .1 /**/, .3, .7, .1 /**/, .6, .1, .1)
	y := tensor.From([]int64{1, 0, 0 /**/, 0, 1, 0 /**/, 0, 1, 0 /**/, 1, 1, 0}, 4, 3)
	b := tensors{x, y}
	p := "(scores=probabilities"
	near(t, "f1", measured(t, "f1"+p+")", b), (4./5+4./5+0)/3, 1e-15)
	near(t, "precision", measured(t, "precision"+p+",average=micro)", b), 4./5, 1e-15)
	near(t, "higher threshold", measured(t, "recall"+p+",average=micro,threshold=0.65)", b), 2./5, 1e-15)
	// label 0: yes .9 .6, no .8 .3: 3 of 4 pairs; label 1: yes .6 .7 .1, no .2: 2 of 3
	near(t, "auroc", measured(t, "auroc"+p+")", b), (3./4+2./3)/2, 1e-15)
	near(t, "map", measured(t, "average-precision"+p+")", b), ((1+2./3)/2+(1+1+3./4)/3)/2, 1e-15)
	// yes 1 1 0, no 0 1: of six pairs two are right, and three equal
	near(t, "ties", measured(t, "auroc", tensors{f32([]int{5}, 1, 1, 0, 1, 0), tensor.Vector[int64](1, 1, 0, 0, 1)}), (2+1.5)/6, 1e-15)
	_, err := try(t, "f1", tensors{x, tensor.From([]int64{1, 0, 0, 0, 2, 0, 0, 1, 0, 1, 1, 0}, 4, 3)})
	fails(t, err, "sample 1 is 2: 0 or 1")
	_, err = try(t, "f1"+p+")", tensors{f32([]int{1, 2}, 3, 0), tensor.From([]int64{1, 0}, 1, 2)})
	fails(t, err, "3, which is no probability: say scores=logits")
	_, err = try(t, "auroc", tensors{f32([]int{2, 1}, 3, 0), tensor.From([]int64{1, 1}, 2)})
	fails(t, err, "all of one kind")
}

// Probabilities and the logits they come from are judged alike, two columns like one.
func TestScores(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	const n, k = 40, 4
	logits, probs := tensor.New(tensor.Float32, n, k), tensor.New(tensor.Float32, n, k)
	y := tensor.New(tensor.Int64, n)
	for i := range n {
		var sum float64
		for c := range k {
			v := r.NormFloat64()
			logits.F32()[i*k+c] = float32(v)
			sum += math.Exp(v)
		}
		for c := range k {
			probs.F32()[i*k+c] = float32(math.Exp(float64(logits.F32()[i*k+c])) / sum)
		}
		tensor.Of[int64](y)[i] = int64(r.IntN(k))
	}
	for _, m := range []string{"accuracy", "log-loss", "auroc", "perplexity"} {
		near(t, m, measured(t, m+"(scores=probabilities)", tensors{probs, y}), measured(t, m, tensors{logits, y}), 1e-6)
	}
	two, one, yes := tensor.New(tensor.Float32, n, 2), tensor.New(tensor.Float32, n), tensor.New(tensor.Int64, n)
	for i := range n {
		two.F32()[2*i], two.F32()[2*i+1] = logits.F32()[i*k], logits.F32()[i*k+1]
		one.F32()[i] = two.F32()[2*i+1] - two.F32()[2*i]
		tensor.Of[int64](yes)[i] = int64(r.IntN(2))
	}
	for _, m := range []string{"accuracy", "f1", "log-loss", "auroc", "average-precision", "balanced-accuracy"} {
		near(t, m, measured(t, m, tensors{one, yes}), measured(t, m, tensors{two, yes}), 1e-6)
	}
	uniform := tensor.New(tensor.Float32, n, k)
	near(t, "perplexity of no idea", measured(t, "perplexity", tensors{uniform, y}), k, 1e-12)
	rounded := tensors{f32([]int{1, 2}, .501, .501), tensor.Vector[int64](0)}
	near(t, "rounded probabilities", measured(t, "log-loss(scores=probabilities)", rounded), math.Ln2, 1e-6)
	_, err := try(t, "log-loss(scores=probabilities)", tensors{f32([]int{1, 2}, .9, .9), tensor.Vector[int64](0)})
	fails(t, err, "sum to 1.8, not to 1")
}

// Correlations: a line, a monotone curve, and two embeddings.
func TestCorrelation(t *testing.T) {
	x := f32([]int{4, 1}, 1, 2, 3, 4)
	near(t, "line", measured(t, "pearson", tensors{x, f32([]int{4}, 3, 1, -1, -3)}), -1, 1e-15)
	near(t, "curve", measured(t, "spearman", tensors{x, f32([]int{4}, 1, 10, 100, 1e6)}), 1, 1e-15)
	near(t, "ties", measured(t, "spearman", tensors{x, f32([]int{4}, 1, 5, 5, 7)}), 4.5/math.Sqrt(5*4.5), 1e-15)
	a, b := f32([]int{3, 2}, 1, 0, 1, 0, 1, 0), f32([]int{3, 2}, 2, 0, 0, 5, -1, 0)
	near(t, "embeddings", measured(t, "pearson", tensors{a, b, f32([]int{3}, 3, 2, 1)}), 1, 1e-15)
	_, err := try(t, "pearson", tensors{x, f32([]int{4}, 1, 1, 1, 1)})
	fails(t, err, "target is the same for all 4")
}

// A mask from one channel, over the set and over samples.
func TestMask(t *testing.T) {
	x := f32([]int{3, 1, 2, 2}, 1, 1, -1, -1 /**/, 1, 1, 1, 1 /**/, -1, -1, -1, -1)
	y := tensor.From([]int64{1, 0, 1, 0 /**/, 1, 1, 1, 0 /**/, 0, 0, 0, 0}, 3, 2, 2)
	near(t, "set", measured(t, "iou", tensors{x, y}), 4./7, 1e-15)
	near(t, "samples", measured(t, "iou(over=sample)", tensors{x, y}), (1./3+3./4)/2, 1e-15)
	near(t, "dice", measured(t, "dice(over=sample)", tensors{x, y}), (1./2+6./7)/2, 1e-15)
	near(t, "ignored", measured(t, "iou(ignore=255)", tensors{x, tensor.From([]int64{1, 255, 1, 0, 1, 1, 1, 255, 0, 0, 0, 0}, 3, 2, 2)}), 4./5, 1e-15)
	_, err := try(t, "iou(ignore=0)", tensors{x, tensor.New(tensor.Int64, 3, 2, 2)})
	fails(t, err, "no class is said or there")
	// a channel for each of two masks is the mean of the two
	two := f32([]int{1, 2, 1, 4}, 1, 1, -1, -1 /**/, 1, 1, 1, 1)
	each := tensor.From([]int64{1, 0, 1, 0 /**/, 1, 1, 1, 0}, 1, 2, 1, 4)
	near(t, "two masks", measured(t, "iou", tensors{two, each}), (1./3+3./4)/2, 1e-15)
}

// Tokens are merged, blanks taken out, and words compared.
func TestSequences(t *testing.T) {
	said := func(axis int, k int, tokens ...[]int) *tensor.Tensor {
		steps := len(tokens[0])
		x := tensor.New(tensor.Float32, len(tokens), steps, k)
		for s, row := range tokens {
			for i, c := range row {
				if axis == 2 {
					x.F32()[(s*steps+i)*k+c] = 1
				} else {
					x.F32()[(s*k+c)*steps+i] = 1
				}
			}
		}
		if axis == 1 {
			x.Shape[1], x.Shape[2] = k, steps
		}
		return x
	}
	// 1 1 0 1 2 2 is "1 1 2"; 3 0 0 0 0 0 is "3"
	rows := [][]int{{1, 1, 0, 1, 2, 2}, {3, 0, 0, 0, 0, 0}}
	y := tensor.From([]int32{1, 2, 3, -1 /**/, 3, 1, -1, -1}, 2, 4) // 2 changes (1 1 2 -> 1 2 3), 1 put in
	near(t, "cer", measured(t, "cer", tensors{said(2, 5, rows...), y}), 3./5, 1e-15)
	near(t, "turned", measured(t, "cer(axis=1)", tensors{said(1, 5, rows...), y}), 3./5, 1e-15)
	// words, between 4: "1 2|3" and "1 2|1"
	w := tensor.From([]int32{1, 2, 4, 1}, 1, 4)
	near(t, "wer", measured(t, "wer(space=4)", tensors{said(2, 5, []int{1, 2, 2, 4, 0, 3}), w}), 1./2, 1e-15)
	// without merging, up to the end 0, 9 filled up
	near(t, "best", measured(t, "cer(decode=best,end=0,pad=4)", tensors{said(2, 5, []int{1, 1, 2, 0, 3, 3}), tensor.From([]int32{1, 2, 2, 0, 4, 4}, 1, 6)}), 1./3, 1e-15)
	_, err := try(t, "cer", tensors{said(2, 5, rows[0]), tensor.From([]int32{1, 0}, 1, 2)})
	fails(t, err, "the blank", "pad=0")
	_, err = try(t, "cer(blank=last)", tensors{said(2, 5, rows[0]), tensor.From([]int32{1, 5}, 1, 2)})
	fails(t, err, "sample 0 is 5, outside the 5 tokens")
	_, err = try(t, "cer", tensors{said(2, 5, rows[0]), tensor.From([]int32{-1, -1}, 1, 2)})
	fails(t, err, "every target is empty")
}

// The edit distance is that of its recursive definition.
func TestDistance(t *testing.T) {
	var slow func(a, b []int) int
	slow = func(a, b []int) int {
		if len(a) == 0 || len(b) == 0 {
			return len(a) + len(b)
		}
		change := 1
		if a[0] == b[0] {
			change = 0
		}
		return min(slow(a[1:], b)+1, slow(a, b[1:])+1, slow(a[1:], b[1:])+change)
	}
	r := rand.New(rand.NewPCG(1, 9))
	var buf []int
	for range 200 {
		a, b := make([]int, r.IntN(7)), make([]int, r.IntN(7))
		for i := range a {
			a[i] = r.IntN(3)
		}
		for i := range b {
			b[i] = r.IntN(3)
		}
		if got, want := distance(a, b, &buf), slow(a, b); got != want {
			t.Fatalf("%v to %v: %d, not %d", a, b, got, want)
		}
	}
}

// Of embeddings, two classes of two and one alone.
func TestRetrieval(t *testing.T) {
	x := f32([]int{5, 2}, 1, 0 /**/, 10, 1 /**/, 0, 1 /**/, 1, 1 /**/, 1, 3)
	y := tensor.Vector[int64](0, 0, 1, 1, 2)
	// by angle: 0 and 1 find each other, 2 finds 4 before 3, and 3 finds 4, 1 and 0 before 2
	near(t, "cosine", measured(t, "recall-at-k", tensors{x, y}), 1./2, 0)
	near(t, "of two", measured(t, "recall-at-k(k=2)", tensors{x, y}), 3./4, 0)
	// by length: 0 finds 3, 1 finds 3, 2 and 3 each other, where 0 is as near to 3
	near(t, "euclidean", measured(t, "recall-at-k(distance=euclidean)", tensors{x, y}), 1./4, 0)
	same := tensor.New(tensor.Float32, 5, 2)
	for i := range same.F32() {
		same.F32()[i] = 1
	}
	near(t, "all the same", measured(t, "recall-at-k", tensors{same, y}), 0, 0)
	_, err := try(t, "recall-at-k", tensors{same, tensor.Vector[int64](0, 1, 2, 3, 4)})
	fails(t, err, "no two samples")
	_, err = try(t, "recall-at-k", tensors{tensor.New(tensor.Float32, 5, 2), y})
	fails(t, err, "sample 0 is zero")
}

// Ranks of the right item; equal scores come before it.
func TestRecommend(t *testing.T) {
	x := f32([]int{3, 4}, 4, 3, 2, 1 /**/, 4, 3, 2, 1 /**/, 1, 1, 1, 1)
	y := tensor.Vector[int64](0, 2, 0)
	near(t, "hit rate", measured(t, "hit-rate(k=3)", tensors{x, y}), 2./3, 1e-15)
	near(t, "ndcg", measured(t, "ndcg(k=3)", tensors{x, y}), (1+1/math.Log2(4))/3, 1e-15)
	near(t, "mrr", measured(t, "mrr", tensors{x, y}), (1+1./3+1./4)/3, 1e-15)
	_, err := try(t, "hit-rate(k=4)", tensors{x, y})
	fails(t, err, "never wrong")
}

// Structural similarity is what its definition says, window by window.
func TestSSIM(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	const h, w = 13, 14
	a, b := tensor.New(tensor.Float32, 1, h, w), tensor.New(tensor.Float32, 1, h, w)
	for i := range a.F32() {
		a.F32()[i] = r.Float32()
		b.F32()[i] = a.F32()[i] + .2*r.Float32()
	}
	var sum float64
	for i := range h - 10 {
		for j := range w - 10 {
			var total, ma, mb, va, vb, ab float64
			weigh := func(f func(g, x, y float64)) {
				for p := range 11 {
					for q := range 11 {
						at := (i+p)*w + j + q
						f(math.Exp(-(square(float64(p-5))+square(float64(q-5)))/(2*1.5*1.5)), float64(a.F32()[at]), float64(b.F32()[at]))
					}
				}
			}
			weigh(func(g, x, y float64) { total += g; ma += g * x; mb += g * y })
			ma, mb = ma/total, mb/total
			weigh(func(g, x, y float64) {
				va += g / total * square(x-ma)
				vb += g / total * square(y-mb)
				ab += g / total * (x - ma) * (y - mb)
			})
			sum += (2*ma*mb + .0004) * (2*ab + .0036) / ((ma*ma + mb*mb + .0004) * (va + vb + .0036))
		}
	}
	near(t, "ssim", measured(t, "ssim(range=2)", tensors{a, b}), sum/((h-10)*(w-10)), 1e-12)
	_, err := try(t, "ssim", tensors{tensor.New(tensor.Float32, 1, 10, 20), tensor.New(tensor.Float32, 1, 10, 20)})
	fails(t, err, "at least 11x11")
	_, err = try(t, "ssim", tensors{tensor.New(tensor.Float32, 1, 20, 20, 20), tensor.New(tensor.Float32, 1, 20, 20, 20)})
	fails(t, err, "say layout")
}

// Noise of one size has the ratio of that size.
func TestPSNR(t *testing.T) {
	x := f32([]int{2, 2}, .5, .5, .25, .25)
	y := f32([]int{2, 2}, .6, .4, .35, .15)
	near(t, "psnr", measured(t, "psnr", tensors{x, y}), 20, 1e-6)
	near(t, "of 255", measured(t, "psnr(range=255)", tensors{x, y}), 20+20*math.Log10(255), 1e-6)
	near(t, "of the set", measured(t, "psnr(over=set)", tensors{x, f32([]int{2, 2}, .5, .5, .35, .15)}), 10*math.Log10(200), 1e-6)
}

// Fidelity names the network's output, and needs no labels.
func TestFidelity(t *testing.T) {
	a, b := f32([]int{2, 2}, 3, 4, 1, 0), f32([]int{2, 2}, 0, 5, 0, 1)
	near(t, "agreement", measured(t, "agreement", tensors{a, b}), 1./2, 0)
	near(t, "relative error", measured(t, "relative-error", tensors{a, b}), math.Sqrt(12./26), 1e-15)
	near(t, "cosine", measured(t, "cosine", tensors{a, b}), .8/2, 1e-15)
	near(t, "yes or no", measured(t, "agreement", tensors{f32([]int{4}, 1, -1, 2, -2), f32([]int{4}, 3, 1, -1, -7)}), 1./2, 0)
	// classes on the second axis of pictures, the last of sequences
	p, q := f32([]int{1, 2, 1, 2}, 1, 0, 0, 1), f32([]int{1, 2, 1, 2}, 1, 1, 0, 0)
	near(t, "pictures", measured(t, "agreement", tensors{p, q}), 1./2, 0)
	near(t, "axis 3", measured(t, "agreement(axis=3)", tensors{f32([]int{1, 1, 2, 2}, 1, 0, 0, 1), f32([]int{1, 1, 2, 2}, 1, 2, 0, 3)}), 1./2, 0)
	_, err := try(t, "relative-error(logits)", tensors{a, f32([]int{2, 2}, 0, 5, 0, float32(math.NaN()))})
	fails(t, err, `the reference's output "logits" of sample 1 is NaN`)
	_, err = try(t, "relative-error", tensors{a, tensor.New(tensor.Float32, 2, 2)})
	fails(t, err, "is zero")
	if r := Find("agreement").Roles(); !slices.Equal(r, []string{"output"}) {
		t.Errorf("roles %q", r)
	}
}

// Values are shown, and drops counted, in the metric's own units.
func TestUnits(t *testing.T) {
	acc, psnr, mae := Find("accuracy"), Find("psnr"), Find("mae")
	if got := []string{acc.Show(.91234), psnr.Show(31.5), mae.Show(.0123456)}; !slices.Equal(got, []string{"91.23 %", "31.50 dB", "0.012346"}) {
		t.Errorf("%q", got)
	}
	near(t, "points", acc.Worse(.92, .9), 2, 1e-12)
	near(t, "dB", psnr.Worse(30, 31), -1, 1e-12)
	near(t, "mae", mae.Worse(1, 1.5), .5, 1e-12)
}

// Halves, doubles, bytes and truths are read as numbers.
func TestTypes(t *testing.T) {
	y := tensor.Vector[int64](1, 0)
	half := &tensor.Tensor{DType: tensor.Float16, Shape: []int{2, 2}, Data: []uint16{0, 0x3c00, 0x3c00, 0}}
	brain := &tensor.Tensor{DType: tensor.BFloat16, Shape: []int{2, 2}, Data: []uint16{0, 0x3f80, 0x3f80, 0}}
	for _, x := range (tensors{half, brain, tensor.From([]float64{0, 1, 1, 0}, 2, 2), tensor.From([]uint8{0, 1, 1, 0}, 2, 2), tensor.From([]bool{false, true, true, false}, 2, 2)}) {
		near(t, x.String(), measured(t, "accuracy", tensors{x, y}), 1, 0)
		near(t, x.String(), measured(t, "mse", tensors{x, f32([]int{2, 2}, 0, 1, 1, 0)}), 0, 0)
	}
	x := f32([]int{2, 2}, 0, 1, 1, 0)
	for _, y := range (tensors{f32([]int{2}, 1, 0), tensor.Vector[int32](1, 0), tensor.Vector[uint8](1, 0), tensor.Vector(true, false)}) {
		near(t, y.String(), measured(t, "accuracy", tensors{x, y}), 1, 0)
	}
	_, err := try(t, "accuracy", tensors{x, f32([]int{2}, .5, 0)})
	fails(t, err, "0.5 is no whole number")
	_, err = try(t, "accuracy", tensors{x, tensor.Vector("a", "b")})
	fails(t, err, "no whole numbers")
}
