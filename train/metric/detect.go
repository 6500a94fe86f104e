package metric

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

const detectDoc = "average precision of detected boxes as COCO computes it (101 points of recall, mean over the classes that are there), "

// detectMetric defines average precision of boxes.
func detectMetric(name, doc, overlap string) *Metric {
	params := append([]Param{{Name: "iou", Default: overlap, Choices: []string{"coco"}, Range: "(0,1]", Doc: "the overlap with a true box that a detection needs; coco: the mean over 0.5, 0.55 … 0.95"}}, detectorParams...)
	return define(&Metric{Name: name, Doc: detectDoc + doc + ". The outputs are boxes with scores behind or beside them, which are then suppressed, or selected ones (see columns) or boxes, scores and classes; crowds are not known", Unit: "%", Higher: true,
		Outputs: []string{"boxes", "confidence?", "class?"}, Targets: []string{"box", "label"}, Target: Boxes, Params: params},
		func(p Params) state {
			return &detect{detector: newDetector(p), truth: p["truth"], offset: p.Whole("offset", 0), at: thresholds(p["iou"])}
		})
}

var (
	apMetric   = detectMetric("ap", "the mean over overlaps of 0.5, 0.55 … 0.95", "coco")
	ap50Metric = detectMetric("ap50", "at an overlap of 0.5", "0.5")
	ap75Metric = detectMetric("ap75", "at an overlap of 0.75", "0.75")
)

// judged is a detection and, for each overlap, whether it found a box.
type judged struct {
	score float64
	right uint16 // a bit for each overlap
}

// detect keeps for each class its detections, and how many boxes there are.
type detect struct {
	detector
	truth  string
	offset int
	at     []float64
	boxes  map[int]int
	found  map[int][]judged
	kept   int

	real  []detection
	taken []uint16
	count map[int]int
}

func (d *detect) add(b *batch) error {
	if d.boxes == nil {
		d.boxes, d.found, d.count = map[int]int{}, map[int][]judged{}, map[int]int{}
	}
	t, y := &b.target[0], &b.target[1]
	if len(t.f) != 4*len(y.i) {
		return fmt.Errorf("%s has shape %v, and %s %v: four numbers and a label for each box are needed", t.name, t.shape, y.name, y.shape)
	}
	per := len(y.i) / b.n
	for s := range b.n {
		found, selected, err := d.of(b, s)
		if err != nil {
			return err
		}
		d.real = d.real[:0]
		for i := s * per; i < (s+1)*per; i++ {
			if y.i[i] < 0 {
				continue
			}
			if y.i[i] > mostClass {
				return fmt.Errorf("%s of sample %d is %d: that is no class", y.name, b.seen+s, y.i[i])
			}
			f := t.f[4*i:]
			x := readBox(d.truth, float64(f[0]), float64(f[1]), float64(f[2]), float64(f[3]))
			if x.x1 < x.x0 || x.y1 < x.y0 {
				return fmt.Errorf("%s of sample %d holds a box of negative size, %v: say truth", t.name, b.seen+s, f[:4])
			}
			c := int(y.i[i]) + d.offset
			if !d.known(c) {
				return fmt.Errorf("%s of sample %d is %d, which no column of the output's %d scores stands for: say background or offset", y.name, b.seen+s, y.i[i], d.width)
			}
			d.real = append(d.real, detection{box: x, class: c})
			d.boxes[c]++
		}
		d.match(found, selected)
		if d.kept += len(found); d.kept > mostKept/4 {
			return fmt.Errorf("more than %d detections: raise threshold", mostKept/4)
		}
	}
	return nil
}

// match gives each detection, the best first, the free true box of its class that it
// overlaps most, the last of equals.
func (d *detect) match(found []detection, selected bool) {
	d.taken = append(d.taken[:0], make([]uint16, len(d.real))...)
	clear(d.count)
	for _, x := range found {
		if d.count[x.class]++; selected && d.count[x.class] > d.most {
			continue
		}
		j := judged{score: x.score}
		for k, least := range d.at {
			best, most := -1, math.Min(least, 1-1e-10)
			for i, t := range d.real {
				if t.class != x.class || d.taken[i]>>k&1 == 1 {
					continue
				}
				if v := t.iou(x.box); v >= most {
					best, most = i, v
				}
			}
			if best >= 0 {
				d.taken[best] |= 1 << k
				j.right |= 1 << k
			}
		}
		d.found[x.class] = append(d.found[x.class], j)
	}
}

// value is the mean over classes and overlaps, classes in order so that the sum is the
// same each time.
func (d *detect) value() (float64, error) {
	var classes []int
	for c := range d.boxes {
		classes = append(classes, c)
	}
	slices.Sort(classes)
	if len(classes) == 0 {
		return 0, fmt.Errorf("it is undefined: there is no true box")
	}
	var sum float64
	for _, c := range classes {
		x := d.found[c]
		slices.SortStableFunc(x, func(a, b judged) int { return cmp.Compare(b.score, a.score) })
		for k := range d.at {
			sum += interpolated(x, k, d.boxes[c])
		}
	}
	return sum / float64(len(classes)*len(d.at)), nil
}

// interpolated is the mean over recalls of 0, 0.01 … 1 of the best precision at that
// recall or a higher one. x is sorted, the best first.
func interpolated(x []judged, k, boxes int) float64 {
	precision, recall := make([]float64, len(x)), make([]float64, len(x))
	right := 0.0
	for i, j := range x {
		right += float64(j.right >> k & 1)
		precision[i] = right / float64(i+1)
		recall[i] = right / float64(boxes)
	}
	for i := len(x) - 2; i >= 0; i-- {
		precision[i] = math.Max(precision[i], precision[i+1])
	}
	var sum float64
	i := 0
	for r := range 101 {
		for i < len(x) && recall[i] < float64(r)*0.01 { // rounded as numpy.linspace does
			i++
		}
		if i < len(x) {
			sum += precision[i]
		}
	}
	return sum / 101
}
