package dataset

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"sort"
	"strconv"
	"strings"
)

// readCSV reads numbers with the class in one column ("first", "last", a
// number from 0 or a name from the header line).
func readCSV(path, label string) (*Set, error) {
	b, err := readAll(path)
	if err != nil {
		return nil, err
	}
	s, err := decodeCSV(b, label)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func decodeCSV(b []byte, label string) (*Set, error) {
	r := csv.NewReader(bytes.NewReader(b))
	r.ReuseRecord = true
	r.TrimLeadingSpace = true
	s := &Set{}
	col, width := -1, 0
	classes := map[string]int32{}
	var names []string
	for line := 1; ; line++ {
		rec, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if line == 1 {
			width = len(rec)
			if width < 2 {
				return nil, errors.New("fewer than two columns: a sample needs values and a class")
			}
			header := false
			for _, w := range rec {
				if _, err := strconv.ParseFloat(w, 64); err != nil {
					header = true
				}
			}
			switch label {
			case "", "last":
				col = width - 1
			case "first":
				col = 0
			default:
				for i, w := range rec {
					if header && w == label {
						col = i
					}
				}
				if k, err := strconv.Atoi(label); col < 0 && err == nil {
					col = k
				}
			}
			if col < 0 || col >= width {
				return nil, fmt.Errorf("there is no column %q among %d", label, width)
			}
			if header {
				numeric := 0
				for i, w := range rec {
					if _, err := strconv.ParseFloat(w, 64); err == nil && i != col {
						numeric++
					}
				}
				if numeric == 0 {
					continue
				}
			}
		}
		for i, w := range rec {
			if i == col {
				k, ok := classes[w]
				if !ok {
					k = int32(len(classes))
					classes[strings.Clone(w)] = k
					names = append(names, strings.Clone(w))
				}
				s.Labels = append(s.Labels, k)
				continue
			}
			v, err := strconv.ParseFloat(w, 32)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("line %d, column %d: %q is not a number", line, i+1, w)
			}
			s.Floats = append(s.Floats, float32(v))
		}
	}
	if len(s.Labels) == 0 {
		return nil, errors.New("there are no samples")
	}
	s.Shape = []int{width - 1}
	s.renumber(names)
	return s, nil
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
