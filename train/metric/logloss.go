package metric

import (
	"fmt"
	"math"
)

var (
	logLossMetric = define(&Metric{Name: "log-loss", Doc: "mean of minus the logarithm of the probability of the label, in nats; of a yes or no for each class, the mean over all of them",
		Outputs: []string{"output"}, Targets: []string{"label"}, Target: Classes, Params: []Param{taskParam, axisParam, ignoreParam, scoresParam}},
		func(p Params) state { return &logLoss{labelling: newLabelling(p), task: p["task"]} })
	perplexityMetric = define(&Metric{Name: "perplexity", Doc: "e to the mean of minus the logarithm of the probability of the token that comes",
		Outputs: []string{"output"}, Targets: []string{"token"}, Target: Classes, Params: []Param{axisParam, ignoreParam, scoresParam}},
		func(p Params) state {
			return &logLoss{labelling: newLabelling(p), task: "single", exp: true}
		})
)

// logLoss sums minus the logarithms of the labels' probabilities.
type logLoss struct {
	labelling
	task string
	exp  bool
	sum  float64
	n    int
}

// leastProbability is what a probability is taken to be at least: the distance of the
// float32 that follows 1, as scikit-learn takes it.
const leastProbability = 1.0 / (1 << 23)

func (l *logLoss) add(b *batch) error {
	o, y := &b.out[0], &b.target[0]
	if several(l.task, o, y) {
		return l.addEach(b, o, y)
	}
	s, err := l.of(b)
	if err != nil {
		return err
	}
	for r := range s.labels {
		c, ok, err := s.label(r, l.ignore)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		loss, err := l.row(s, r, c)
		if err != nil {
			return fmt.Errorf("%s of sample %d: %w", o.name, s.seen+r/s.per, err)
		}
		l.sum += loss
		l.n++
	}
	return nil
}

// addEach sums over a yes or no for each class.
func (l *logLoss) addEach(b *batch, o, y *array) error {
	if !same(o, y) {
		return fmt.Errorf("%s has shape %v, and %s %v: a yes or no for each class needs the same", o.name, o.shape, y.name, y.shape)
	}
	if err := l.probable(o, b); err != nil {
		return err
	}
	for i, v := range o.f {
		yes, ok, err := flag(b, y, i, l.ignore)
		if err != nil {
			return err
		}
		if ok {
			l.sum += l.lone(v, yes)
			l.n++
		}
	}
	return nil
}

// lone is the loss of one score for yes or no.
func (l *logLoss) lone(v float32, yes bool) float64 {
	x := float64(v)
	if l.prob {
		if !yes {
			x = 1 - x
		}
		return -math.Log(clip(x))
	}
	if yes {
		x = -x
	}
	return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) // log(1+e^x)
}

func clip(p float64) float64 { return math.Min(math.Max(p, leastProbability), 1-leastProbability) }

// row is the loss of label r.
func (l *logLoss) row(s *scores, r, c int) (float64, error) {
	first, step := s.row(r)
	if s.width == 1 {
		return l.lone(s.f[first], c == 1), nil
	}
	own := float64(s.f[first+c*step])
	if !l.prob {
		return logSum(s, r) - own, nil
	}
	var sum float64
	for k := range s.width {
		sum += float64(s.f[first+k*step])
	}
	if math.Abs(sum-1) > 1e-2 {
		return 0, fmt.Errorf("the probabilities sum to %v, not to 1", float32(sum))
	}
	return -math.Log(clip(own / sum)), nil
}

// logSum is the logarithm of the sum of the exponentials of label r's scores.
func logSum(s *scores, r int) float64 {
	first, step := s.row(r)
	most := math.Inf(-1)
	for k := range s.width {
		most = math.Max(most, float64(s.f[first+k*step]))
	}
	var sum float64
	for k := range s.width {
		sum += math.Exp(float64(s.f[first+k*step]) - most)
	}
	return most + math.Log(sum)
}

func (l *logLoss) value() (float64, error) {
	if l.n == 0 {
		return share(0, 0)
	}
	v := l.sum / float64(l.n)
	if l.exp {
		v = math.Exp(v)
	}
	return v, nil
}
