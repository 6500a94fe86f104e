package dataset

import (
	"fmt"
	"image/color"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// numbersPicture has a value of its own at every place.
func numbersPicture(h, w int) *Picture {
	p := newPicture(1, h, w)
	for i := range p.Pix {
		p.Pix[i] = uint8(i + 1)
	}
	return p
}

// Crops of the centre, with what is missing black; places by torchvision's rule.
func TestCut(t *testing.T) {
	p := numbersPicture(3, 4)
	for _, c := range []struct {
		crop [2]int
		want []uint8
	}{
		{[2]int{1, 2}, []uint8{6, 7}},
		{[2]int{2, 1}, []uint8{3, 7}}, // 0.5 and 1.5 go to 0 and 2
		{[2]int{3, 4}, p.Pix},
		{[2]int{4, 2}, []uint8{2, 3, 6, 7, 10, 11, 0, 0}},
		{[2]int{5, 7}, []uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 5, 6, 7, 8, 0, 0, 0, 9, 10, 11, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
	} {
		pipe := Pipeline{Crop: c.crop}
		out := slices.Repeat([]uint8{77}, c.crop[0]*c.crop[1])
		if pipe.Fill(p, 0, false, out, new(Scratch)); !slices.Equal(out, c.want) {
			t.Errorf("%v: %v, want %v", c.crop, out, c.want)
		}
	}
}

// A picture's size by torchvision's rule of the shorter side.
func TestPipelineSize(t *testing.T) {
	for _, c := range []struct{ h, w, wantH, wantW int }{{500, 375, 341, 256}, {375, 500, 256, 341}, {256, 256, 256, 256}, {100, 333, 256, 852}, {1, 9000, 256, 2304000}} {
		p := Pipeline{Short: 256}
		if h, w := p.Size(c.h, c.w); h != c.wantH || w != c.wantW {
			t.Errorf("%dx%d: %dx%d", c.h, c.w, h, w)
		}
	}
}

// Random crops reach every place, about as often as the others, and are parts of
// the picture; flips happen as often as they should.
func TestRandomCrop(t *testing.T) {
	p := numbersPicture(4, 5)
	pipe := Pipeline{Crop: [2]int{2, 3}, Train: Train{Crop: Random, Flip: .25}}
	seen, flips := map[uint8]int{}, 0
	out := make([]uint8, 6)
	const n = 9000
	for i := range n {
		pipe.Fill(p, mix(1, 2, uint64(i)), true, out, new(Scratch))
		first := out[0]
		if out[1] < out[0] {
			flips++
			first = out[2]
			slices.Reverse(out[:3])
			slices.Reverse(out[3:])
		}
		if want := []uint8{first, first + 1, first + 2, first + 5, first + 6, first + 7}; !slices.Equal(out, want) {
			t.Fatalf("%v is no part of the picture", out)
		}
		seen[first]++
	}
	if len(seen) != 9 {
		t.Errorf("%d places, want 9", len(seen))
	}
	for at, k := range seen {
		if k < n/9*8/10 || k > n/9*12/10 {
			t.Errorf("place %d: %d times of %d", at, k, n/9)
		}
	}
	if flips < n*22/100 || flips > n*28/100 {
		t.Errorf("%d flips of %d", flips, n)
	}
}

// Parts have the area and the proportions that are allowed, are inside, and fall
// back to the centre where none fits.
func TestParts(t *testing.T) {
	tr := Train{Scale: [2]float64{.2, .5}, Ratio: [2]float64{.5, 2}}
	d := &dice{5}
	least, most := 1., 0.
	for range 3000 {
		y, x, h, w := tr.part(200, 300, d)
		if y < 0 || x < 0 || y+h > 200 || x+w > 300 {
			t.Fatalf("%d %d %d %d is outside", y, x, h, w)
		}
		area, ratio := float64(h*w)/60000, float64(w)/float64(h)
		if area < .19 || area > .51 || ratio < .48 || ratio > 2.1 {
			t.Fatalf("area %v, ratio %v", area, ratio)
		}
		least, most = min(least, area), max(most, area)
	}
	if least > .21 || most < .49 {
		t.Errorf("areas of %v to %v", least, most)
	}
	tr = Train{Scale: [2]float64{1, 1}, Ratio: [2]float64{.75, 4. / 3}}
	if y, x, h, w := tr.part(100, 1000, d); y != 0 || x != 433 || h != 100 || w != 133 {
		t.Errorf("wide: %d %d %d %d", y, x, h, w)
	}
	if y, x, h, w := tr.part(1000, 75, d); y != 450 || x != 0 || h != 100 || w != 75 {
		t.Errorf("high: %d %d %d %d", y, x, h, w)
	}
}

// Erased rectangles have the area that they should and nothing else changes.
func TestErase(t *testing.T) {
	p := newPicture(3, 40, 50)
	for i := range p.Pix {
		p.Pix[i] = 1
	}
	pipe := Pipeline{Train: Train{Erase: .5, Fill: [3]uint8{7, 8, 9}}}
	out := make([]uint8, len(p.Pix))
	times := 0
	for i := range 2000 {
		pipe.Fill(p, mix(3, 4, uint64(i)), true, out, new(Scratch))
		n := 0
		for k, v := range out[:2000] {
			if v != 1 {
				n++
				if v != 7 || out[k+2000] != 8 || out[k+4000] != 9 {
					t.Fatal("it is filled with something else")
				}
			}
		}
		if n > 0 {
			times++
			if share := float64(n) / 2000; share < .015 || share > .35 {
				t.Fatalf("%v of the area", share)
			}
		}
	}
	if times < 930 || times > 1070 {
		t.Errorf("%d times of 2000", times)
	}
}

// Masks are cut, resized and mirrored as their pictures are.
func TestFillMask(t *testing.T) {
	p := numbersPicture(11, 13)
	mask := make([]int32, len(p.Pix))
	for i, v := range p.Pix {
		mask[i] = int32(v)
	}
	for _, pipe := range []Pipeline{
		{Crop: [2]int{5, 6}, Train: Train{Crop: Random, Flip: .5}}, {Crop: [2]int{14, 6}, Train: Train{Crop: Random, Flip: .5}},
		{Crop: [2]int{5, 6}, Filter: Nearest, Train: Train{Crop: Resized, Scale: [2]float64{.2, 1}, Ratio: [2]float64{.5, 2}, Flip: .5}},
	} {
		n := pipe.Crop[0] * pipe.Crop[1]
		out, got := make([]uint8, n), make([]int32, n)
		for i := range 50 {
			pipe.Fill(p, mix(1, 1, uint64(i)), i%5 > 0, out, new(Scratch))
			pipe.FillMask(mask, 11, 13, mix(1, 1, uint64(i)), i%5 > 0, 0, got, new(Scratch))
			for k, v := range out {
				if got[k] != int32(v) {
					t.Fatalf("%s, draw %d: the picture is %v, its mask %v", pipe.String(), i, out, got)
				}
			}
		}
	}
}

// Changes of colour that change nothing, and those with known ends.
func TestJitter(t *testing.T) {
	for i := range 1 << 24 / 4099 {
		v := uint32(i * 4099)
		r, g, b := uint8(v), uint8(v>>8), uint8(v>>16)
		h, s, l := toHSV(r, g, b)
		r2, g2, b2 := fromHSV(h, s, l)
		if l != max(r, g, b) || apart8(r, r2) > 6 || apart8(g, g2) > 6 || apart8(b, b2) > 6 { // a step of the hue's byte is six levels
			t.Fatalf("%d %d %d became %d %d %d", r, g, b, r2, g2, b2)
		}
	}
	one := func(f func(r, g, b []uint8)) [3]uint8 {
		r, g, b := []uint8{200}, []uint8{100}, []uint8{40}
		f(r, g, b)
		return [3]uint8{r[0], g[0], b[0]}
	}
	for name, c := range map[string]struct{ got, want [3]uint8 }{
		"gray":      {one(func(r, g, b []uint8) { saturation(r, g, b, 0) }), [3]uint8{123, 123, 123}},
		"as it was": {one(func(r, g, b []uint8) { saturation(r, g, b, 1) }), [3]uint8{200, 100, 40}},
		"half way":  {one(func(r, g, b []uint8) { saturation(r, g, b, .5) }), [3]uint8{161, 111, 81}},
		"no turn":   {one(func(r, g, b []uint8) { hue(r, g, b, 0) }), [3]uint8{200, 96, 40}}, // 15.9 of 255 is 15,
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	pix := []uint8{10, 200, 255}
	brightness(pix, 1.5)
	if !slices.Equal(pix, []uint8{15, 255, 255}) {
		t.Errorf("brighter: %v", pix)
	}
	pix = []uint8{0, 100}
	contrast(pix, pix, pix, pix, 1, 0)
	if !slices.Equal(pix, []uint8{50, 50}) {
		t.Errorf("without contrast: %v", pix)
	}
	a, b := newPicture(3, 5, 5), newPicture(3, 5, 5) // the order of channels does not matter to what is seen
	for i := range 25 {
		for c := range 3 {
			a.plane(c)[i] = uint8(i*(7+c) + 40*c)
			b.plane(2 - c)[i] = a.plane(c)[i]
		}
	}
	all := Jitter{.3, .3, .3, .2}
	all.apply(a.Pix, 3, false, &dice{9})
	all.apply(b.Pix, 3, true, &dice{9})
	for c := range 3 {
		if !slices.Equal(a.plane(c), b.plane(2-c)) {
			t.Error("blue first changes the colours")
		}
	}
}

func apart8(a, b uint8) uint8 { return max(a, b) - min(a, b) }

// Bytes of a batch are a function of the seed, the epoch and the sample; without
// chance they are those of evaluation; nothing is allocated for them.
func TestChance(t *testing.T) {
	dir := t.TempDir()
	for i := range 6 {
		m := picture(20+3*i, 31-2*i, color.NRGBA{uint8(40 * i), 99, 200, 255})
		write(t, filepath.Join(dir, "train", fmt.Sprint(i%2), fmt.Sprint(i, ".png")), pngOf(m))
		write(t, filepath.Join(dir, "test", fmt.Sprint(i%2), fmt.Sprint(i, ".png")), pngOf(m))
	}
	const size = 12
	d := open(t, "folder:"+dir+"?resize=16&crop=12&train-crop=resized&scale=.3:1&flip=.5&jitter=.2,.2,.2,.1&erase=.5&order=bgr")
	if d.Train.X().Chance == nil || d.Test.X().Chance != nil || !slices.Equal(d.Train.X().Bytes, d.Test.X().Bytes) || !slices.Equal(d.Train.X().Shape, []int{3, size, size}) {
		t.Fatalf("shape %v, chance %v and %v", d.Train.X().Shape, d.Train.X().Chance, d.Test.X().Chance)
	}
	if d.Norm.Mean[0] != ImageNet.Mean[2] || ImageNet.Mean[0] != .485 || d.Train.X().Chance.Train.Fill != [3]uint8{104, 116, 124} {
		t.Errorf("mean %v, fill %v", d.Norm.Mean, d.Train.X().Chance.Train.Fill)
	}
	if e := open(t, d.Spec[:strings.Index(d.Spec, "&flip")]+"&order=bgr"); e.Test.Digest() != d.Test.Digest() || e.Train.Digest() == d.Train.Digest() {
		t.Error("what is drawn in training is no part of the training set's identity")
	}
	batch := func(l *Loader, epoch, i int) []float32 {
		x := make([]float32, 2*3*size*size)
		if _, err := l.Fill(epoch, i, []Buffer{{Field: 0, X: x}}); err != nil {
			t.Fatal(err)
		}
		return x
	}
	loader := func(seed uint64, own bool) *Loader {
		return &Loader{Set: d.Train, Size: 2, Norm: d.Norm, Seed: seed, Augment: Augment{Data: own}}
	}
	l := loader(1, true)
	first := batch(l, 0, 0)
	batch(l, 0, 1)
	batch(l, 1, 2)
	if !slices.Equal(first, batch(l, 0, 0)) || !slices.Equal(first, batch(loader(1, true), 0, 0)) {
		t.Error("the same sample is another one")
	}
	if slices.Equal(first, batch(l, 1, 0)) || slices.Equal(first, batch(loader(2, true), 0, 0)) {
		t.Error("another epoch or seed is the same")
	}
	plain := batch(loader(1, false), 0, 0)
	for i, v := range d.Train.X().Bytes[:size*size] {
		if want := (float32(v)/255 - d.Norm.Mean[0]) / d.Norm.Std[0]; math.Abs(float64(plain[i]-want)) > 1e-5 {
			t.Fatalf("evaluation: %v, want %v", plain[i], want)
		}
	}
	to := []Buffer{{Field: 0, X: make([]float32, 2*3*size*size)}, {Field: 1, I: make([]int64, 2)}}
	epoch := 0
	fill := func() {
		if _, err := l.Fill(epoch/3, epoch%3, to); err != nil {
			t.Fatal(err)
		}
		epoch++
	}
	for range 60 {
		fill()
	}
	if n := testing.AllocsPerRun(30, fill); n > 1 { // a part that is larger than all before makes room
		t.Errorf("%v allocations a batch", n)
	}
}

// Images of any size come to one, and what is done is said; what does not go
// together is refused.
func TestPictureOptions(t *testing.T) {
	dir := t.TempDir()
	for i, m := range [][2]int{{8, 6}, {5, 9}, {3, 3}} {
		write(t, filepath.Join(dir, "a", fmt.Sprint(i, ".png")), pngOf(picture(m[1], m[0], color.White)))
	}
	for query, want := range map[string]string{
		"resize=6&crop=4":                     "2 of 3 images were resized to 6 pixels on the shorter side",
		"crop=4":                              "1 of 3 images are smaller than the crop of 4x4: what they lack is black",
		"resize=5x4&filter=nearest":           "resized to 5x4, nearest, without",
		"resize=5x4&flip=.5&jitter=.1":        "in training, resize=5x4&flip=0.5&jitter=0.1,0,0,0",
		"resize=9&crop=4&train-crop=random":   "train-crop=random",
		"size=4&order=bgr&norm=raw&flip=1":    "order=bgr",
		"crop=3x2&train-crop=resized&erase=1": "scale=0.08:1",
	} {
		d := open(t, "folder:"+dir+"?"+query)
		if !noted(d, want) {
			t.Errorf("%s: no note with %q: %q", query, want, d.Notes)
		}
	}
	for query, want := range map[string]string{
		"":                                     "all must be of one size",
		"resize=6":                             "they are not of one size",
		"size=3&resize=4":                      "both given",
		"resize=0":                             "HEIGHTxWIDTH",
		"crop=9999":                            "8192",
		"filter=bicubik":                       "did you mean bicubic",
		"train-crop=random&size=4":             "needs crop",
		"scale=.1:1&size=4":                    "train-crop=resized",
		"crop=2&train-crop=resized&scale=1":    "LEAST:MOST",
		"crop=2&train-crop=resized&scale=.5:2": "at most 1",
		"size=4&flip=2":                        "0 to 1",
		"size=4&jitter=1,1,1,1,1":              "at most four",
		"size=4&jitter=0,0,0,.7":               "half a turn",
		"size=4&corrupt=yes":                   "use refuse, skip",
	} {
		if _, err := Open("folder:" + dir + "?" + query); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something with %q", query, err, want)
		}
	}
}
