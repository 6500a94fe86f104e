package dataset

import (
	"fmt"
	"strconv"
)

// heldClasses are the classes of all records in one column, which are kept when they are
// seen, so that they need not be read once more where records are streamed.
type heldClasses struct {
	ints   []int32
	names  []string // that ints stand for, where they are texts
	number map[string]int32
	over   bool // they are no classes, or too many
}

// take keeps the class of a record, where there is room for it.
func (h *heldClasses) take(c *cell, room *int64) {
	switch {
	case h == nil || h.over:
	case c.kind == texts && (h.names != nil || len(h.ints) == 0):
		h.spell(c.text, room)
	case c.kind == numbers && h.names == nil && !c.float && len(c.whole) == 1 && len(c.shape) == 0 && int64(int32(c.whole[0])) == c.whole[0]:
		h.add(int32(c.whole[0]), room)
	default:
		h.drop()
	}
}

func (h *heldClasses) drop() { *h = heldClasses{over: true} }

func (h *heldClasses) add(v int32, room *int64) {
	h.ints = append(h.ints, v)
	if *room -= 4; *room < 0 {
		*room += 4 * int64(len(h.ints))
		h.drop()
	}
}

// spell keeps a class by its name.
func (h *heldClasses) spell(name []byte, room *int64) {
	if k, ok := h.named(name, room); ok {
		h.add(k, room)
	}
}

// named is the number of a class by its name, a new one where it has none yet; false:
// there are too many.
func (h *heldClasses) named(name []byte, room *int64) (int32, bool) {
	k, ok := h.number[string(name)]
	if ok {
		return k, true
	}
	if k = int32(len(h.names)); k == maxNames {
		h.drop()
		return 0, false
	}
	if h.number == nil {
		h.number = map[string]int32{}
	}
	*room -= int64(len(name))
	h.names = append(h.names, string(name))
	h.number[h.names[k]] = k
	return k, true
}

// join appends the classes of another file, which are as its columns spell them; texts
// says that they are no numbers.
func (h *heldClasses) join(g *heldClasses, texts bool, room *int64) {
	if h == nil || h.over {
		return
	}
	if g == nil || g.over || len(h.ints) > 0 && texts != (h.names != nil) {
		h.drop()
		return
	}
	to := make([]int32, len(g.names))
	for i, n := range g.names {
		if texts {
			k, ok := h.named([]byte(n), room)
			if !ok {
				return
			}
			to[i] = k
			continue
		}
		v, err := strconv.ParseInt(n, 10, 32)
		if err != nil {
			h.drop()
			return
		}
		to[i] = int32(v)
	}
	for _, k := range g.ints {
		if h.add(to[k], room); h.over {
			return
		}
	}
}

// some are the classes of n records: what they are called is in the order in which these
// have them.
func (h *heldClasses) some(f *Field, first, n int) {
	f.Ints = append([]int32{}, h.ints[first:first+n]...)
	if h.names == nil {
		return
	}
	at := map[int32]int32{}
	for i, k := range f.Ints {
		v, ok := at[k]
		if !ok {
			v = int32(len(f.spelled))
			at[k] = v
			f.spelled = append(f.spelled, h.names[k])
		}
		f.Ints[i] = v
	}
}

// heldClasses has the classes of a part be those that were kept, where all were.
func (t *table) heldClasses(o *pieced, part string, files []recordFile, records int) error {
	like, err := t.again(func(*cells) bool { return true }).blank(part)
	if err != nil {
		return err
	}
	column, known := map[*Field]string{}, map[*Field]int{}
	for _, f := range like.Fields {
		column[f], known[f] = f.Name, f.Classes
	}
	if t.o.gather != nil {
		d := &Data{}
		if err := t.o.gather(d, like); err != nil {
			return err
		}
		for _, n := range d.Notes {
			t.d.note("%s", n)
		}
	}
	var classes []*Field
	var held []*heldClasses
	for _, f := range like.Fields {
		if f.Classes == 0 && f.spelled == nil || f.Size() > 1 {
			continue
		}
		c := t.at[column[f]]
		if c == nil || c.held == nil || len(c.held.ints) != records || (c.held.names == nil) != (f.spelled == nil) {
			return nil
		}
		classes, held = append(classes, f), append(held, c.held)
	}
	o.classes = func(p piece) (*Set, error) {
		s := New("")
		for i, f := range classes {
			g := &Field{Name: f.Name, Classes: known[f]}
			held[i].some(g, t.first[files[p.file]]+p.at.record, p.n)
			if s.Fields = append(s.Fields, g); g.spelled == nil && g.Classes == 0 {
				if err := s.toClasses(g); err != nil {
					return nil, fmt.Errorf("label=%s: %w; target=%[1]s takes it as a number", column[f], err)
				}
			}
		}
		return s, nil
	}
	return nil
}
