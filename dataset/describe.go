package dataset

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Description is what a field of a set holds.
type Description struct {
	Name    string   `json:"name"`
	Shape   []int    `json:"shape"` // of a sample
	Type    string   `json:"type"`  // bytes, numbers, whole numbers, or classes
	Classes int      `json:"classes,omitempty"`
	Names   []string `json:"names,omitempty"`  // of the classes
	Counts  []int    `json:"counts,omitempty"` // of each class: samples, or places of them
	None    int      `json:"none,omitempty"`   // places without a class

	Values   int     `json:"values"` // looked at; those that are finite are in what follows
	Least    float64 `json:"least"`
	Most     float64 `json:"most"`
	Mean     float64 `json:"mean"`
	Spread   float64 `json:"deviation"`
	NaN      int     `json:"nan"`
	Infinite int     `json:"infinite"`

	First []string `json:"first"` // samples, shortened
}

// mostLooked is how many samples of a stream are looked at.
const mostLooked = 1000

// fewClasses is up to how many classes are counted one by one.
const fewClasses = 1 << 12

// Describe looks at the samples of a set, as they are stored: at all of them, or the
// first thousand where they are not in memory. It returns an error where one cannot be
// read.
func (s *Set) Describe() ([]Description, error) {
	n, room := s.Len(), make([]*Field, len(s.Fields))
	var read *reading
	if s.Stream != nil {
		n, read = min(n, mostLooked), s.room()
		room = read.fields
	}
	out := make([]Description, len(s.Fields))
	sums := make([][2]float64, len(s.Fields))
	for i, f := range s.Fields {
		if room[i] != nil {
			f = room[i]
		}
		out[i] = Description{Name: f.Name, Shape: append([]int{}, f.Shape...), Type: f.kind(), Classes: f.Classes, Names: f.Names, Least: math.Inf(1), Most: math.Inf(-1)}
		if f.Classes > 0 && f.Classes <= fewClasses {
			out[i].Counts = make([]int, f.Classes)
		}
	}
	for k := range n {
		if s.Stream != nil {
			if err := s.read(s.at(k), read); err != nil {
				return nil, fmt.Errorf("sample %d of the %s set: %w", s.at(k), s.Name, err)
			}
		}
		for i, f := range s.Fields {
			at := s.at(k)
			if room[i] != nil {
				f, at = room[i], 0
			}
			out[i].add(f, at, &sums[i])
			if k < 3 {
				out[i].First = append(out[i].First, f.show(at))
			}
		}
	}
	for i := range out {
		d := &out[i]
		if c := float64(d.Values - d.NaN - d.Infinite); c > 0 {
			d.Mean = sums[i][0] / c
			d.Spread = math.Sqrt(max(0, sums[i][1]/c-d.Mean*d.Mean))
		} else {
			d.Least, d.Most = 0, 0
		}
	}
	return out, nil
}

// kind is what a field holds, in words.
func (f *Field) kind() string {
	switch {
	case f.Classes > 0:
		return "classes"
	case f.Ints != nil:
		return "whole numbers"
	case f.Floats != nil:
		return "numbers"
	}
	return "bytes"
}

// add looks at a sample.
func (d *Description) add(f *Field, at int, sum *[2]float64) {
	n := f.Size()
	for i := at * n; i < (at+1)*n; i++ {
		v := f.number(i)
		d.Values++
		switch {
		case math.IsNaN(v):
			d.NaN++
			continue
		case math.IsInf(v, 0):
			d.Infinite++
			continue
		case f.Classes > 0 && v < 0:
			d.None++
		case v >= 0 && v < float64(len(d.Counts)):
			d.Counts[int(v)]++
		}
		d.Least, d.Most = min(d.Least, v), max(d.Most, v)
		sum[0] += v
		sum[1] += v * v
	}
}

// show is the start of a sample.
func (f *Field) show(at int) string {
	const most = 8
	n := f.Size()
	var out []string
	for i := range min(n, most) {
		v := f.number(at*n + i)
		if k := int(v); f.Names != nil && k >= 0 && k < len(f.Names) {
			out = append(out, clip(f.Names[k], 30))
			continue
		}
		out = append(out, strconv.FormatFloat(v, 'g', 4, 32))
		if f.Floats == nil {
			out[i] = strconv.FormatFloat(v, 'f', 0, 64)
		}
	}
	text := strings.Join(out, " ")
	if n > most {
		text += fmt.Sprintf(" … (%d)", n)
	}
	return text
}
