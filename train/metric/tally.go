package metric

import "fmt"

// counts are how often a class was said and was there.
type counts struct{ both, said, there float64 }

func (c counts) precision() float64 { return ratio(c.both, c.said) }
func (c counts) recall() float64    { return ratio(c.both, c.there) }
func (c counts) f1() float64        { return ratio(2*c.both, c.said+c.there) }
func (c counts) iou() float64       { return ratio(c.both, c.said+c.there-c.both) }

// ratio is a/b, and 0 of nothing.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// tally counts for each class how often it was said, was there, and both.
type tally struct {
	labelling
	each  bool // every class has a yes or no of its own
	task  string
	class []counts // of one yes or no, the second holds the yes
	n     int
}

var taskParam = Param{Name: "task", Default: "auto", Choices: []string{"auto", "single", "multi"},
	Doc: "single: a label is one class; multi: it is a 0 or 1 for each class; auto: multi where the target has the output's shape and several classes on its second axis"}

// newTally reads the parameters.
func newTally(p Params) tally { return tally{labelling: newLabelling(p), task: p["task"]} }

// several says whether each class of the output has a yes or no of its own: shapes
// [N C] or [N C H W …] for both.
func several(task string, o, t *array) bool {
	like := same(o, t) && len(o.shape) != 3 && len(o.shape) > 1 && o.shape[1] > 1
	return task == "multi" || task == "auto" && like
}

func (t *tally) add(b *batch) error {
	o, y := &b.out[0], &b.target[0]
	if several(t.task, o, y) {
		return t.addEach(b, o, y)
	}
	s, err := t.of(b)
	if err != nil {
		return err
	}
	if err := t.room(s.classes(), false); err != nil {
		return err
	}
	for r := range s.labels {
		there, ok, err := s.label(r, t.ignore)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		said := s.best(r, t.cut)
		t.n++
		t.class[said].said++
		t.class[there].there++
		if said == there {
			t.class[said].both++
		}
	}
	return nil
}

// room makes place for k classes.
func (t *tally) room(k int, each bool) error {
	if t.class == nil {
		t.class, t.each = make([]counts, k), each
	}
	if len(t.class) != k || t.each != each {
		return fmt.Errorf("there are %d classes, where there were %d", k, len(t.class))
	}
	return nil
}

// addEach counts a yes or no for each class, on the second axis.
func (t *tally) addEach(b *batch, o, y *array) error {
	if !same(o, y) || len(o.shape) < 2 {
		return fmt.Errorf("%s has shape %v, and %s %v: a yes or no for each class needs the same", o.name, o.shape, y.name, y.shape)
	}
	if err := t.probable(o, b); err != nil {
		return err
	}
	k := o.shape[1]
	if err := t.room(k, true); err != nil {
		return err
	}
	inner := product(o.shape[2:])
	for i, v := range o.f {
		there, ok, err := flag(b, y, i, t.ignore)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		c := &t.class[i/inner%k]
		said := v > t.cut
		t.n++
		if said {
			c.said++
		}
		if there {
			c.there++
		}
		if said && there {
			c.both++
		}
	}
	return nil
}

// flag is label i where it is a yes or no; ok is false where it is to be left out.
func flag(b *batch, y *array, i int, ignore int64) (yes, ok bool, err error) {
	v := y.i[i]
	if v == ignore {
		return false, false, nil
	}
	if v != 0 && v != 1 {
		return false, false, fmt.Errorf("%s of sample %d is %d: 0 or 1 is needed", y.name, b.seen+i/(len(y.i)/b.n), v)
	}
	return v == 1, true, nil
}

// quality is a metric of how often classes were said and were there.
type quality struct {
	tally
	of       func(c counts) float64
	average  string
	positive int
}

var qualityParams = append([]Param{
	{Name: "average", Default: "macro", Choices: []string{"macro", "micro", "weighted", "binary"},
		Doc: "macro: mean over the classes that are said or there (of yes or no for each, over all); micro: of all counts together; weighted: by how often a class is there; binary: of the positive class"},
	{Name: "positive", Default: "1", Range: "[0,)", Whole: true, Doc: "the class that is positive"}, taskParam}, classParams...)

// qualityMetric defines precision, recall or their harmonic mean.
func qualityMetric(name, doc string, of func(c counts) float64) *Metric {
	return define(&Metric{Name: name, Doc: doc, Unit: "%", Higher: true,
		Outputs: []string{"output"}, Targets: []string{"label"}, Target: Classes, Params: qualityParams},
		func(p Params) state {
			return &quality{tally: newTally(p), of: of, average: p["average"], positive: p.Whole("positive", 1)}
		})
}

var (
	precisionMetric = qualityMetric("precision", "share of what is said to be of a class that is of it", counts.precision)
	recallMetric    = qualityMetric("recall", "share of what is of a class that is said to be", counts.recall)
	f1Metric        = qualityMetric("f1", "harmonic mean of precision and recall", counts.f1)
)

func (q *quality) value() (float64, error) {
	if q.n == 0 {
		return share(0, 0)
	}
	switch q.average {
	case "binary":
		if q.positive >= len(q.class) {
			return 0, fmt.Errorf("positive=%d: there are %d classes", q.positive, len(q.class))
		}
		return q.defined(q.class[q.positive])
	case "micro":
		var all counts
		for _, c := range q.class {
			all = counts{all.both + c.both, all.said + c.said, all.there + c.there}
		}
		return q.defined(all)
	}
	var sum, weight float64
	for _, c := range q.class {
		w := 1.0
		if q.average == "weighted" {
			w = c.there
		} else if !q.each && c.said+c.there == 0 {
			w = 0
		}
		sum += w * q.of(c)
		weight += w
	}
	if weight == 0 {
		return 0, fmt.Errorf("no label says yes")
	}
	return sum / weight, nil
}

// defined is the quality of counts that are not all nothing.
func (q *quality) defined(c counts) (float64, error) {
	if c.said+c.there == 0 {
		return 0, fmt.Errorf("the class is neither said nor there")
	}
	return q.of(c), nil
}

var balancedMetric = define(&Metric{Name: "balanced-accuracy", Doc: "mean of the recall of the classes that are there", Unit: "%", Higher: true,
	Outputs: []string{"output"}, Targets: []string{"label"}, Target: Classes, Params: classParams},
	func(p Params) state { return &balanced{tally{labelling: newLabelling(p), task: "single"}} })

// balanced is the mean recall.
type balanced struct{ tally }

func (t *balanced) value() (float64, error) {
	var sum float64
	n := 0
	for _, c := range t.class {
		if c.there > 0 {
			sum += c.recall()
			n++
		}
	}
	if n == 0 {
		return share(0, 0)
	}
	return sum / float64(n), nil
}
