package metric

import "fmt"

var accuracyMetric = define(&Metric{Name: "accuracy", Doc: "share of labels that have the highest score", Unit: "%", Higher: true,
	Outputs: []string{"output"}, Targets: []string{"label"}, Target: Classes, Params: classParams},
	func(p Params) state { return &accuracy{labelling: newLabelling(p)} })

// accuracy counts labels that have the best score.
type accuracy struct {
	labelling
	right, n int
}

func (a *accuracy) add(b *batch) error {
	s, err := a.of(b)
	if err != nil {
		return err
	}
	for r := range s.labels {
		y, ok, err := s.label(r, a.ignore)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		a.n++
		if s.best(r, a.cut) == y {
			a.right++
		}
	}
	return nil
}

func (a *accuracy) value() (float64, error) { return share(a.right, a.n) }

// share is a part of what counts.
func share(part, n int) (float64, error) {
	if n == 0 {
		return 0, fmt.Errorf("every label is left out: %w", errNothing)
	}
	return float64(part) / float64(n), nil
}

var topKMetric = define(&Metric{Name: "top-k", Doc: "share of labels that are among the k highest scores, the first of equal scores first", Unit: "%", Higher: true,
	Outputs: []string{"output"}, Targets: []string{"label"}, Target: Classes,
	Params: []Param{{Name: "k", Default: "5", Range: "[1,)", Whole: true, Doc: "how many scores count"}, axisParam, ignoreParam}},
	func(p Params) state { return &topK{labelling: newLabelling(p), k: p.Whole("k", 5)} })

// topK counts labels that are among the best scores.
type topK struct {
	labelling
	k        int
	right, n int
}

func (t *topK) add(b *batch) error {
	s, err := t.of(b)
	if err != nil {
		return err
	}
	if t.k >= s.classes() {
		return fmt.Errorf("k=%d of the %d classes of %s is never wrong: a smaller k is needed", t.k, s.classes(), b.out[0].name)
	}
	for r := range s.labels {
		y, ok, err := s.label(r, t.ignore)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		t.n++
		if s.width == 1 {
			if s.best(r, t.cut) == y {
				t.right++
			}
			continue
		}
		first, step := s.row(r)
		own, before := s.f[first+y*step], 0
		for c := range s.width {
			if v := s.f[first+c*step]; v > own || v == own && c < y {
				before++
			}
		}
		if before < t.k {
			t.right++
		}
	}
	return nil
}

func (t *topK) value() (float64, error) { return share(t.right, t.n) }
