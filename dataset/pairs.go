package dataset

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// openPairs reads pictures with a mask for each, or with another picture, in folders
// beside each other.
func openPairs(d *Data, dir string, o *options) error {
	d.Norm, d.NormName = ImageNet, "imagenet"
	po := o.pictures()
	image := o.oneOf("target", "mask", "image") == "image"
	folders := [2]string{o.str("image", ""), o.str("mask", "")}
	if o.err != nil {
		return o.err
	}
	t := newTree(dir)
	if err := t.walk(dir, nil, nil); err != nil {
		return err
	}
	for i, n := range folders {
		if n != "" {
			t.named = append(t.named, folderRole{strings.ToLower(n), i == 0})
		}
	}
	return t.loadPairs(d, po, image)
}

// loadPairs reads the pictures, and what belongs to each, into the sets of d.
func (t *tree) loadPairs(d *Data, o pictureOptions, image bool) error {
	pairs, err := t.pairs()
	if err != nil {
		return err
	}
	if left := t.leftOut(); left != "" {
		d.note("%s: left out: %s", t.name, left)
	}
	if bare := pairs[""]; bare != nil {
		delete(pairs, "")
		if pairs["train"] != nil {
			return fmt.Errorf("%s: %d pictures lie in a folder of training, %d in none of a part: put all into one", t.name, len(pairs["train"]), len(bare))
		}
		pairs["train"] = bare
	}
	if err := t.largePairs(d, pairs, o, image); err != nil {
		return err
	}
	for _, part := range partOrder {
		if pairs[part] == nil {
			continue
		}
		what := fmt.Sprintf("%s, the %s set", t.name, setNames[part])
		p := &pairReader{t: t, pairs: pairs[part]}
		p.pictureOptions, p.train = o, part == "train"
		if o.skip && !image {
			p.legible()
		}
		read := p.set
		if d.cache != nil {
			read = func(image bool) (*Set, error) { return p.stream(d.bound, image) }
		}
		s, err := read(image)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		*d.part(part) = s
		p.say(d, what)
	}
	return nil
}

// pairReader reads the pairs of a part.
type pairReader struct {
	pictures
	t     *tree
	pairs []pair
	sizes [][2]int // of the pictures, upright
}

func (p *pairReader) set(image bool) (*Set, error) {
	p.sizes = make([][2]int, len(p.pairs))
	s, err := p.all(&p.pictures, func(q pair) int { return q.picture }, p.sizes)
	if err != nil {
		return nil, err
	}
	kept := s.y().Ints
	s.Fields = s.Fields[:1]
	if !image {
		m, err := p.masks(kept)
		if err != nil {
			return nil, err
		}
		s.Fields = append(s.Fields, m)
		return s, nil
	}
	if err := p.still(); err != nil {
		return nil, err
	}
	other := pictures{pictureOptions: p.pictureOptions}
	y, err := p.all(&other, func(q pair) int { return q.mask }, nil)
	if err != nil {
		return nil, err
	}
	p.both(s.X(), kept, y)
	s.Fields = append(s.Fields, y.X())
	return s, nil
}

// legible leaves out the pairs whose masks cannot be read.
func (p *pairReader) legible() {
	p.pairs = slices.DeleteFunc(slices.Clone(p.pairs), func(q pair) bool {
		f := p.t.files[q.mask]
		b, err := f.read()
		if err == nil {
			err = legible(b)
		}
		if err != nil {
			p.cannot(f.show, err)
		}
		return err != nil
	})
}

// still refuses random changes of pictures that are the target of others.
func (p *pairReader) still() error {
	if p.Random() {
		return errors.New("pictures that are the target of others cannot be changed at random with them: leave out train-crop=, flip=, jitter= and erase= (crops and flips of training change both alike, where both have one size)")
	}
	return nil
}

// both keeps the samples of which both pictures can be read.
func (p *pairReader) both(x *Field, kept []int32, y *Set) {
	y.X().Name = "target"
	if slices.Equal(kept, y.y().Ints) {
		return
	}
	var a, b []int32
	for i, k := range kept {
		if j, ok := slices.BinarySearch(y.y().Ints, k); ok {
			a, b = append(a, int32(i)), append(b, int32(j))
		}
	}
	x.pick(a)
	y.X().pick(b)
}

// all reads one picture of each pair; labels are the numbers of the pairs.
func (p *pairReader) all(to *pictures, of func(pair) int, sizes [][2]int) (*Set, error) {
	to.count = len(p.pairs)
	for _, q := range p.pairs {
		to.file += p.t.files[of(q)].size
	}
	return to.read(func(add adder) error {
		for i, q := range p.pairs {
			f := p.t.files[of(q)]
			b, err := f.read()
			if err != nil {
				to.cannot(f.show, err)
				continue
			}
			if h, err := readHeader(b); err == nil && sizes != nil {
				if to.stored {
					h.orientation = 1
				}
				sizes[i][0], sizes[i][1] = h.upright()
			}
			if err := add(f.show, b, int32(i)); err != nil {
				return err
			}
		}
		return nil
	})
}

// masks reads the masks of pairs. Where they take much more than their files, all are
// read before the first is kept.
func (p *pairReader) masks(of []int32) (*Field, error) {
	shape := p.pictures.set.X().Shape[1:]
	f := &Field{Name: "mask", Shape: slices.Clone(shape), Classes: 1}
	bytes := int64(0)
	for _, i := range of {
		bytes += p.t.files[p.pairs[i].mask].size
	}
	n := f.Size()
	if int64(n)*4 > mostKept(bytes)/int64(max(1, len(of))) {
		for _, i := range of {
			if _, err := p.mask(int(i)); err != nil {
				return nil, err
			}
		}
	}
	f.Ints = make([]int32, n*len(of))
	for k, i := range of {
		m, err := p.mask(int(i))
		if err != nil {
			return nil, err
		}
		m = p.prepareMask(m)
		out := f.Ints[k*n : (k+1)*n]
		p.FillMask(m.class, m.height, m.width, 0, false, -1, out, &p.scratch)
		if p.wide != nil {
			f.wide = append(f.wide, *m)
			out = m.class
		}
		f.Classes = max(f.Classes, int(slices.Max(out))+1)
	}
	return f, nil
}

// mask reads the mask of a pair.
func (p *pairReader) mask(i int) (*mask, error) {
	f := p.t.files[p.pairs[i].mask]
	b, err := f.read()
	if err != nil {
		return nil, err
	}
	m, err := readMask(b)
	if err == nil {
		err = m.of(p.sizes[i][0], p.sizes[i][1])
	}
	if err != nil {
		return nil, notMask(f.show, b, err)
	}
	return m, nil
}

func notMask(name string, b []byte, err error) error {
	way := "target=image: it is a picture, not a mask"
	if legible(b) != nil {
		way = "corrupt=skip leaves such pairs out"
	}
	return fmt.Errorf("%s: %w (%s)", name, err, way)
}
