package train

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// At is a point of a training: a number of optimiser steps, of epochs, or a share
// of the whole. As text it is "500it", "2ep" or "10%"; a bare whole number from 2 up
// means steps. The zero value is the start.
type At struct {
	X    float64
	Unit Unit
}

// Unit is what a point of a training is counted in.
type Unit uint8

// The units.
const (
	Steps   Unit = iota // optimiser steps
	Epochs              // passes over the training set
	Percent             // of the whole training
)

// suffixes of the units as text.
var suffixes = [...]string{Steps: "it", Epochs: "ep", Percent: "%"}

// Share is the point at a share of the training, in [0,1], in per cent of nine decimals.
func Share(x float64) At { return At{math.Round(1e11*x) / 1e9, Percent} }

// ParseAt reads a point. It returns an error where the unit is missing and would
// have to be guessed: of "0.1" and "1", either a step or a share could be meant.
func ParseAt(text string) (At, error) {
	for u, s := range suffixes {
		if num, ok := strings.CutSuffix(text, s); ok {
			x, err := strconv.ParseFloat(num, 64)
			if err != nil || !(x >= 0) || math.IsInf(x, 0) {
				break
			}
			if Unit(u) == Steps && x != math.Trunc(x) {
				return At{}, fmt.Errorf("%q is not a whole number of steps", text)
			}
			if Unit(u) == Percent && x > 100 {
				return At{}, fmt.Errorf("%q lies behind the end of the training", text)
			}
			return At{x, Unit(u)}, nil
		}
	}
	x, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || !(x >= 0) || math.IsInf(x, 0):
		return At{}, fmt.Errorf("%q is no point of a training: write steps (500it), epochs (2ep) or a share (10%%)", text)
	case x == 0:
		return At{}, nil
	case x <= 1:
		return At{}, fmt.Errorf("%q may mean a share or a step: write %g%% or 1it", text, 100*x)
	case x != math.Trunc(x):
		return At{}, fmt.Errorf("%q is not a whole number of steps", text)
	}
	return At{x, Steps}, nil
}

// String is the point as ParseAt reads it.
func (a At) String() string {
	if a.X == 0 {
		return "0"
	}
	return strconv.FormatFloat(a.X, 'g', -1, 64) + suffixes[a.Unit]
}

// MarshalText writes the point as ParseAt reads it.
func (a At) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads a point.
func (a *At) UnmarshalText(b []byte) (err error) {
	*a, err = ParseAt(string(b))
	return err
}

// Step is the optimiser step of the point in a training of a number of steps and
// epochs, rounded to the nearest. It returns an error where the training has no
// such step.
func (a At) Step(steps, epochs int) (int, error) {
	x := a.X
	switch a.Unit {
	case Epochs:
		x *= float64(steps) / float64(max(1, epochs))
	case Percent:
		x = a.X / 100 * float64(steps)
	}
	if !(x >= 0 && x <= float64(steps)) {
		return 0, fmt.Errorf("%s is step %.6g of a training of %d steps: choose one within it", a, x, steps)
	}
	return int(math.Round(x)), nil
}
