package metric

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// box is a rectangle by its left, upper, right and lower edges.
type box struct{ x0, y0, x1, y1 float64 }

func (a box) area() float64 { return math.Max(0, a.x1-a.x0) * math.Max(0, a.y1-a.y0) }

// shared is the area of the intersection of two boxes.
func (a box) shared(b box) float64 {
	w := math.Min(a.x1, b.x1) - math.Max(a.x0, b.x0)
	h := math.Min(a.y1, b.y1) - math.Max(a.y0, b.y0)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h
}

// iou is intersection over union of two boxes; 0 where both are empty.
func (a box) iou(b box) float64 {
	s := a.shared(b)
	return ratio(s, a.area()+b.area()-s)
}

// inside is the share of b that lies in a.
func (a box) inside(b box) float64 { return ratio(a.shared(b), b.area()) }

// readBox gives the box of four numbers.
func readBox(format string, a, b, c, d float64) box {
	switch format {
	case "cxcywh":
		return box{a - c/2, b - d/2, a + c/2, b + d/2}
	case "xywh":
		return box{a, b, a + c, b + d}
	case "yxyx":
		return box{b, a, d, c}
	}
	return box{a, b, c, d}
}

// detection is a box that a network found.
type detection struct {
	box
	class int
	score float64
}

// suppress keeps of the boxes of each class those that no better one overlaps by more
// than iou (greedy non-maximum suppression), at most the best most of them all. It sorts
// in place, the best first; equal scores keep their order.
func suppress(d []detection, iou float64, most int) []detection {
	sortDetections(d)
	kept := d[:0]
	for _, x := range d {
		if len(kept) == most {
			break
		}
		if !slices.ContainsFunc(kept, func(k detection) bool { return k.class == x.class && k.iou(x.box) > iou }) {
			kept = append(kept, x)
		}
	}
	return kept
}

// detector reads detections from a network's outputs.
type detector struct {
	format     string
	columns    string
	axis       int // of the boxes; -1: found
	background string
	scale      [2]float64
	prob       bool
	threshold  float64
	nms        float64 // +Inf: none
	most       int
	width      int // columns of scores; 0: not known
	row        []float64
	found      []detection
}

var boxFormats = []string{"xyxy", "cxcywh", "xywh", "yxyx"}

var detectorParams = []Param{
	{Name: "format", Default: "xyxy", Choices: boxFormats, Doc: "what the four numbers of a box of the output are: corners, centre and size, upper left corner and size, or corners with what is vertical first"},
	{Name: "truth", Default: "xyxy", Choices: boxFormats, Doc: "what the four numbers of a box of the target are"},
	{Name: "scale", Default: "1", Range: "(0,)", Choices: nil, Doc: "what the output's numbers are multiplied by to be those of the target: the side of the image where they are shares of it and the target is in pixels"},
	{Name: "scale-y", Default: "same", Choices: []string{"same"}, Range: "(0,)", Doc: "scale of what is vertical, where it is another"},
	{Name: "columns", Default: "auto", Choices: []string{"auto", "box-score-class", "box-class-score", "class-score-box", "box-scores", "box-object-scores"},
		Doc: "what one output of boxes alone holds: selected ones [N D 6], or all with the scores of every class behind [N B 4+C] or [N 4+C B], and before these that it is anything [N B 5+C]; auto: box-score-class for 6 columns"},
	{Name: "axis", Default: "auto", Choices: []string{"auto"}, Range: "[1,2]", Whole: true, Doc: "the axis of the boxes in [N boxes numbers] or [N numbers boxes]; auto: the first of these where it fits and, with scores behind, is not the shorter"},
	{Name: "background", Default: "none", Choices: []string{"none", "first", "last"}, Doc: "which column of scores is no class"},
	{Name: "offset", Default: "0", Range: "[-1,1]", Whole: true, Doc: "what a label is added to, to be the number of its column or class"},
	scoresParam,
	{Name: "threshold", Default: "0.001", Range: "[0,1]", Doc: "the score that a detection must be above"},
	{Name: "nms", Default: "0.5", Choices: []string{"none"}, Range: "[0,1]", Doc: "the overlap above which the worse of two boxes of a class goes, of the 1000 best of each class; selected boxes stay"},
	{Name: "max", Default: "100", Range: "[1,10000]", Whole: true, Doc: "how many detections of an image count, the best first; of selected ones, for each class"},
}

func newDetector(p Params) detector {
	d := detector{format: p["format"], columns: p["columns"], axis: p.Whole("axis", -1), background: p["background"], prob: p["scores"] == "probabilities",
		threshold: p.Number("threshold"), nms: p.Number("nms"), most: p.Whole("max", 100)}
	d.scale[0] = p.Number("scale")
	d.scale[1] = p.Number("scale-y")
	if math.IsNaN(d.scale[1]) {
		d.scale[1] = d.scale[0]
	}
	if math.IsNaN(d.nms) {
		d.nms = math.Inf(1)
	}
	return d
}

// layout is how the detections of a sample lie: number k of box i at i*box + k*step.
type layout struct {
	n         int // boxes
	box, step int
	width     int // numbers of a box
}

// at is number k of box i.
func (l layout) at(x []float32, i, k int) float64 { return float64(x[i*l.box+k*l.step]) }

// lay finds how an output with the shape [N boxes numbers] or [N numbers boxes] lies. An
// axis of length 1 beside that of the boxes does not count, and a lone sample may have
// none of its own.
func (d *detector) lay(b *batch, a *array, fits func(width int) bool) (layout, bool) {
	s := a.shape
	switch {
	case len(s) == 4 && s[1] == 1:
		s = []int{s[0], s[2], s[3]}
	case len(s) == 4 && s[2] == 1:
		s = []int{s[0], s[1], s[3]}
	case len(s) == 2 && b.size == 1:
		s = []int{1, s[0], s[1]}
	}
	if len(s) != 3 || s[0] != b.n {
		return layout{}, false
	}
	rows := layout{n: s[1], box: s[2], step: 1, width: s[2]}
	turned := layout{n: s[2], box: 1, step: s[2], width: s[1]}
	switch {
	case d.axis == 1:
		return rows, fits(rows.width)
	case d.axis == 2:
		return turned, fits(turned.width)
	case fits(rows.width) && !(fits(turned.width) && turned.width < rows.width):
		return rows, true
	}
	return turned, fits(turned.width)
}

// of gives the detections of sample s of a batch; they hold until the next call.
func (d *detector) of(b *batch, s int) (found []detection, selected bool, err error) {
	d.found, d.width = d.found[:0], 0
	switch len(b.out) {
	case 2:
		return d.separate(b, s)
	case 3:
		return d.listed(b, s)
	}
	o := &b.out[0]
	columns := d.columns
	if columns == "auto" {
		if columns = "box-scores"; o.shape[len(o.shape)-1] == 6 {
			columns = "box-score-class"
		}
	}
	head := map[string]int{"box-scores": 4, "box-object-scores": 5}[columns]
	l, ok := d.lay(b, o, func(w int) bool { return head == 0 && w == 6 || head > 0 && w > head })
	if !ok {
		return nil, false, fmt.Errorf("%s of shape %v holds no detections in columns %s", o.name, o.shape, columns)
	}
	x := part(o.f, s, b.n)
	if head > 0 {
		d.width = l.width - head
		for i := range l.n {
			object := 1.0
			if head == 5 {
				object = d.probability(l.at(x, i, 4))
			}
			d.row = d.row[:0]
			for c := head; c < l.width; c++ {
				d.row = append(d.row, l.at(x, i, c))
			}
			d.classes(d.box(l.at(x, i, 0), l.at(x, i, 1), l.at(x, i, 2), l.at(x, i, 3)), object)
		}
		return d.choose(), false, nil
	}
	at, score, class := 0, 4, 5
	switch columns {
	case "box-class-score":
		score, class = 5, 4
	case "class-score-box":
		at, score, class = 2, 1, 0
	}
	for i := range l.n {
		y := d.box(l.at(x, i, at), l.at(x, i, at+1), l.at(x, i, at+2), l.at(x, i, at+3))
		if err := d.take(y, l.at(x, i, class), l.at(x, i, score)); err != nil {
			return nil, false, fmt.Errorf("%s of sample %d: %w: say columns", o.name, b.seen+s, err)
		}
	}
	sortDetections(d.found)
	return d.found, true, nil
}

// known says whether a class can be found at all.
func (d *detector) known(class int) bool {
	background := d.background == "first" && class == 0 || d.background == "last" && class == d.width-1
	return class >= 0 && (d.width == 0 || class < d.width && !background)
}

// take adds a selected box, unless it only fills up.
func (d *detector) take(x box, class, score float64) error {
	if score <= d.threshold || class < 0 {
		return nil
	}
	if class != math.Trunc(class) || class > mostClass {
		return fmt.Errorf("%v is no class", class)
	}
	d.found = append(d.found, detection{x, int(class), score})
	return nil
}

// mostClass is the largest number of a class.
const mostClass = 1 << 24

// sortDetections puts the best first; equal scores keep their order.
func sortDetections(d []detection) {
	slices.SortStableFunc(d, func(a, b detection) int { return cmp.Compare(b.score, a.score) })
}

// listed reads selected boxes, their scores and their classes from three outputs.
func (d *detector) listed(b *batch, s int) ([]detection, bool, error) {
	o, k, c := &b.out[0], &b.out[1], &b.out[2]
	if len(o.f) != 4*len(k.f) || len(c.f) != len(k.f) || o.shape[0] != b.n && b.size != 1 {
		return nil, false, fmt.Errorf("%s has shape %v, %s %v, and %s %v: four numbers, a score and a class for each box are needed", o.name, o.shape, k.name, k.shape, c.name, c.shape)
	}
	x, score, class := part(o.f, s, b.n), part(k.f, s, b.n), part(c.f, s, b.n)
	for i, v := range score {
		f := x[4*i:]
		if err := d.take(d.box(float64(f[0]), float64(f[1]), float64(f[2]), float64(f[3])), float64(class[i]), float64(v)); err != nil {
			return nil, false, fmt.Errorf("%s of sample %d: %w", c.name, b.seen+s, err)
		}
	}
	sortDetections(d.found)
	return d.found, true, nil
}

func part(x []float32, s, n int) []float32 { k := len(x) / n; return x[s*k : (s+1)*k] }

func (d *detector) box(a, b, c, e float64) box {
	x := readBox(d.format, a, b, c, e)
	return box{x.x0 * d.scale[0], x.y0 * d.scale[1], x.x1 * d.scale[0], x.y1 * d.scale[1]}
}

// separate reads boxes from one output and scores from another.
func (d *detector) separate(b *batch, s int) ([]detection, bool, error) {
	o, k := &b.out[0], &b.out[1]
	l, ok := d.lay(b, o, func(w int) bool { return w == 4 })
	if !ok {
		return nil, false, fmt.Errorf("%s of shape %v holds no boxes of 4 numbers", o.name, o.shape)
	}
	if l.n == 0 {
		return nil, false, nil
	}
	n := len(k.f) / b.n / l.n // scores of a box
	if len(k.f) != b.n*l.n*n {
		return nil, false, fmt.Errorf("%s of shape %v holds no scores for %d boxes", k.name, k.shape, l.n)
	}
	if n == 0 {
		return nil, false, fmt.Errorf("%s of shape %v holds no scores for %d boxes", k.name, k.shape, l.n)
	}
	d.width = n
	m := layout{n: l.n, box: n, step: 1, width: n}
	if len(k.shape) == 3 && (k.shape[1] != l.n || k.shape[2] == l.n && l.box == 1) {
		if k.shape[2] != l.n {
			return nil, false, fmt.Errorf("%s of shape %v holds no scores for %d boxes", k.name, k.shape, l.n)
		}
		m = layout{n: l.n, box: 1, step: l.n, width: n}
	}
	x, y := part(o.f, s, b.n), part(k.f, s, b.n)
	for i := range l.n {
		d.row = d.row[:0]
		for c := range n {
			d.row = append(d.row, m.at(y, i, c))
		}
		d.classes(d.box(l.at(x, i, 0), l.at(x, i, 1), l.at(x, i, 2), l.at(x, i, 3)), 1)
	}
	return d.choose(), false, nil
}

// probability of a lone score.
func (d *detector) probability(x float64) float64 {
	if d.prob {
		return x
	}
	return 1 / (1 + math.Exp(-x))
}

// classes adds a box for each class whose score in d.row is high enough. Where one
// column is the background, logits go through a softmax, otherwise each through a
// logistic function.
func (d *detector) classes(x box, object float64) {
	first, last := 0, len(d.row)
	switch {
	case d.background == "first":
		first++
	case d.background == "last":
		last--
	}
	if d.background != "none" && !d.prob {
		most, sum := slices.Max(d.row), 0.0
		for i, v := range d.row {
			d.row[i] = math.Exp(v - most)
			sum += d.row[i]
		}
		for i := range d.row {
			d.row[i] /= sum
		}
	}
	for c := first; c < last; c++ {
		v := d.row[c]
		if d.background == "none" {
			v = d.probability(v)
		}
		if v *= object; v > d.threshold {
			d.found = append(d.found, detection{x, c, v})
		}
	}
}

// mostCandidates bounds the boxes of a class that suppression looks at, the best first.
const mostCandidates = 1000

// choose chooses among all boxes of a sample.
func (d *detector) choose() []detection {
	sortDetections(d.found)
	seen := map[int]int{}
	d.found = slices.DeleteFunc(d.found, func(x detection) bool {
		seen[x.class]++
		return seen[x.class] > mostCandidates
	})
	return suppress(d.found, d.nms, d.most)
}

// thresholds reads an overlap, or COCO's ten; these are rounded as numpy.linspace does.
func thresholds(text string) []float64 {
	if text != "coco" {
		x, _ := strconv.ParseFloat(text, 64) // checked before
		return []float64{x}
	}
	first, last := 0.5, 0.95
	t := make([]float64, 10)
	for i := range t {
		t[i] = float64(i)*((last-first)/9) + first
	}
	t[9] = last
	return t
}
