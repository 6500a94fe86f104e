package dataset

import "sort"

// parts is a stream of samples that are read many at a time, as rows of a file, or
// what is packed together. It is what readers of files with parts of their own, such
// as row groups, are streamed by.
type parts struct {
	ends   []int    // of the parts, in samples
	fields []*Field // of a sample; nil: memory holds it, or decode makes it
	load   func(k int, to *partRoom) error
	decode func(b []byte, to []*Field) error // makes the fields of a sample that are packed; nil: none are
	cache  *cache
	window int
	digest string

	beside []int // by field: where in a row its one number lies, or -1; nil: each field lies by itself
	width  int   // numbers of a row

	longest int   // samples of a part
	packed  int   // bytes of its packed samples
	bytes   int64 // that one takes
}

// partRoom is room for a part.
type partRoom struct {
	fields []*Field
	rows   []float32 // fields of one number each, sample after sample
	packed []byte    // samples that are decoded when they are wanted, one after another
	ends   []int     // of these
}

// newParts is a stream of parts of n samples each. Load reads one into room for it, and
// takes more bytes while it does; packed is the most bytes of a part's samples that are
// decoded when they are wanted.
func newParts(n []int, fields []*Field, packed int, more int64, c *cache, load func(k int, to *partRoom) error) *parts {
	p := &parts{fields: fields, load: load, cache: c, packed: packed}
	sum, sample := 0, int64(0)
	for _, n := range n {
		sum += n
		p.ends = append(p.ends, sum)
		p.longest = max(p.longest, n)
	}
	for _, f := range fields {
		if f != nil {
			sample += f.bytes()
		}
	}
	p.bytes = max(1, sample*int64(p.longest)+int64(packed)+more)
	// Samples of a window lie in as many parts as make a window, and in two more.
	p.window = int(max(0, c.most/4*3-2*p.bytes) / max(1, p.bytes/int64(max(1, p.longest))))
	p.window = max(1, p.window)
	return p
}

// interleave has fields of one number each lie beside each other, where they are so many
// that a sample would otherwise have to be gathered from all over memory.
func (p *parts) interleave() {
	beside := make([]int, len(p.fields))
	for j, f := range p.fields {
		if beside[j] = -1; f != nil && f.Floats != nil && f.Size() == 1 {
			beside[j] = p.width
			p.width++
		}
	}
	if p.width > 8 {
		p.beside = beside
	}
}

// bytes is what a sample of a field takes in memory.
func (f *Field) bytes() int64 {
	if f.Bytes != nil {
		return int64(f.Size())
	}
	return 4 * int64(f.Size())
}

// room is room for a part.
func (p *parts) room() partRoom {
	out := partRoom{fields: make([]*Field, len(p.fields))}
	for j, f := range p.fields {
		if f != nil && (p.beside == nil || p.beside[j] < 0) {
			out.fields[j] = f.like(p.longest)
		}
	}
	if p.beside != nil {
		out.rows = make([]float32, p.longest*p.width)
	}
	if p.decode != nil {
		out.packed, out.ends = make([]byte, 0, p.packed), make([]int, 0, p.longest)
	}
	return out
}

// Len is the number of samples.
func (p *parts) Len() int { return p.ends[len(p.ends)-1] }

// Parts are where the parts end.
func (p *parts) Parts() []int { return p.ends }

// Window is how many samples the cache has room for, with some to spare.
func (p *parts) Window() int { return p.window }

// Digest identifies the files.
func (p *parts) Digest() string { return p.digest }

// Read reads a sample.
func (p *parts) Read(i int, to []*Field) error {
	k := sort.SearchInts(p.ends, i+1)
	h, err := p.cache.get(p, k)
	if err != nil {
		return err
	}
	defer p.cache.back(h)
	if k > 0 {
		i -= p.ends[k-1]
	}
	for j, f := range p.fields {
		if f == nil || to[j] == nil {
			continue
		}
		if p.beside != nil && p.beside[j] >= 0 {
			to[j].Floats[0] = h.rows[i*p.width+p.beside[j]]
			continue
		}
		n, from := f.Size(), h.fields[j]
		copy(to[j].Bytes, from.Bytes[min(i*n, len(from.Bytes)):])
		copy(to[j].Floats, from.Floats[min(i*n, len(from.Floats)):])
		copy(to[j].Ints, from.Ints[min(i*n, len(from.Ints)):])
	}
	if p.decode == nil {
		return nil
	}
	lo := 0
	if i > 0 {
		lo = h.ends[i-1]
	}
	return p.decode(h.packed[lo:h.ends[i]], to)
}
