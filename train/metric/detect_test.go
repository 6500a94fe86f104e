package metric

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/tensor"
)

// One class, two images with two boxes and one: precision by recall is known.
func TestAveragePrecisionOfBoxes(t *testing.T) {
	boxes := f32([]int{2, 2, 4}, 0, 0, 10, 10 /**/, 20, 20, 40, 40 /**/, 5, 5, 15, 15 /**/, 0, 0, 0, 0)
	labels := tensor.From([]int64{1, 1, 1, -1}, 2, 2)
	found := f32([]int{2, 3, 6},
		0, 0, 10, 10, .9, 1 /**/, 0, 0, 10, 9, .8, 1 /**/, 20, 20, 40, 34, .7, 1, // right; again, so wrong; right up to 0.7
		5, 5, 15, 15, .6, 0 /**/, 5, 5, 15, 10, .5, 1 /**/, 0, 0, 0, 0, 0, 0) // another class; right at 0.5 alone; nothing
	b := tensors{found, boxes, labels}
	// at 0.5 hits are 1, 3 and 4 of 4: recalls to 1/3, 2/3 and 1 at precisions 1, 3/4 (of what follows) and 3/4
	near(t, "ap50", measured(t, "ap50", b), (34*1+67*.75)/101, 1e-12)
	// at 0.7 hits are 1 and 3; at 0.75 the first alone
	near(t, "at 0.7", measured(t, "ap(iou=0.7)", b), (34*1+33*2./3)/101, 1e-12)
	near(t, "ap75", measured(t, "ap75", b), 34./101, 1e-12)
	near(t, "ap", measured(t, "ap", b), ((34+67*.75)+4*(34+33*2./3)+5*34)/101/10, 1e-12)
	near(t, "one for each class", measured(t, "ap50(max=1)", b), (34*1+33*1)/101., 1e-12)
	_, err := try(t, "ap", tensors{found, boxes, tensor.From([]int64{-1, -1, -1, -1}, 2, 2)})
	fails(t, err, "no true box")
	_, err = try(t, "ap", tensors{found, f32([]int{2, 1, 4}, 9, 9, 1, 1, 0, 0, 1, 1), tensor.From([]int64{0, 0}, 2, 1)})
	fails(t, err, "sample 0 holds a box of negative size", "say truth")
	_, err = try(t, "ap(columns=box-class-score)", b)
	fails(t, err, "no class: say columns")
	_, err = try(t, "ap", tensors{tensor.New(tensor.Float32, 2, 3), boxes, labels})
	fails(t, err, "holds no detections")
}

// A crowd need not be found, what lies in it is ignored as often as it is found, and
// what lies in it by less than the overlap is wrong.
func TestCrowds(t *testing.T) {
	boxes := f32([]int{1, 3, 4}, 100, 100, 200, 200 /**/, 0, 0, 10, 10 /**/, 0, 0, 0, 0)
	labels, crowd := tensor.From([]int64{1, 1, -1}, 1, 3), f32([]int{1, 3}, 1, 0, 0)
	found := f32([]int{1, 5, 6},
		80, 110, 130, 130, .95, 1, // three fifths of it in the crowd
		110, 110, 130, 130, .9, 1 /**/, 150, 150, 170, 190, .85, 1, // in it
		0, 0, 10, 10, .8, 1 /**/, 1, 0, 11, 10, .7, 1) // right; again, so wrong
	b := tensors{found, boxes, labels, crowd}
	near(t, "in the crowd", measured(t, "ap50(iscrowd=c)", b), 1, 1e-12)
	near(t, "too little of it in the crowd", measured(t, "ap(iou=0.75,iscrowd=c)", b), .5, 1e-12)
	near(t, "no crowd", measured(t, "ap50", b[:3]), 51./101*.25, 1e-12)
	// a box inside the crowd that counts goes before it, and a second detection of it is the crowd's
	inside := tensors{f32([]int{1, 2, 6}, 110, 110, 130, 131, .9, 1, 110, 110, 130, 130, .8, 1),
		f32([]int{1, 2, 4}, 100, 100, 200, 200 /**/, 110, 110, 130, 130), tensor.From([]int64{1, 1}, 1, 2), f32([]int{1, 2}, 1, 0)}
	near(t, "in a crowd", measured(t, "ap50(iscrowd=c)", inside), 1, 1e-12)
	_, err := try(t, "ap50(iscrowd=c)", tensors{found, boxes, tensor.From([]int64{1, -1, -1}, 1, 3), crowd})
	fails(t, err, "no true box that counts")
	_, err = try(t, "ap50(iscrowd=c)", tensors{found, boxes, labels, f32([]int{1, 2}, 1, 0)})
	fails(t, err, "a number for each box")
}

// Objects of another area are ignored, with what finds them, and what finds nothing
// where it is of another area itself; the bounds belong to both sides.
func TestAreas(t *testing.T) {
	boxes, labels := f32([]int{1, 3, 4}, 0, 0, 32, 32 /**/, 100, 100, 150, 150 /**/, 200, 200, 400, 400), tensor.From([]int64{0, 0, 0}, 1, 3)
	found := f32([]int{1, 5, 6},
		500, 500, 510, 510, .95, 0, // small and wrong
		500, 500, 600, 600, .9, 0, // large and wrong
		0, 0, 32, 32, .8, 0 /**/, 100, 100, 150, 150, .7, 0 /**/, 200, 200, 400, 400, .6, 0)
	b := tensors{found, boxes, labels}
	near(t, "all", measured(t, "ap50", b), .6, 1e-12)
	near(t, "small", measured(t, "ap50(area=small)", b), .5, 1e-12)
	// 32 by 32 counts here too; nothing that is wrong is of this area
	near(t, "medium", measured(t, "ap50(area=medium)", b), 1, 1e-12)
	near(t, "large", measured(t, "ap50(area=large)", b), .5, 1e-12)
	// areas of what does not fill its box: the last is medium, the first large
	near(t, "large by areas", measured(t, "ap50(area=large,areas=a)", append(b, f32([]int{1, 3}, 9300, 2500, 4000))), .5, 1e-12)
	near(t, "small by areas", measured(t, "ap50(area=small,areas=a)", append(b, f32([]int{1, 3}, 9300, 2500, 4))), .5, 1e-12)
	_, err := try(t, "ap50(area=large)", tensors{found, f32([]int{1, 3, 4}, 0, 0, .5, .5, 0, 0, 1, 1, 0, 0, 1, .5), labels})
	fails(t, err, "shares of the image", "give areas")
}

// Names that are given without roles are those that must be.
func TestRolesThatMayBeLeftOut(t *testing.T) {
	for text, want := range map[string][]string{
		"ap(b,t,l)":                 {"b", "", "", "t", "l"},
		"ap(b,s,t,l)":               {"b", "s", "", "t", "l"},
		"ap(b,s,k,t,l)":             {"b", "s", "k", "t", "l"},
		"ap(b,t,l,iscrowd=c)":       {"b", "", "", "t", "l", "c"},
		"ap(areas=a,b,s,t,l)":       {"b", "s", "", "t", "l", "", "a"},
		"ap(b,s,k,t,l,c,a)":         {"b", "s", "k", "t", "l", "c", "a"},
		"ap(b,s,box=t,label=l)":     {"b", "s", "", "t", "l"},
		"ap(b,class=k,t,l,areas=a)": {"b", "", "k", "t", "l", "", "a"},
	} {
		u, err := Parse(text)
		if err != nil || !slices.Equal(u[0].Args, want) {
			t.Errorf("%s: %q, %v", text, u[0].Args, err)
			continue
		}
		if again, err := Parse(u[0].String()); err != nil || !slices.Equal(again[0].Args, want) {
			t.Errorf("%s is written %s: %q, %v", text, u[0], again[0].Args, err)
		}
	}
	_, err := Parse("ap(b,s,k,t,l,c,a,class=k)")
	fails(t, err, "class is given twice")
}

// The same detections, given in every form that networks give, are as good.
func TestFormsOfDetections(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	const n, m, k, c = 4, 3, 7, 2
	boxes, labels := tensor.New(tensor.Float32, n, m, 4), tensor.New(tensor.Int64, n, m)
	rows := tensor.New(tensor.Float32, n, k, 4)
	probs := tensor.New(tensor.Float32, n, k, c)
	for s := range n {
		for i := range m {
			b := boxes.F32()[(s*m+i)*4:]
			b[0], b[1] = float32(30*i), float32(10*s)
			b[2], b[3] = b[0]+10+r.Float32()*9, b[1]+12
			tensor.Of[int64](labels)[s*m+i] = int64(r.IntN(c))
		}
		for i := range k { // boxes of one place overlap enough for the worse of a class to go
			b, f := boxes.F32()[(s*m+i%m)*4:], rows.F32()[(s*k+i)*4:]
			for j := range 4 {
				f[j] = b[j] + r.Float32()
			}
			for j := range c {
				probs.F32()[(s*k+i)*c+j] = .05 + .9*r.Float32()
			}
		}
	}
	want := measured(t, "ap(scores=probabilities)", tensors{rows, probs, boxes, labels})
	if want < .2 || want > .99 {
		t.Fatalf("ap %v says little", want)
	}
	each := func(f func(s, i int)) {
		for s := range n {
			for i := range k {
				f(s, i)
			}
		}
	}
	row := func(s, i int) []float32 { return rows.F32()[(s*k+i)*4:][:4] }
	prob := func(s, i, j int) float32 { return probs.F32()[(s*k+i)*c+j] }
	logit := func(p float32) float32 { return float32(math.Log(float64(p) / (1 - float64(p)))) }

	logits, softmax, centres, corner, turned := probs.Clone(), tensor.New(tensor.Float32, n, k, c+1), rows.Clone(), rows.Clone(), tensor.New(tensor.Float32, n, 4, k)
	shares := rows.Clone()
	joined, object := tensor.New(tensor.Float32, n, 4+c, k), tensor.New(tensor.Float32, n, k, 5+c)
	upright := rows.Clone()
	each(func(s, i int) {
		b := row(s, i)
		f := centres.F32()[(s*k+i)*4:]
		f[0], f[1], f[2], f[3] = (b[0]+b[2])/2, (b[1]+b[3])/2, b[2]-b[0], b[3]-b[1]
		f = corner.F32()[(s*k+i)*4:]
		f[2], f[3] = b[2]-b[0], b[3]-b[1]
		f = upright.F32()[(s*k+i)*4:]
		f[0], f[1], f[2], f[3] = b[1], b[0], b[3], b[2]
		f = shares.F32()[(s*k+i)*4:]
		f[0], f[1], f[2], f[3] = b[0]/128, b[1]/64, b[2]/128, b[3]/64
		rest := float32(1)
		o := object.F32()[(s*k+i)*(5+c):]
		copy(o, b)
		o[4] = .95
		for j := range c {
			logits.F32()[(s*k+i)*c+j] = logit(prob(s, i, j))
			joined.F32()[(s*(4+c)+4+j)*k+i] = prob(s, i, j)
			o[5+j] = prob(s, i, j) / .95
			rest -= prob(s, i, j) / 2 // halved, so that there is a background
			softmax.F32()[(s*k+i)*(c+1)+j+1] = float32(math.Log(float64(prob(s, i, j)) / 2))
		}
		softmax.F32()[(s*k+i)*(c+1)] = float32(math.Log(float64(rest)))
		for j := range 4 {
			turned.F32()[(s*4+j)*k+i] = b[j]
			joined.F32()[(s*(4+c)+j)*k+i] = b[j]
		}
	})
	for text, out := range map[string]tensors{
		"ap":                                                        {rows, logits},
		"ap(scores=probabilities,format=cxcywh)":                    {centres, probs},
		"ap(scores=probabilities,format=xywh)":                      {corner, probs},
		"ap(scores=probabilities,format=yxyx)":                      {upright, probs},
		"ap(scores=probabilities,scale=128,scale-y=64)":             {shares, probs},
		"ap(scores=probabilities)":                                  {turned, probs},
		"ap(background=first,offset=1)":                             {rows, softmax},
		"ap(scores=probabilities,columns=box-scores)":               {joined},
		"ap(scores=probabilities,columns=box-object-scores,axis=1)": {object},
		"ap(scores=probabilities,nms=0.5,threshold=0.01,max=10000)": {tensor.From(rows.F32(), n, k, 1, 4), probs},
	} {
		near(t, text, measured(t, text, append(out, boxes, labels)), want, 1e-9)
	}
	for text, label := range map[string]int64{"ap": c, "ap(background=first)": 0, "ap(background=last)": c - 1, "ap(offset=-1)": 0} {
		_, err := try(t, text, tensors{rows, logits, boxes, tensor.From(slices.Repeat([]int64{label}, n*m), n, m)})
		fails(t, err, "sample 0 is", "say background or offset")
	}
	if without := measured(t, "ap(scores=probabilities,nms=none)", tensors{rows, probs, boxes, labels}); math.Abs(without-want) < .01 {
		t.Errorf("suppression changes nothing: %v and %v", without, want)
	}
}

// Selected boxes in three outputs, of one image with no axis for it, of which there may
// be none.
func TestListed(t *testing.T) {
	boxes, labels := f32([]int{1, 2, 4}, 0, 0, 10, 10 /**/, 20, 20, 40, 40), tensor.From([]int64{1, 2}, 1, 2)
	first := tensors{f32([]int{3, 4}, 0, 0, 10, 10 /**/, 20, 20, 40, 40 /**/, 1, 1, 2, 2), tensor.Vector[float32](.9, .8, .95), tensor.Vector[int64](1, 2, 2), boxes, labels}
	near(t, "one image", measured(t, "ap50", first), (1+.5)/2, 1e-12)
	none := tensors{tensor.New(tensor.Float32, 0, 4), tensor.New(tensor.Float32, 0), tensor.New(tensor.Int64, 0), boxes, labels}
	near(t, "nothing found", measured(t, "ap50", first, none), ((51.)+(51*.5))/101/2, 1e-12)
}

// Of boxes that overlap, the best of each class stays; what remains is by score.
func TestSuppress(t *testing.T) {
	d := []detection{
		{box{0, 0, 10, 10}, 0, .5}, {box{0, 0, 10, 9}, 0, .9}, {box{0, 0, 10, 10}, 1, .4}, {box{0, 0, 10, 5}, 0, .7}, {box{50, 50, 60, 60}, 0, .6},
	}
	got := suppress(d, .5, 10)
	var scores []float64
	for _, x := range got {
		scores = append(scores, x.score)
	}
	// 0.7 overlaps 0.9 by 5/9, and 0.5 by 9/10
	if len(scores) != 3 || scores[0] != .9 || scores[1] != .6 || scores[2] != .4 {
		t.Errorf("%v stay", scores)
	}
}
