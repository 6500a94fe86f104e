package dataset

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
)

// reading is room for one sample of a stream: what it gives, and what becomes of that.
// Fields that memory holds, and those that are not wanted, are nil.
type reading struct{ given, fields []*Field }

// room is room for one sample of the fields that memory does not hold.
func (s *Set) room() *reading {
	r := &reading{make([]*Field, len(s.Fields)), make([]*Field, len(s.Fields))}
	for j, f := range s.Fields {
		if !f.Held() {
			r.want(j, f)
		}
	}
	return r
}

// want has a field be read.
func (r *reading) want(j int, f *Field) {
	out := f.like(1)
	if c := f.Chance; c != nil && c.cutsAnew() {
		out.Chance = &Chance{c.Pipeline, make([]Picture, 1)}
	}
	if f.wide != nil {
		out.wide = make([]mask, 1)
	}
	r.fields[j], r.given[j] = out, out
	if f.given != nil {
		r.given[j] = f.given.like(1)
	}
}

// read reads stored sample i of a stream, and makes of it what the fields hold.
func (s *Set) read(i int, r *reading) error {
	if err := s.Stream.Read(i, r.given); err != nil {
		return err
	}
	for j, f := range r.fields {
		if f == nil {
			continue
		}
		if g := r.given[j]; g != f {
			for k := range f.Ints {
				v := g.number(k)
				if v != math.Trunc(v) || math.Abs(v) > math.MaxInt32 {
					return fmt.Errorf("value %v of field %q is not a class: they are whole numbers from 0", v, f.Name)
				}
				f.Ints[k] = int32(v)
			}
		}
		for _, change := range f.changes {
			if err := change(f.Ints); err != nil {
				return fmt.Errorf("field %q: %w", f.Name, err)
			}
			for k := range f.wide {
				if err := change(f.wide[k].class); err != nil {
					return fmt.Errorf("field %q: %w", f.Name, err)
				}
			}
		}
	}
	return nil
}

// valued are the whole numbers that a field holds, and the first sample of each.
type valued map[int32]int

// values reads all samples of a field of a stream, several at a time, and says what
// values there are, of pictures' masks as they are before they are cut out.
func (s *Set) values(f *Field) (valued, error) {
	j := 0
	for s.Fields[j] != f {
		j++
	}
	const run = 64
	var next atomic.Int64
	var mu sync.Mutex
	all, failed := valued{}, int64(s.stored())
	var first error
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			r := &reading{make([]*Field, len(s.Fields)), make([]*Field, len(s.Fields))}
			r.want(j, f)
			own := valued{}
			for {
				lo := next.Add(run) - run
				mu.Lock()
				end := failed
				mu.Unlock()
				if lo >= end {
					break
				}
				for i := lo; i < min(lo+run, end); i++ {
					err := s.read(int(i), r)
					if err == nil {
						err = own.add(r.fields[j], int(i))
					}
					if err != nil {
						mu.Lock()
						if i < failed {
							failed, first = i, fmt.Errorf("sample %d: %w", i, err)
						}
						mu.Unlock()
						return
					}
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for v, i := range own {
				if at, ok := all[v]; !ok || i < at {
					all[v] = i
				}
			}
		})
	}
	wg.Wait()
	return all, first
}

func (v valued) add(f *Field, i int) error {
	of := f.Ints
	if f.wide != nil {
		of = f.wide[0].class
	}
	last, any := int32(0), false
	for _, k := range of {
		if any && k == last {
			continue
		}
		last, any = k, true
		if at, ok := v[k]; !ok || i < at {
			v[k] = i
		}
	}
	if len(v) > maxNames {
		return fmt.Errorf("field %q has more than %d classes", f.Name, maxNames)
	}
	return nil
}

// classes is the number of classes that the values are.
func (v valued) classes() int {
	n := 1
	for k := range v {
		n = max(n, int(k)+1)
	}
	return n
}

// changed are the values after a change.
func (v valued) changed(change func([]int32) error) (valued, error) {
	out := valued{}
	for k, i := range v {
		to := []int32{k}
		if err := change(to); err != nil {
			return nil, err
		}
		if at, ok := out[to[0]]; !ok || i < at {
			out[to[0]] = i
		}
	}
	return out, nil
}

// later changes the classes of a stream's field when they are read.
func (f *Field) later(change func([]int32) error) (err error) {
	if f.there, err = f.there.changed(change); err == nil {
		f.changes = append(f.changes[:len(f.changes):len(f.changes)], change)
	}
	return err
}
