package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// album is a stream of pictures, each in a file of its own, decoded when it is wanted.
type album struct {
	pictureOptions
	leaves  []leaf
	shape   []int
	digest  string
	scratch sync.Pool // of *Scratch
}

// Len is the number of pictures.
func (a *album) Len() int { return len(a.leaves) }

// Parts are none.
func (a *album) Parts() []int { return nil }

// Window is all pictures: they can be read in any order.
func (a *album) Window() int { return len(a.leaves) }

// Digest is over names and sizes of files, and how each begins.
func (a *album) Digest() string { return a.digest }

// Read decodes picture i.
func (a *album) Read(i int, to []*Field) error {
	if to[0] == nil {
		return nil
	}
	b, err := a.leaves[i].read()
	if err == nil {
		err = a.sample(b, to[0])
	}
	if err != nil {
		return fmt.Errorf("%s: %w", a.leaves[i].show, err)
	}
	return nil
}

// sample makes a sample of the bytes of a file: what a picture becomes is decided
// here alone.
func (a *album) sample(b []byte, to *Field) error {
	h, pic, err := a.decode(b)
	if err != nil {
		return err
	}
	if height, width := a.Size(h.upright()); height != a.shape[1] || width != a.shape[2] {
		return fmt.Errorf("it has changed since it was opened: it comes to %dx%d pixels instead of %dx%d", width, height, a.shape[2], a.shape[1])
	}
	s := a.borrow()
	defer a.scratch.Put(s)
	pic = a.Prepare(pic.channels(a.shape[0]), s)
	a.Fill(pic, 0, false, to.Bytes, s)
	if c := to.Chance; c != nil && c.Pictures != nil {
		c.Pictures[0] = *pic
	}
	return nil
}

// borrow is memory to work with, which is given back.
func (a *album) borrow() *Scratch {
	if s, _ := a.scratch.Get().(*Scratch); s != nil {
		return s
	}
	return new(Scratch)
}

// large finds out whether pictures are to be streamed, as the first of each part shows:
// there is a cache then.
func (t *tree) large(d *Data, parts map[string]*part, o pictureOptions) error {
	samples, bytes := 0, int64(0)
	for _, p := range parts {
		shape, err := d.firstSize(map[string]*part{"": p}, o)
		if err != nil {
			return err
		}
		if shape != nil {
			samples += len(p.leaves)
			bytes += int64(len(p.leaves)) * (int64(shape[0]*shape[1]*shape[2]) + 4)
		}
	}
	_, err := d.over(samples, bytes)
	return err
}

// firstSize is what the first picture becomes that is one; nil: there is none, or all
// are held.
func (d *Data) firstSize(parts map[string]*part, o pictureOptions) ([]int, error) {
	if d.bound <= 0 {
		return nil, nil
	}
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		p := parts[name]
		for i := range p.leaves {
			if h := o.start(&p.leaves[i]); h.header != nil {
				return o.becomes(h.header), nil
			}
		}
	}
	return nil, nil
}

// becomes is the shape of a sample, as far as one picture tells.
func (o *pictureOptions) becomes(h *header) []int {
	p := pictures{pictureOptions: *o, set: classified(Field{})}
	p.shape("", h)
	if h.gray && o.Channels == 0 || o.Channels == 1 {
		p.set.X().Shape[0] = 1
	}
	return p.set.X().Shape
}

// began is how a picture's file begins.
type began struct {
	*header
	b   []byte
	err error
}

// beginning is how much of a file tells its size; where it does not, all is read.
const beginning = 1 << 14

// start looks at how a file begins.
func (o *pictureOptions) start(l *leaf) (s began) {
	r, err := l.open()
	if err != nil {
		return began{err: err}
	}
	defer r.Close()
	s.b = make([]byte, min(beginning, max(l.size, 1)))
	n, err := io.ReadFull(r, s.b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return began{err: err}
	}
	s.b = s.b[:n]
	s.header, s.err = o.header(s.b)
	if kind := imageKind(s.b); s.err != nil || kind != "png" && kind != "jpeg" {
		if s.b, s.err = l.read(); s.err == nil {
			s.header, s.err = o.header(s.b)
		}
	}
	if s.err != nil {
		s.header = nil
	}
	return s
}

// stream looks at the beginnings of all files, several at a time, and makes a stream
// of them.
func (p *part) stream(bound int64) (*Set, error) {
	p.set = classified(Field{Bytes: []uint8{}})
	s := p.set
	h := sha256.New()
	var leaves []leaf
	var labels []int32
	starts := make([]began, 256)
	for lo := 0; lo < len(p.leaves); lo += len(starts) {
		some := p.leaves[lo:min(lo+len(starts), len(p.leaves))]
		var wg sync.WaitGroup
		threads := runtime.GOMAXPROCS(0)
		for t := range threads {
			wg.Go(func() {
				for i := t; i < len(some); i += threads {
					starts[i] = p.start(&some[i])
				}
			})
		}
		wg.Wait()
		for i, f := range some {
			c := &starts[i]
			if c.err != nil {
				p.cannot(f.show, c.err)
				continue
			}
			if len(leaves) == 0 {
				if p.shape(f.show, c.header); p.Channels > 0 {
					s.X().Shape[0] = p.Channels
				} else {
					s.X().Shape[0] = 1
				}
			}
			if err := p.look(f.show, c.header); err != nil {
				return nil, err
			}
			leaves, labels = append(leaves, f), append(labels, p.labels[lo+i])
			fmt.Fprintf(h, "%q %d;", strings.Join(f.path, "/"), f.size)
			h.Write(c.b[:min(block, len(c.b))])
		}
	}
	if err := p.verdict(len(p.leaves)); err != nil {
		return nil, err
	}
	if p.train && p.Random() {
		s.X().Chance = &Chance{Pipeline: p.Pipeline}
	}
	s.y().Ints, p.kept = labels, leaves
	s.Bound = bound
	s.Stream = &album{pictureOptions: p.pictureOptions, leaves: leaves, shape: s.X().Shape, digest: hex.EncodeToString(h.Sum(nil))}
	return s, nil
}
