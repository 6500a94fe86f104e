package interop

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/tensor"
	"pare/train/metric"
)

type metricJob struct {
	Of     string `json:"of"`
	Arrays []feed `json:"arrays"`
}

type metricAnswer struct {
	Error   string  `json:"error"`
	Missing string  `json:"missing"`
	Value   float64 `json:"value"`
}

// metricCase is a metric here, what it is in metrics.py, and outputs and targets.
type metricCase struct {
	text, of string
	x        []*tensor.Tensor
}

// drawn makes random outputs and targets.
type drawn struct{ *rand.Rand }

func (r drawn) normal(shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.F32() {
		t.F32()[i] = float32(r.NormFloat64())
	}
	return t
}

// coarse are numbers of which many are equal.
func (r drawn) coarse(shape ...int) *tensor.Tensor {
	t := r.normal(shape...)
	for i, v := range t.F32() {
		t.F32()[i] = float32(math.Round(4*float64(v)) / 4)
	}
	return t
}

func (r drawn) classes(k int, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Int64, shape...)
	for i := range tensor.Of[int64](t) {
		tensor.Of[int64](t)[i] = r.Int64N(int64(k))
	}
	return t
}

// around is a tensor plus noise.
func (r drawn) around(x *tensor.Tensor, by float64) *tensor.Tensor {
	y := x.Clone()
	for i := range y.F32() {
		y.F32()[i] += float32(by * r.NormFloat64())
	}
	return y
}

// picture is smooth, from 0 to 1.
func (r drawn) picture(shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	a, b := 5+20*r.Float64(), 3*r.Float64()
	for i := range t.F32() {
		t.F32()[i] = float32(0.5 + 0.5*math.Sin(float64(i)/a+b))
	}
	return t
}

// sequences are [N L], of lengths from 1 to L, padded with -1, and scores [N T C] whose
// best tokens are near them.
func (r drawn) sequences(n, l, t, c int) (scores, tokens *tensor.Tensor) {
	scores, tokens = r.normal(n, t, c), r.classes(c-1, n, l)
	y := tensor.Of[int64](tokens)
	for s := range n {
		length := 1 + r.IntN(l)
		for i := range l {
			y[s*l+i]++ // 0 is blank
			if i >= length {
				y[s*l+i] = -1
			} else if 2*i+1 < t && r.IntN(4) > 0 {
				scores.F32()[(s*t+2*i)*c+int(y[s*l+i])] += 9
				scores.F32()[(s*t+2*i+1)*c] += 9
			}
		}
	}
	return scores, tokens
}

// objects are boxes [N M 4] and labels [N M], padded, and d detections of each image
// that lie about them, by corners [N D 4] with scores [N D] and classes.
func (r drawn) objects(n, m, d, c int) (boxes, labels, found *tensor.Tensor) {
	boxes, labels, found = tensor.New(tensor.Float32, n, m, 4), r.classes(c, n, m), tensor.New(tensor.Float32, n, d, 6)
	for s := range n {
		here := r.IntN(m + 1)
		for i := range m {
			b := boxes.F32()[(s*m+i)*4:][:4]
			b[0], b[1] = r.Float32()*80, r.Float32()*80
			b[2], b[3] = b[0]+5+r.Float32()*40, b[1]+5+r.Float32()*40
			if i >= here {
				tensor.Of[int64](labels)[s*m+i] = -1
			}
		}
		for i := range d {
			f := found.F32()[(s*d+i)*6:][:6]
			k := s*m + r.IntN(m)
			copy(f, boxes.F32()[4*k:4*k+4])
			for j := range 4 {
				f[j] += float32(r.NormFloat64() * 2)
			}
			f[2], f[3] = max(f[2], f[0]+1), max(f[3], f[1]+1)
			f[4] = float32(math.Round(float64(r.Float32())*50)+1) / 60 // many are equal
			f[5] = float32(max(0, tensor.Of[int64](labels)[k]))
			if r.IntN(5) == 0 {
				f[5] = float32(r.IntN(c))
			}
		}
	}
	return boxes, labels, found
}

// split gives columns a to b of found, as a tensor of their own.
func split(x *tensor.Tensor, a, b int) *tensor.Tensor {
	w := x.Shape[2]
	y := tensor.New(tensor.Float32, x.Shape[0], x.Shape[1], b-a)
	for i := range x.Shape[0] * x.Shape[1] {
		copy(y.F32()[i*(b-a):(i+1)*(b-a)], x.F32()[i*w+a:i*w+b])
	}
	return y
}

func metricCases() []metricCase {
	r := drawn{rand.New(rand.NewPCG(5, 6))}
	x, y := r.normal(200, 7), r.classes(5, 200) // two classes are said and never there
	full := r.classes(7, 200)
	flags := r.classes(2, 200, 7)
	tied := r.coarse(200, 7)
	lone, yes := r.coarse(200, 1), r.classes(2, 200)
	numbers := r.normal(60, 3)
	score := r.coarse(80)
	maps, mask := r.normal(6, 4, 9, 11), r.classes(4, 6, 9, 11)
	one, bit := r.normal(6, 1, 9, 11), r.classes(2, 6, 9, 11)
	picture, last := r.picture(3, 3, 24, 31), r.picture(2, 20, 27, 3)
	said, tokens := r.sequences(12, 10, 25, 6)
	boxes, labels, found := r.objects(12, 8, 30, 3)
	candidates := split(found, 0, 4)
	centres := candidates.Clone()
	for i := 0; i < centres.Len(); i += 4 {
		b := centres.F32()[i : i+4]
		b[0], b[1], b[2], b[3] = (b[0]+b[2])/2, (b[1]+b[3])/2, b[2]-b[0], b[3]-b[1]
	}
	logits := r.normal(12, 30, 3)
	things, kinds, seen := r.objects(20, 10, 40, 3)
	for i := range things.F32() { // of 7 to 220 pixels a side
		things.F32()[i] *= 2.5
	}
	for i := range seen.Len() / 6 {
		for k := range 4 {
			seen.F32()[6*i+k] *= 2.5
		}
	}
	crowd, areas := r.classes(4, 20, 10), tensor.New(tensor.Float32, 20, 10)
	for i := range areas.F32() {
		tensor.Of[int64](crowd)[i] /= 3
		b := things.F32()[4*i:]
		areas.F32()[i] = (b[2] - b[0]) * (b[3] - b[1]) * (.4 + .6*r.Float32())
	}
	t := func(x ...*tensor.Tensor) []*tensor.Tensor { return x }
	return []metricCase{
		{"accuracy", "accuracy", t(x, y)}, {"top-k(k=3)", "top-k", t(x, full)}, {"balanced-accuracy", "balanced-accuracy", t(x, y)},
		{"f1", "f1-macro", t(x, y)}, {"f1(average=micro)", "f1-micro", t(x, y)}, {"f1(average=weighted)", "f1-weighted", t(x, y)},
		{"precision", "precision", t(x, y)}, {"recall", "recall", t(x, full)}, {"f1(average=binary)", "f1-binary", t(lone, yes)},
		{"f1", "f1-multi", t(x, flags)}, {"f1(average=micro)", "f1-multi-micro", t(x, flags)},
		{"auroc", "auroc-binary", t(lone, yes)}, {"auroc", "auroc", t(x, full)}, {"auroc", "auroc-multi", t(tied, flags)}, {"average-precision", "map", t(tied, flags)},
		{"log-loss", "log-loss", t(x, y)}, {"log-loss", "log-loss-multi", t(x, flags)}, {"perplexity", "perplexity", t(r.normal(6, 9, 5), r.classes(5, 6, 9))},
		{"mae", "mae", t(numbers, r.around(numbers, 1))}, {"mse", "mse", t(numbers, r.around(numbers, 1))}, {"rmse", "rmse", t(numbers, r.around(numbers, 1))},
		{"mape", "mape", t(numbers, r.around(numbers, 1))}, {"r2", "r2", t(r.around(numbers, .5), numbers)},
		{"pearson", "pearson", t(score, r.around(score, 1))}, {"spearman", "spearman", t(r.coarse(80), score)},
		{"iou", "iou", t(maps, mask)}, {"dice", "dice", t(maps, mask)}, {"iou", "iou-mask", t(one, bit)}, {"dice(over=sample)", "dice-samples", t(one, bit)},
		{"psnr", "psnr", t(r.around(picture, .1), picture)}, {"ssim", "ssim", t(r.around(picture, .1), picture)}, {"ssim", "ssim-last", t(r.around(last, .3), last)},
		{"cer", "cer", t(said, tokens)}, {"wer(space=1)", "wer", t(said, tokens)},
		{"recall-at-k", "recall-at-1", t(r.normal(70, 5), r.classes(6, 70))}, {"recall-at-k(k=4,distance=euclidean)", "recall-at-4", t(r.normal(70, 5), r.classes(20, 70))},
		{"ndcg", "ndcg", t(r.normal(40, 30), r.classes(30, 40))},
		{"ap", "ap", t(found, boxes, labels)}, {"ap50", "ap50", t(found, boxes, labels)}, {"ap75", "ap75", t(found, boxes, labels)},
		{"ap", "ap-raw", t(candidates, logits, boxes, labels)}, {"ap50(format=cxcywh)", "ap-centre", t(centres, logits, boxes, labels)},
		{"ap(area=small)", "ap-small", t(seen, things, kinds)}, {"ap(area=medium)", "ap-medium", t(seen, things, kinds)}, {"ap(area=large)", "ap-large", t(seen, things, kinds)},
		{"ap(iscrowd=c)", "ap", t(seen, things, kinds, crowd)}, {"ap75(iscrowd=c)", "ap75", t(seen, things, kinds, crowd)},
		{"ap(area=medium,iscrowd=c,areas=a)", "ap-medium", t(seen, things, kinds, crowd, areas)}, {"ap(area=small,iscrowd=c,areas=a)", "ap-small", t(seen, things, kinds, crowd, areas)},
	}
}

// Metrics are those of scikit-learn, scikit-image, pycocotools and SciPy, in batches of
// any size.
func TestMetrics(t *testing.T) {
	py := python(t, "numpy")
	dir := t.TempDir()
	cases := metricCases()
	var jobs []metricJob
	for i, c := range cases {
		j := metricJob{Of: c.of}
		for k, x := range c.x {
			j.Arrays = append(j.Arrays, raw(t, filepath.Join(dir, fmt.Sprintf("%d.%d", i, k)), x))
		}
		jobs = append(jobs, j)
	}
	answers := ask[metricJob, metricAnswer](t, py, "metrics.py", dir, jobs)
	missing := map[string]int{}
	for i, c := range cases {
		a := answers[i]
		switch {
		case a.Missing != "":
			missing[a.Missing]++
			continue
		case a.Error != "":
			t.Errorf("%s: %s", c.of, a.Error)
			continue
		}
		for _, size := range []int{1000, 5} {
			v, err := inBatches(c, size)
			if err != nil {
				t.Errorf("%s in batches of %d: %v", c.of, size, err)
			} else if !(math.Abs(v-a.Value) <= 2e-6*math.Max(1, math.Abs(a.Value))) || a.Value == 0 || a.Value == 1 {
				t.Errorf("%s in batches of %d: %v, not %v", c.of, size, v, a.Value)
			}
		}
	}
	for m, n := range missing {
		t.Logf("%d of %d metrics were not compared: there is no module %s", n, len(cases), m)
	}
	if len(missing) > 0 {
		t.Skip("not all were compared")
	}
}

// inBatches measures, the last batch padded.
func inBatches(c metricCase, size int) (float64, error) {
	uses, err := metric.Parse(c.text)
	if err != nil {
		return 0, err
	}
	a, err := uses[0].New()
	if err != nil {
		return 0, err
	}
	u := uses[0]
	n := c.x[0].Shape[0]
	for at := 0; at < n; at += size {
		var batch []*tensor.Tensor
		here := min(size, n-at)
		for _, x := range c.x {
			b := tensor.New(x.DType, append([]int{size}, x.Shape[1:]...)...)
			k := x.Len() / n
			switch d := x.Data.(type) {
			case []float32:
				copy(b.F32(), d[at*k:(at+here)*k])
			case []int64:
				copy(tensor.Of[int64](b), d[at*k:(at+here)*k])
			}
			batch = append(batch, b)
		}
		var targets []*tensor.Tensor
		for i, role := range slices.Backward(u.Metric.Targets) {
			var y *tensor.Tensor
			if !strings.HasSuffix(role, "?") || u.Arg(len(u.Metric.Outputs)+i) != "" {
				y, batch = batch[len(batch)-1], batch[:len(batch)-1]
			}
			targets = slices.Insert(targets, 0, y)
		}
		if err := a.Add(here, batch, targets); err != nil {
			return 0, err
		}
	}
	return a.Value()
}
