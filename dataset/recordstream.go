package dataset

import (
	"errors"
	"sync"
)

// errEnough ends reading when as many records are read as are wanted.
var errEnough = errors.New("enough")

// first has read give only the first n records.
func first(n int, done func(at string) error, read func(done func(at string) error) error) error {
	err := read(func(at string) error {
		if err := done(at); err != nil {
			return err
		}
		if n--; n == 0 {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// bytes are what a record takes in memory.
func (t *table) bytes() int64 {
	n := 0
	for _, c := range t.cols {
		switch p := t.plans[c]; {
		case p == nil:
		case p.token:
			n += t.o.token.values()
		default:
			if n += size(p.shape); p.mask {
				n += p.shape[0]
			}
		}
	}
	return 4 * int64(n)
}

// stream makes streams of the records where they are too many. Records of which the
// images are what takes memory are held.
func (t *table) stream(files fileParts, opened map[string]recordFile) (bool, error) {
	samples := 0
	for _, n := range t.count {
		samples += n
	}
	own := int64(samples) * t.bytes()
	if large, err := t.d.over(samples, own+int64(samples)*t.o.beside); !large || err != nil {
		return false, err
	}
	if t.o.beside > 0 {
		if own > t.d.bound/4 {
			return false, errors.New("what belongs to each image takes " + amount(own) + ", more than a quarter of the " + amount(t.d.bound) + " that samples may: let samples take more, or leave columns out by drop= or only=")
		}
		return false, nil
	}
	for _, c := range t.cols {
		if p := t.plans[c]; p != nil && len(p.shape) > 0 && c.longest > p.shape[0] {
			t.d.note("column %q: lists of more than %d entries are cut off; the longest has %d", c.name, p.shape[0], c.longest)
		}
	}
	for _, part := range partOrder {
		if len(files[part]) == 0 {
			continue
		}
		var of []recordFile
		var o pieced
		for _, file := range files[part] {
			f := opened[file]
			s, takes := f.file()
			if err := s.unpack(t.d); err != nil {
				return true, err
			}
			of, o.files, o.marks = append(of, f), append(o.files, s), append(o.marks, f.places())
			o.more = max(o.more, takes)
		}
		reads := func(wanted func(c *cells) bool) func(p piece) (*Set, error) {
			tables := sync.Pool{New: func() any { return t.again(wanted) }}
			return func(p piece) (*Set, error) {
				u := tables.Get().(*table)
				defer tables.Put(u)
				u.count[part] = p.n
				if err := u.allocate(p.n); err != nil {
					return nil, err
				}
				if err := of[p.file].some(u, p.at, p.n, u.keep); err != nil {
					return nil, err
				}
				s, err := u.set(part)
				if err == nil && t.o.gather != nil {
					err = t.o.gather(u.d, s)
				}
				return s, err
			}
		}
		o.read = reads(func(*cells) bool { return true })
		if t.o.gather == nil && t.o.token == nil {
			o.classes = reads(func(c *cells) bool {
				p := t.plans[c]
				return p.spell || len(p.shape) == 0 && t.isClass(c.name)
			})
		}
		if err := t.heldClasses(&o, part, of, samples); err != nil {
			return true, err
		}
		if err := t.columnwise(&o, part, of); err != nil {
			return true, err
		}
		s, err := t.d.streamPieces(o)
		if err != nil {
			return true, err
		}
		*t.d.part(part) = s
	}
	return true, nil
}

// columnwise has files of columns be read so.
func (t *table) columnwise(o *pieced, part string, files []recordFile) (err error) {
	of := make([]*parquetRows, len(files))
	for k, f := range files {
		r, ok := f.(*parquetRows)
		if !ok || !r.summed {
			return nil
		}
		of[k], r.noted = r, true
		o.rows = max(o.rows, r.longest())
	}
	if o.like, err = t.again(func(*cells) bool { return true }).blank(part); err != nil {
		return err
	}
	fields := map[string]int{}
	for j, f := range o.like.Fields {
		fields[f.Name] = j
	}
	o.fill = func(p piece, in *parts, to *partRoom) error {
		want := map[string]*columnRoom{}
		for c, plan := range t.plans {
			switch j := fields[c.name]; {
			case to.fields[j] != nil:
				f := to.fields[j]
				want[c.name] = &columnRoom{filling: plan.filling, shape: plan.shape, floats: f.Floats, ints: f.Ints}
				if plan.mask {
					want[c.name].mask = to.fields[fields[c.name+"_mask"]].Ints
				}
			case in.beside != nil && in.beside[j] >= 0:
				want[c.name] = &columnRoom{rows: to.rows[in.beside[j]:], width: in.width}
			}
		}
		return of[p.file].fill(p.at.record, p.n, want)
	}
	return nil
}

// blank is a set of a sample of nothing.
func (t *table) blank(part string) (*Set, error) {
	t.count[part] = 1
	if err := t.allocate(1); err != nil {
		return nil, err
	}
	for _, c := range t.cols {
		v, plan := c.part, t.plans[c]
		if plan == nil { // it is read beside another
			continue
		}
		if v.records = 1; plan.spell {
			v.names = []string{""}
		}
		v.ints, v.floats, v.mask = v.ints[:cap(v.ints)], v.floats[:cap(v.floats)], v.mask[:cap(v.mask)]
		if k := v.ids; k != nil {
			k.ids, k.mask, k.types = k.ids[:cap(k.ids)], k.mask[:cap(k.mask)], k.types[:cap(k.types)]
		}
	}
	return t.set(part)
}

// again is a table of the same columns that are fields and wanted, for other records.
func (t *table) again(wanted func(c *cells) bool) *table {
	u := &table{d: &Data{}, o: t.o, at: map[string]*cells{}, plans: map[*cells]*columnPlan{}, count: map[string]int{}}
	for name := range t.at {
		u.at[name] = nil
	}
	for _, c := range t.cols {
		if (t.plans[c] == nil || !wanted(c)) && !t.o.token.reads(c) {
			continue
		}
		k := *c
		k.cell, k.part = cell{}, nil
		u.cols, u.at[c.name] = append(u.cols, &k), &k
		if p := t.plans[c]; p != nil {
			u.plans[&k] = p
		}
	}
	if t.o.token != nil {
		k := *t.o.token
		if u.o.token = &k; k.second != nil {
			k.second = u.at[k.second.name]
		}
		if k.answering != nil {
			a := *k.answering
			a.reply, k.answering = u.at[a.reply.name], &a
		}
	}
	return u
}
