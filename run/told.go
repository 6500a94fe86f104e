package run

import (
	"bytes"
	"slices"
)

// Told are points that somebody was told of: those that a run makes again, after it has gone
// back to its checkpoint, are among them.
type Told map[mark]bool

// New leaves those of some points that are not among them, and adds them. It changes ps.
func (t Told) New(ps []*Point) []*Point {
	return slices.DeleteFunc(ps, func(p *Point) bool {
		_, epoch := p.Get(EpochLoss)
		k := mark{series{p.Of, p.Training}, p.Step, epoch}
		was := t[k]
		t[k] = true
		return was
	})
}

// mark tells a point from others of a run.
type mark struct {
	series
	step  int
	epoch bool // it is what an epoch came to
}

// Points reads lines, whole ones, such as a part of a file of metrics.
func Points(b []byte) ([]*Point, error) {
	ps, _, err := points(b)
	return ps, err
}

// Lines writes points as a file of metrics has them.
func Lines(ps []*Point) []byte {
	var b bytes.Buffer
	for _, p := range ps {
		b.Write(p.append(nil))
	}
	return b.Bytes()
}
