package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"sync"
)

// mark is a place in a file at which a record begins.
type mark struct {
	record int   // from 0
	at     int64 // in bytes
}

// marks are places in a file from which its records can be read, the first being its
// first record, and so many bytes apart that they take little memory.
type marks struct {
	every   int64
	of      []mark
	records int
	any     bool  // any record can be the first that is read,
	ends    []int // and these end what is best read as a whole
}

// pass notes where the record begins that follows those that have been read.
func (m *marks) pass(at int64) {
	if m.records++; at-m.of[len(m.of)-1].at >= m.every {
		m.of = append(m.of, mark{m.records, at})
	}
}

// marks are for the records of a file whose first begins at a byte; nil: all is held.
func (d *Data) marks(first int64) *marks {
	if d.bound <= 0 {
		return nil
	}
	return &marks{every: d.bound >> 11, of: []mark{{0, first}}}
}

// piece is records that follow each other in a file.
type piece struct {
	file int // among those of a part of the data
	at   mark
	n    int
}

// pieces divides the records of a file into runs of at most n, as far as marks allow.
func (m *marks) pieces(file, n int) (out []piece) {
	begins := func(k int) int {
		if k < len(m.of) {
			return m.of[k].record
		}
		return m.records
	}
	for lo := 0; m.any && lo < m.records; {
		hi := min(lo+n, m.records)
		if k := sort.SearchInts(m.ends, hi+1) - 1; k >= 0 && m.ends[k] > lo {
			hi = m.ends[k]
		}
		out = append(out, piece{file, mark{record: lo}, hi - lo})
		lo = hi
	}
	for from := 0; !m.any && from < len(m.of); {
		to := from + 1
		for to < len(m.of) && begins(to+1)-begins(from) <= n {
			to++
		}
		if begins(to) > begins(from) {
			out = append(out, piece{file, m.of[from], begins(to) - begins(from)})
		}
		from = to
	}
	return out
}

// pieced is a set whose records are read piece by piece: what one gives is a set like
// that of all, of fewer samples.
type pieced struct {
	files []*source
	marks []*marks
	read  func(p piece) (*Set, error)
	more  int64 // bytes that reading a piece takes besides what it gives

	// Nil, or what does the same as read at less cost:
	like    *Set                                         // a set of the same fields
	fill    func(p piece, of *parts, to *partRoom) error // reads the fields of a part
	classes func(p piece) (*Set, error)                  // reads only fields of classes
	rows    int                                          // that are best read together; 0: any number
}

// streamPieces makes a stream of a set that is read in pieces. Classes, one for each
// sample, are held.
func (d *Data) streamPieces(o pieced) (*Set, error) {
	some := o.like
	if some == nil {
		var err error
		if some, err = o.read(piece{0, o.marks[0].of[0], 1}); err != nil {
			return nil, err
		}
	}
	s := New("")
	of, sample, held := make([]*Field, len(some.Fields)), int64(0), int64(0)
	total := 0
	for _, m := range o.marks {
		total += m.records
	}
	for j, g := range some.Fields {
		f := *g
		f.Bytes, f.Floats, f.Ints = empty(g.Bytes), empty(g.Floats), empty(g.Ints)
		if s.Fields = append(s.Fields, &f); (f.Classes > 0 || f.spelled != nil) && f.Size() == 1 {
			held += 4 * int64(total)
			f.spelled = nil
			continue
		}
		h := f // the set may make another of it
		of[j] = &h
		sample += f.bytes()
	}
	if held > d.bound/4 {
		return nil, fmt.Errorf("the classes of %d samples alone take %s, and %s may be in memory: let samples take more, or leave classes out by drop=", total, amount(held), amount(d.bound))
	}
	var all []piece
	var n []int
	longest := 0
	together := o.together(d, sample)
	for k, m := range o.marks {
		for _, p := range m.pieces(k, together) {
			all, n, longest = append(all, p), append(n, p.n), max(longest, p.n)
		}
	}
	more := o.more
	if o.fill == nil { // a piece is there twice: as it is made, and as it is kept
		more += sample * int64(longest)
	}
	var p *parts
	p = newParts(n, of, 0, more, d.cache, func(k int, to *partRoom) error {
		if o.fill != nil {
			return o.at(all[k], o.fill(all[k], p, to))
		}
		g, err := o.piece(all[k], o.read)
		if err != nil {
			return err
		}
		for j, f := range to.fields {
			if f != nil {
				copy(f.Bytes, g.Fields[j].Bytes)
				copy(f.Floats, g.Fields[j].Floats)
				copy(f.Ints, g.Fields[j].Ints)
			}
		}
		return nil
	})
	if o.fill != nil {
		p.interleave()
	}
	if p.bytes > d.cache.most/2 {
		return nil, fmt.Errorf("%s: what is read of it at a time takes %s, of which %s may be in memory: let samples take more%s", o.files[0].path, amount(p.bytes), amount(d.cache.most/2), o.hint())
	}
	if held > 0 {
		if err := o.hold(s, all, together, p.bytes, d.cache.most); err != nil {
			return nil, err
		}
	}
	var err error
	if p.digest, err = o.digest(); err != nil {
		return nil, err
	}
	s.Stream, s.Bound = p, d.bound
	d.sayWindow(p)
	return s, nil
}

// digest identifies the files.
func (o *pieced) digest() (string, error) {
	h := sha256.New()
	for _, f := range o.files {
		fmt.Fprintf(h, "%q %d;", filepath.Base(f.path), f.packed)
		if err := f.stamp.digest(h); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// together is how many samples of so many bytes are read at a time: at best those of a
// page, or equal shares of them.
func (o *pieced) together(d *Data, sample int64) int {
	n := max(1, d.partBytes()/max(1, sample))
	if page := int64(o.rows); page > n {
		n = max(n, d.cache.most/8/max(1, sample))
		shares := (page + n - 1) / n
		n = (page + shares - 1) / shares
	}
	return int(n)
}

// hint is how less is read at a time.
func (o *pieced) hint() string {
	if o.more > 0 {
		return ", or write the file in smaller row groups and pages"
	}
	return ""
}

func empty[T any](of []T) []T {
	if of == nil {
		return nil
	}
	return []T{}
}

// piece reads a piece, or the classes of it.
func (o *pieced) piece(p piece, read func(p piece) (*Set, error)) (*Set, error) {
	s, err := read(p)
	if err == nil && s.stored() != p.n {
		err = fmt.Errorf("%d records where there were %d: the file changed while it was read", s.stored(), p.n)
	}
	return s, o.at(p, err)
}

// at says of an error where it is.
func (o *pieced) at(p piece, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s, records %d to %d: %w", filepath.Base(o.files[p.file].path), p.at.record, p.at.record+p.n-1, err)
}

// hold reads the classes of all samples, several pieces at a time, of so many bytes
// that they keep to those that there may be.
func (o *pieced) hold(to *Set, all []piece, together int, bytes, most int64) error {
	threads := int(max(1, min(int64(runtime.GOMAXPROCS(0)), most/max(1, bytes))))
	read := o.read
	if o.classes != nil { // more at a time, of which less is read
		read, all = o.classes, nil
		for k, m := range o.marks {
			all = append(all, m.pieces(k, max(together, 1<<16))...)
		}
	}
	number := make([]map[string]int32, len(to.Fields))
	got, errs := make([]*Set, threads), make([]error, threads)
	for lo := 0; lo < len(all); lo += threads {
		some := all[lo:min(lo+threads, len(all))]
		var wg sync.WaitGroup
		for i, p := range some {
			wg.Go(func() { got[i], errs[i] = o.piece(p, read) })
		}
		wg.Wait()
		for i := range some {
			if errs[i] != nil {
				return errs[i]
			}
			for j, f := range to.Fields {
				g := got[i].Field(f.Name)
				if g == nil || (g.Classes == 0 && g.spelled == nil) || f.Size() > 1 {
					continue
				}
				f.Classes = max(f.Classes, g.Classes)
				if len(g.Names) > len(f.Names) {
					f.Names = g.Names
				}
				if g.spelled == nil {
					f.Ints = append(f.Ints, g.Ints...)
					continue
				}
				if number[j] == nil {
					number[j] = map[string]int32{}
				}
				if f.spell(g, number[j]); len(f.spelled) > maxNames {
					return fmt.Errorf("field %q has more than %d classes", f.Name, maxNames)
				}
			}
		}
		clear(got)
	}
	for _, f := range to.Fields {
		f.Ints = slices.Clip(f.Ints)
	}
	return nil
}
