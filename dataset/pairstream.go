package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// pairAlbum is a stream of pictures with what belongs to each, in files of their own.
type pairAlbum struct {
	*album
	digest string
	second func(i int, to []*Field) error
}

// Digest is over the files of both.
func (a *pairAlbum) Digest() string { return a.digest }

// Read decodes picture i, and what belongs to it.
func (a *pairAlbum) Read(i int, to []*Field) error {
	if err := a.album.Read(i, to); err != nil {
		return err
	}
	if to[1] == nil {
		return nil
	}
	return a.second(i, to[1:])
}

// largePairs finds out whether pairs are to be streamed, as the first picture shows.
func (t *tree) largePairs(d *Data, pairs map[string][]pair, o pictureOptions, image bool) error {
	parts := map[string]*part{}
	samples, masks := 0, int64(0)
	for name, ps := range pairs {
		p := &part{}
		for _, q := range ps {
			p.leaves = append(p.leaves, t.files[q.picture])
		}
		parts[name] = p
		samples += len(ps)
	}
	each, err := d.firstSize(parts, o)
	if err != nil || each == nil {
		return err
	}
	if masks = 4 * int64(each[1]*each[2]); image {
		masks = int64(each[0] * each[1] * each[2])
	}
	_, err = d.over(samples, int64(samples)*(int64(each[0]*each[1]*each[2])+masks))
	return err
}

// stream makes a stream of the pairs.
func (p *pairReader) stream(bound int64, image bool) (*Set, error) {
	load := func(of func(pair) int) (*part, *Set, error) {
		a := &part{}
		a.pictureOptions, a.train, a.bad, a.spoilt = p.pictureOptions, p.train, p.bad, p.spoilt
		for i, q := range p.pairs {
			a.leaves, a.labels = append(a.leaves, p.t.files[of(q)]), append(a.labels, int32(i))
		}
		s, err := a.stream(bound)
		return a, s, err
	}
	if image {
		if err := p.still(); err != nil {
			return nil, err
		}
	}
	a, s, err := load(func(q pair) int { return q.picture })
	if err != nil {
		return nil, err
	}
	p.pictures = a.pictures
	first, kept := s.Stream.(*album), s.y().Ints
	s.Fields = s.Fields[:1]
	h := sha256.New()
	out := &pairAlbum{album: first}
	if image {
		_, y, err := load(func(q pair) int { return q.mask })
		if err != nil {
			return nil, err
		}
		second := y.Stream.(*album)
		first.keep(kept, y.y().Ints)
		second.keep(y.y().Ints, kept)
		out.second = second.Read
		fmt.Fprint(h, first.digest, second.digest)
		y.X().Name = "target"
		s.Fields = append(s.Fields, y.X())
	} else {
		masks := make([]leaf, len(kept))
		for k, i := range kept {
			masks[k] = p.t.files[p.pairs[i].mask]
		}
		out.second = func(i int, to []*Field) error {
			return first.mask(i, &masks[i], to[0])
		}
		fmt.Fprint(h, first.digest)
		for i := range masks {
			fmt.Fprintf(h, "%q %d;", masks[i].path, masks[i].size)
		}
		m := &Field{Name: "mask", Shape: slices.Clone(s.X().Shape[1:]), Ints: []int32{}, Classes: 1}
		if p.train && p.cutsAnew() {
			m.wide = []mask{}
		}
		s.Fields = append(s.Fields, m)
	}
	out.digest = hex.EncodeToString(h.Sum(nil))
	s.Stream = out
	if !image {
		m := s.y()
		if m.there, err = s.values(m); err != nil {
			return nil, err
		}
		m.Classes = m.there.classes()
	}
	return s, nil
}

// keep leaves out the pictures of which the other cannot be read; both go by the
// numbers of their pairs, in order.
func (a *album) keep(own, others []int32) {
	var out []leaf
	for k, i := range own {
		if _, ok := slices.BinarySearch(others, i); ok {
			out = append(out, a.leaves[k])
		}
	}
	a.leaves = out
}

// mask reads the mask of picture i.
func (a *album) mask(i int, l *leaf, to *Field) error {
	h := a.start(&a.leaves[i])
	if h.err != nil {
		return fmt.Errorf("%s: %w", a.leaves[i].show, h.err)
	}
	b, err := l.read()
	if err != nil {
		return err
	}
	m, err := readMask(b)
	if err == nil {
		err = m.of(h.upright())
	}
	if err != nil {
		return notMask(l.show, b, err)
	}
	m = a.prepareMask(m)
	if to.wide != nil {
		to.wide[0] = *m
	}
	s := a.borrow()
	defer a.scratch.Put(s)
	a.FillMask(m.class, m.height, m.width, 0, false, -1, to.Ints, s)
	return nil
}
