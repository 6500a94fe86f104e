package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strconv"
	"time"
	"unicode/utf8"
)

// Point is what was known at a step: a line of metrics.jsonl, a flat object such as
//
//	{"time":"2026-03-04T10:20:30.123Z","training":2,"step":400,"epoch":9,"loss":0.31,"sparsity":0.8}
type Point struct {
	Time     time.Time
	Of       string // which of several runs: of a sweep, or of experiments; "": there is one
	Training int    // which of the trainings that a run makes one after the other, from 1; 0: none
	Step     int    // optimiser steps done
	Epoch    int    // epochs done, and the one under way
	Values   []Value
}

// Value is a number with its name.
type Value struct {
	Name string
	X    float64
}

// Names of values.
const (
	Loss      = "loss"          // of a batch
	EpochLoss = "epoch_loss"    // mean of the batches of an epoch, at its end
	HeldLoss  = "held_out_loss" // of the samples that are held out, at the end of an epoch
	Sparsity  = "sparsity"      // share of zeros among the weights of two axes or more
	Rate      = "learning_rate"
)

// Get gives a value by its name.
func (p *Point) Get(name string) (float64, bool) {
	for _, v := range p.Values {
		if v.Name == name {
			return v.X, true
		}
	}
	return 0, false
}

// reserved are the names of a line that are no values.
var reserved = map[string]bool{"time": true, "of": true, "training": true, "step": true, "epoch": true}

// append writes a point as a line. A value that is not finite is left out: JSON has no
// such numbers.
func (p *Point) append(b []byte) []byte {
	b = append(b, `{"time":"`...)
	b = p.Time.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
	b = append(b, '"')
	if p.Of != "" {
		b = appendText(append(b, `,"of":`...), p.Of)
	}
	if p.Training != 0 {
		b = strconv.AppendInt(append(b, `,"training":`...), int64(p.Training), 10)
	}
	b = strconv.AppendInt(append(b, `,"step":`...), int64(p.Step), 10)
	if p.Epoch != 0 {
		b = strconv.AppendInt(append(b, `,"epoch":`...), int64(p.Epoch), 10)
	}
	for _, v := range p.Values {
		if math.IsNaN(v.X) || math.IsInf(v.X, 0) || reserved[v.Name] {
			continue
		}
		b = appendText(append(b, ','), v.Name)
		b = strconv.AppendFloat(append(b, ':'), v.X, 'g', 8, 64)
	}
	return append(b, "}\n"...)
}

func appendText(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			q, _ := json.Marshal(s)
			return append(b, q...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// MarshalJSON writes a point as a line has it.
func (p *Point) MarshalJSON() ([]byte, error) { return bytes.TrimSpace(p.append(nil)), nil }

// UnmarshalJSON reads a line.
func (p *Point) UnmarshalJSON(b []byte) error {
	q, err := DecodePoint(b)
	if err == nil {
		*p = *q
	}
	return err
}

// mostLine is the most bytes of a line of metrics.
const mostLine = 1 << 20

// mostMetrics is the most bytes of a file of metrics.
const mostMetrics = 1 << 30

// DecodePoint reads a line.
func DecodePoint(line []byte) (*Point, error) {
	if len(line) > mostLine {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(line), mostLine)
	}
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("it is no object")
	}
	p := &Point{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string)
		if err := p.set(d, name); err != nil {
			return nil, fmt.Errorf("%.40q: %w", name, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("there is more after the object")
	}
	if p.Step < 0 || p.Training < 0 || p.Epoch < 0 {
		return nil, errors.New("its step, training or epoch is negative")
	}
	return p, nil
}

// set reads the value of a name. What is no number and has no meaning is left out.
func (p *Point) set(d *json.Decoder, name string) error {
	switch name {
	case "time":
		return d.Decode(&p.Time)
	case "of":
		return d.Decode(&p.Of)
	case "training":
		return d.Decode(&p.Training)
	case "step":
		return d.Decode(&p.Step)
	case "epoch":
		return d.Decode(&p.Epoch)
	}
	var x any
	if err := d.Decode(&x); err != nil {
		return err
	}
	if f, ok := x.(float64); ok {
		p.Values = append(p.Values, Value{name, f})
	}
	return nil
}

// ReadMetrics gives the points of a file in their order. Half a line at its end, which a
// process that was killed leaves, is none; a file that is not there has no points.
func ReadMetrics(path string) ([]*Point, error) {
	b, err := readBounded(path, mostMetrics)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	ps, _, err := points(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ps, nil
}

// points reads whole lines, and says how many bytes they have.
func points(b []byte) (ps []*Point, whole int, err error) {
	whole = bytes.LastIndexByte(b, '\n') + 1
	n := 0
	for line := range bytes.Lines(b[:whole]) {
		n++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		p, err := DecodePoint(line)
		if err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", n, err)
		}
		ps = append(ps, p)
	}
	return ps, whole, nil
}

// Newest gives the last point of each training that has values, in the order of its first.
func Newest(ps []*Point) (out []*Point) {
	at := map[series]int{}
	for _, p := range ps {
		if len(p.Values) == 0 {
			continue
		}
		k := series{p.Of, p.Training}
		if i, ok := at[k]; ok {
			out[i] = p
			continue
		}
		at[k] = len(out)
		out = append(out, p)
	}
	return out
}

// stamp is what tells one state of a file from another.
func stamp(path string) string {
	st, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d %d", st.ModTime().UnixNano(), st.Size())
}

// Stamp changes when the record or the tags of a run change.
func Stamp(dir string) string {
	return stamp(dir+"/"+RecordFile) + " " + stamp(dir+"/"+TagsFile)
}
