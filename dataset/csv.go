package dataset

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"sort"
	"strconv"
	"strings"
)

// maxLine and maxNames bound the bytes of a line and the names of classes.
const (
	maxLine  = 2 << 20
	maxNames = 1 << 18
)

// readCSV reads numbers with the class in one column ("first", "last", a
// number from 0 or a name from the header line). A large file is read twice:
// once to see that all of it is good.
func readCSV(path, label string) (*Set, error) {
	f, err := openSource(path)
	if err != nil {
		return nil, err
	}
	pass := func(rows int) (*csvReader, error) {
		r, err := f.open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		c := &csvReader{label: label, rows: rows}
		if err := c.read(r); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return c, nil
	}
	rows := 0
	if f.size > 8<<20 {
		c, err := pass(-1)
		if err != nil {
			return nil, err
		}
		rows = c.count
	}
	c, err := pass(rows)
	if err != nil {
		return nil, err
	}
	return c.set(), nil
}

// lines passes a CSV file on and refuses lines that are too long; a field in
// quotes may hold several.
type lines struct {
	r      io.Reader
	n      int
	quoted bool
}

// Read implements io.Reader.
func (l *lines) Read(b []byte) (int, error) {
	n, err := l.r.Read(b)
	for _, c := range b[:n] {
		switch {
		case c == '"':
			l.quoted = !l.quoted
		case c == '\n' && !l.quoted:
			l.n = 0
		}
		if l.n++; l.n > maxLine {
			return 0, fmt.Errorf("a line is longer than %d bytes", maxLine)
		}
	}
	return n, err
}

// csvReader reads samples.
type csvReader struct {
	label   string
	rows    int // samples to come, -1: they are only counted; 0: not known
	count   int
	width   int
	col     int // of the class
	floats  []float32
	labels  []int32
	classes map[string]int32
	names   []string
}

func (c *csvReader) read(in io.Reader) error {
	r := csv.NewReader(&lines{r: in})
	r.ReuseRecord = true
	r.TrimLeadingSpace = true
	c.classes = map[string]int32{}
	for line := 1; ; line++ {
		rec, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if line == 1 {
			header, err := c.first(rec)
			if err != nil {
				return err
			}
			if header {
				continue
			}
		}
		if err := c.row(rec, line); err != nil {
			return err
		}
	}
	if c.count == 0 {
		return errors.New("there are no samples")
	}
	return nil
}

// first finds the column of the class in the first line, and whether it is a
// header.
func (c *csvReader) first(rec []string) (bool, error) {
	if c.width = len(rec); c.width < 2 {
		return false, errors.New("fewer than two columns: a sample needs values and a class")
	}
	header := false
	for _, w := range rec {
		if _, err := strconv.ParseFloat(w, 64); err != nil {
			header = true
		}
	}
	switch c.col = -1; c.label {
	case "", "last":
		c.col = c.width - 1
	case "first":
		c.col = 0
	default:
		for i, w := range rec {
			if header && w == c.label {
				c.col = i
			}
		}
		if k, err := strconv.Atoi(c.label); c.col < 0 && err == nil {
			c.col = k
		}
	}
	if c.col < 0 || c.col >= c.width {
		return false, fmt.Errorf("there is no column %q among %d", c.label, c.width)
	}
	for i, w := range rec { // only the class may be text in a sample
		if _, err := strconv.ParseFloat(w, 64); err == nil && i != c.col {
			header = false
		}
	}
	if n := max(0, c.rows); n > 0 {
		c.floats, c.labels = make([]float32, 0, n*(c.width-1)), make([]int32, 0, n)
	}
	return header, nil
}

// row takes a sample.
func (c *csvReader) row(rec []string, line int) error {
	c.count++
	for i, w := range rec {
		if i == c.col {
			k, ok := c.classes[w]
			if !ok {
				if k = int32(len(c.names)); k == maxNames {
					return fmt.Errorf("line %d: more than %d classes", line, maxNames)
				}
				name := strings.Clone(w)
				c.classes[name] = k
				c.names = append(c.names, name)
			}
			if c.rows >= 0 {
				c.labels = append(c.labels, k)
			}
			continue
		}
		v, err := strconv.ParseFloat(w, 32)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("line %d, column %d: %q is not a number", line, i+1, w[:min(len(w), 40)])
		}
		if c.rows >= 0 {
			c.floats = append(c.floats, float32(v))
		}
	}
	return nil
}

func (c *csvReader) set() *Set {
	s := &Set{Shape: []int{c.width - 1}, Floats: c.floats, Labels: c.labels}
	s.renumber(c.names)
	return s
}

// renumber gives classes their numbers by natural order of their names.
func (s *Set) renumber(names []string) {
	order := make([]int, len(names))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return natural(names[order[a]], names[order[b]]) })
	to := make([]int32, len(names))
	for k, i := range order {
		to[i] = int32(k)
		s.Names = append(s.Names, names[i])
	}
	for i, l := range s.Labels {
		s.Labels[i] = to[l]
	}
	s.Classes = len(names)
}

// natural compares names so that 2 comes before 10.
func natural(a, b string) bool {
	x, e1 := strconv.ParseFloat(a, 64)
	y, e2 := strconv.ParseFloat(b, 64)
	if e1 == nil && e2 == nil && x != y {
		return x < y
	}
	return a < b
}
