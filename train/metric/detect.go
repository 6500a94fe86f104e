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
	params := append([]Param{
		{Name: "iou", Default: overlap, Choices: []string{"coco"}, Range: "(0,1]", Doc: "the overlap with a true box that a detection needs; coco: the mean over 0.5, 0.55 … 0.95"},
		{Name: "area", Default: "all", Choices: []string{"all", "small", "medium", "large"}, Doc: "the objects that count, by their area in pixels: up to 32², from there to 96², from there on; others are ignored, and what finds them"},
	}, detectorParams...)
	return define(&Metric{Name: name, Doc: detectDoc + doc + ". The outputs are boxes with scores behind or beside them, which are then suppressed, or selected ones (see columns) or boxes, scores and classes. Where iscrowd is not 0 a box holds a crowd: what finds it is ignored, and overlaps it by the share of its own area that lies inside; areas are those of objects that do not fill their boxes", Unit: "%", Higher: true,
		Outputs: []string{"boxes", "confidence?", "class?"}, Targets: []string{"box", "label", "iscrowd?", "areas?"}, Target: Boxes, Params: params},
		func(p Params) state {
			return &detect{detector: newDetector(p), truth: p["truth"], offset: p.Whole("offset", 0), at: thresholds(p["iou"]), area: areas[p["area"]]}
		})
}

// areas are the least and the most pixels of objects, both of which count (pycocotools,
// COCOeval's parameter areaRng).
var areas = map[string][2]float64{"all": {0, 1e10}, "small": {0, 32 * 32}, "medium": {32 * 32, 96 * 96}, "large": {96 * 96, 1e10}}

var (
	apMetric   = detectMetric("ap", "the mean over overlaps of 0.5, 0.55 … 0.95", "coco")
	ap50Metric = detectMetric("ap50", "at an overlap of 0.5", "0.5")
	ap75Metric = detectMetric("ap75", "at an overlap of 0.75", "0.75")
)

// judged is a detection and, for each overlap, whether it found a box and whether it
// counts.
type judged struct {
	score   float64
	right   uint16 // a bit for each overlap
	ignored uint16 // likewise: neither right nor wrong
}

// object is a true box.
type object struct {
	detection
	crowd   bool
	ignored bool // it need not be found
}

// overlap is intersection over union with a detection, or the share of the detection
// that is inside a crowd.
func (o *object) overlap(x box) float64 {
	if o.crowd {
		return o.inside(x)
	}
	return o.iou(x)
}

// detect keeps for each class its detections, and how many boxes there are.
type detect struct {
	detector
	truth  string
	offset int
	at     []float64
	area   [2]float64
	boxes  map[int]int // that count
	found  map[int][]judged
	kept   int
	pixels bool // a true box has a number that is no share

	real  []object
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
	crowd, area := b.given(2), b.given(3)
	for _, a := range []*array{crowd, area} {
		if a != nil && len(a.f) != len(y.i) {
			return fmt.Errorf("%s has shape %v, and %s %v: a number for each box is needed", a.name, a.shape, y.name, y.shape)
		}
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
			o := object{detection: detection{box: x, class: c}, crowd: crowd != nil && crowd.f[i] != 0}
			covers := x.area()
			if area != nil {
				covers = float64(area.f[i])
			}
			d.pixels = d.pixels || area != nil || slices.ContainsFunc(f[:4], func(v float32) bool { return v > 2 })
			if o.ignored = o.crowd || covers < d.area[0] || covers > d.area[1]; !o.ignored {
				d.boxes[c]++
			}
			d.real = append(d.real, o)
		}
		slices.SortStableFunc(d.real, func(a, b object) int { return rank(a.ignored) - rank(b.ignored) })
		d.match(found, selected)
		if d.kept += len(found); d.kept > mostKept/4 {
			return fmt.Errorf("more than %d detections: raise threshold", mostKept/4)
		}
	}
	return nil
}

// match gives each detection, the best first, the free true box of its class that it
// overlaps most, the last of equals; one that need not be found only where no other
// fits. A crowd is always free. What finds nothing and is not of the area that counts is
// ignored too.
func (d *detect) match(found []detection, selected bool) {
	d.taken = append(d.taken[:0], make([]uint16, len(d.real))...)
	clear(d.count)
	for _, x := range found {
		if d.count[x.class]++; selected && d.count[x.class] > d.most {
			continue
		}
		j := judged{score: x.score}
		outside := x.area() < d.area[0] || x.area() > d.area[1]
		for k, least := range d.at {
			best, most := -1, math.Min(least, 1-1e-10)
			for i := range d.real {
				t := &d.real[i]
				if t.class != x.class || d.taken[i]>>k&1 == 1 && !t.crowd {
					continue
				}
				if best >= 0 && t.ignored && !d.real[best].ignored {
					break
				}
				if v := t.overlap(x.box); v >= most {
					best, most = i, v
				}
			}
			switch {
			case best < 0 && outside:
				j.ignored |= 1 << k
			case best < 0:
			case d.real[best].ignored:
				j.ignored |= 1 << k
				d.taken[best] |= 1 << k
			default:
				j.right |= 1 << k
				d.taken[best] |= 1 << k
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
	if !d.pixels && d.area != areas["all"] && (len(d.boxes) > 0 || len(d.found) > 0) {
		return 0, fmt.Errorf("area goes by pixels, and no number of a true box is above 2: they are shares of the image; give areas")
	}
	if len(classes) == 0 {
		return 0, fmt.Errorf("it is undefined: there is no true box that counts")
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
	precision, recall := make([]float64, 0, len(x)), make([]float64, 0, len(x))
	right := 0.0
	for _, j := range x {
		if j.ignored>>k&1 == 1 {
			continue
		}
		right += float64(j.right >> k & 1)
		precision = append(precision, right/float64(len(precision)+1))
		recall = append(recall, right/float64(boxes))
	}
	for i := len(precision) - 2; i >= 0; i-- {
		precision[i] = math.Max(precision[i], precision[i+1])
	}
	var sum float64
	i := 0
	for r := range 101 {
		for i < len(recall) && recall[i] < float64(r)*0.01 { // rounded as numpy.linspace does
			i++
		}
		if i < len(precision) {
			sum += precision[i]
		}
	}
	return sum / 101
}

// rank puts what counts first.
func rank(ignored bool) int {
	if ignored {
		return 1
	}
	return 0
}
