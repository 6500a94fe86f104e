package dataset

import (
	"fmt"
	"math"
	"slices"
)

// cell is what a record has in one column: a number, a text, or numbers in lists in
// lists. It is used again for the next record.
type cell struct {
	shape []int     // of the lists; none: one value
	whole []int64   // the numbers, as long as
	float bool      // all are whole;
	nums  []float64 // as they are otherwise
	text  []byte
	kind  cellKind
	hole  bool   // a list lacks a value
	odd   string // why it cannot be a field
}

type cellKind uint8

const (
	absent cellKind = iota
	numbers
	texts
)

func (c *cell) reset() {
	*c = cell{shape: c.shape[:0], whole: c.whole[:0], nums: c.nums[:0], text: c.text[:0]}
}

// int appends a whole number.
func (c *cell) int(v int64) {
	c.kind, c.whole, c.nums = numbers, append(c.whole, v), append(c.nums, float64(v))
}

// num appends a number.
func (c *cell) num(v float64) {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		c.whole = append(c.whole, int64(v))
	} else {
		c.whole = append(c.whole, 0)
	}
	c.kind, c.float, c.nums = numbers, true, append(c.nums, v)
}

// mostAxes bounds lists in lists.
const mostAxes = 8

// count notes that a list at a depth has n entries.
func (c *cell) count(depth, n int) error {
	if depth >= mostAxes {
		return fmt.Errorf("lists in each other, more than %d deep", mostAxes)
	}
	for len(c.shape) <= depth {
		c.shape = append(c.shape, -1)
	}
	if had := c.shape[depth]; had >= 0 && had != n {
		return fmt.Errorf("lists of %d and of %d entries beside each other: only the outermost may differ in length", had, n)
	}
	c.shape[depth] = n
	return nil
}

// size is the number of values of an entry of the outermost list.
func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// cells are a column: what all of its cells have in common, and, where they are kept,
// their values.
type cells struct {
	name  string
	cell  cell // of the record that is being read
	count int  // records seen

	kind            cellKind
	shape           []int // of the first cell that is not empty
	seen            bool
	least, longest  int // of the outermost list
	float, negative bool
	most            int64 // whole number
	large           bool  // a whole number takes more than 32 bits
	inexact         string
	missing         int // records without, the first being
	lacking         string
	hole            bool   // in that one it is lacking in a list
	odd             string // why it is no field

	held *heldClasses // of all records that were seen; nil: none are
	part *partCells
}

// partCells are the values of a part's records.
type partCells struct {
	records int
	ints    []int32
	floats  []float32
	mask    []int32
	cut     int // lists that were too long
	names   []string
	number  map[string]int32
	ids     *tokenCells
}

// look learns from the cell of a record.
func (c *cells) look(at string) error {
	v := &c.cell
	c.count++
	switch {
	case v.odd != "" && c.odd == "":
		c.odd = v.odd
		return nil
	case c.odd != "":
		return nil
	case v.hole || v.kind == absent && len(v.shape) == 0:
		if c.missing++; c.missing == 1 {
			c.lacking, c.hole = at, v.hole
		}
		return nil
	}
	empty := len(v.shape) > 0 && v.shape[0] == 0
	if v.kind != absent {
		if c.kind != absent && c.kind != v.kind {
			return fmt.Errorf("%s: column %q has %s, before it has %s", at, c.name, kindNames[v.kind], kindNames[c.kind])
		}
		c.kind = v.kind
	}
	if !c.seen || size(c.shape) == 0 && !empty {
		if c.seen && len(c.shape) > len(v.shape) {
			return c.unlike(at)
		}
		if !c.seen {
			c.least, c.longest = math.MaxInt, 0
		}
		c.shape, c.seen = slices.Clone(v.shape), true
	}
	if len(v.shape) != len(c.shape) && !(empty && len(c.shape) > 0) || !empty && len(v.shape) > 1 && !slices.Equal(v.shape[1:], c.shape[1:]) {
		return c.unlike(at)
	}
	if len(v.shape) > 0 {
		c.least, c.longest = min(c.least, v.shape[0]), max(c.longest, v.shape[0])
	}
	c.float = c.float || v.float
	for i, n := range v.whole {
		if v.float {
			if f := v.nums[i]; math.IsNaN(f) || math.IsInf(float64(float32(f)), 0) {
				return fmt.Errorf("%s: column %q holds %v, which is no number of 32 bits", at, c.name, f)
			}
			c.tally(toward(v.nums[i]))
		} else if !c.tally(n) && c.inexact == "" {
			c.inexact = fmt.Sprintf("%d of %s", n, at)
		}
	}
	return nil
}

// toward is a number without what is behind its point, for a whole number that is only
// compared.
func toward(x float64) int64 { return int64(max(-1<<53, min(x, 1<<53))) }

// tally learns from a whole number, and says whether a number of 32 bits holds it exactly.
func (c *cells) tally(n int64) bool {
	if c.most = max(c.most, n); n < 0 {
		c.negative = true
	}
	if -1<<24 <= n && n <= 1<<24 {
		return true
	}
	c.large = c.large || n < math.MinInt32 || n > math.MaxInt32
	return int64(float32(n)) == n
}

// join learns what n records of another file have in common, which are single numbers or
// texts.
func (c *cells) join(o *cells, n int) error {
	c.count += n
	if c.kind != absent && c.kind != o.kind {
		return fmt.Errorf("column %q has %s, before it has %s", c.name, kindNames[o.kind], kindNames[c.kind])
	}
	if c.seen && len(c.shape) > 0 {
		return c.unlike("row 0")
	}
	if c.inexact == "" {
		c.inexact = o.inexact
	}
	if !c.seen {
		c.least = math.MaxInt
	}
	c.kind, c.seen, c.float, c.negative = o.kind, true, c.float || o.float, c.negative || o.negative
	c.most, c.large = max(c.most, o.most), c.large || o.large
	return nil
}

var kindNames = map[cellKind]string{numbers: "numbers", texts: "text"}

func (c *cells) unlike(at string) error {
	return fmt.Errorf("%s: column %q has the shape %v, before it has %v: only the outermost list may differ in length (drop=%[2]s leaves the column out)", at, c.name, c.cell.shape, c.shape)
}

// isInt says whether the values are kept as whole numbers.
func (c *cells) isInt() bool { return !c.float && !c.large }

// filling says how lists of different lengths become of one.
type filling struct {
	length int     // 0: of the longest
	pad    float64 // NaN: lists must not be shorter
}

// plan refuses columns that cannot become fields, and gives the shape of the field.
func (c *cells) plan(f filling) ([]int, error) {
	if c.missing > 0 {
		in := ""
		if c.hole {
			in = ", where a list has a null"
		}
		return nil, fmt.Errorf("column %q has no value in %d records, the first being %s%s: fill it, or leave these records out (drop=%[1]s leaves the column out)", c.name, c.missing, c.lacking, in)
	}
	if !c.isInt() && c.inexact != "" {
		return nil, fmt.Errorf("column %q has the whole number %s, which numbers of 32 bits do not hold exactly: number what it stands for from 0, or leave it out by drop=%[1]s", c.name, c.inexact)
	}
	if len(c.shape) == 0 {
		return nil, nil
	}
	shape := slices.Clone(c.shape)
	shape[0] = c.longest
	if f.length > 0 {
		shape[0] = f.length
	}
	if shape[0] == 0 || size(shape) == 0 {
		return nil, fmt.Errorf("column %q has nothing but empty lists (drop=%[1]s leaves it out)", c.name)
	}
	if c.least < shape[0] && math.IsNaN(f.pad) {
		if f.length > 0 {
			return nil, fmt.Errorf("column %q has lists of %d entries, fewer than length=%d: pad=0 fills them up", c.name, c.least, f.length)
		}
		return nil, fmt.Errorf("column %q has lists of %d to %d entries: pad=0 fills them up to the longest, pad=0&length=N to N", c.name, c.least, c.longest)
	}
	return shape, nil
}

// keep appends the cell of a record to the values of its part, in the shape planned.
func (c *cells) keep(shape []int, f filling, isInt bool) {
	p, v := c.part, &c.cell
	p.records++
	n, each := len(v.nums), 1
	if len(shape) > 0 {
		each = size(shape[1:])
		if n > size(shape) {
			n = size(shape)
			p.cut++
		}
	}
	for i := range n {
		switch {
		case isInt:
			p.ints = append(p.ints, int32(v.whole[i]))
		case v.float:
			p.floats = append(p.floats, float32(v.nums[i]))
		default:
			p.floats = append(p.floats, float32(v.whole[i]))
		}
	}
	for range size(shape) - n {
		if isInt {
			p.ints = append(p.ints, int32(f.pad))
		} else {
			p.floats = append(p.floats, float32(f.pad))
		}
	}
	if p.mask != nil {
		for i := range shape[0] {
			p.mask = append(p.mask, int32(min(1, max(0, n/each-i))))
		}
	}
}

// spellCell appends the class that a text spells.
func (c *cells) spellCell(at string) error {
	p, w := c.part, string(c.cell.text)
	p.records++
	k, ok := p.number[w]
	if !ok {
		if k = int32(len(p.names)); k == maxNames {
			return fmt.Errorf("%s: more than %d classes in column %q", at, maxNames, c.name)
		}
		if w == "" {
			return fmt.Errorf("%s: the class in column %q is an empty text", at, c.name)
		}
		p.number[w] = k
		p.names = append(p.names, w)
	}
	p.ints = append(p.ints, k)
	return nil
}
