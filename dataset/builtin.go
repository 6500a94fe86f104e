package dataset

import (
	"bytes"
	"compress/gzip"
	_ "embed" // the digits and the plays
	"io"
	"math"
	"math/rand/v2"
)

// 1,797 handwritten digits of 8x8 pixels, 0..16 (Alpaydin & Kaynak, Optical
// Recognition of Handwritten Digits, CC BY 4.0, in scikit-learn's form, BSD-3).
//
//go:embed data/digits.csv.gz
var digitsGz []byte

// The first 400,000 characters of tiny Shakespeare, plays in the public domain as
// github.com/karpathy/char-rnn (MIT) has collected them.
//
//go:embed data/shakespeare.txt.gz
var shakespeareGz []byte

// Shakespeare is the embedded text.
func Shakespeare() ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(shakespeareGz))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// Digits is the embedded set; values are scaled to 0..1.
func Digits() (*Set, error) {
	z, err := gzip.NewReader(bytes.NewReader(digitsGz))
	if err != nil {
		return nil, err
	}
	c := &csvReader{csvOptions: csvOptions{label: "last", sep: ',', header: "no"}}
	if err := c.read(z); err != nil {
		return nil, err
	}
	s := c.set()
	if err := number(false, 1, s); err != nil {
		return nil, err
	}
	s.Name, s.X().Shape = "digits", []int{1, 8, 8}
	for i := range s.X().Floats {
		s.X().Floats[i] /= 16
	}
	return s, nil
}

// Glyph is the generated image set of the small experiments: 10 classes with
// protos prototypes each. A prototype is an 8x8 image of normal noise, blurred
// cyclically by [1 2 1]/4 along both axes and scaled to RMS 1; a sample is a
// prototype of its class, shifted cyclically by -1, 0 or 1 along both axes,
// plus normal noise of the given deviation on every pixel. Prototypes depend
// on the seed alone.
func Glyph(protos int, noise float64, train, test int, seed uint64) (tr, te *Set) {
	const side, classes = 8, 10
	r := rand.New(rand.NewPCG(seed, 0x91f))
	ps := make([][]float64, classes*protos)
	for i := range ps {
		ps[i] = prototype(r, side)
	}
	gen := func(name string, n int) *Set {
		s := classified(Field{Shape: []int{1, side, side}, Floats: make([]float32, n*side*side)})
		s.Name, s.y().Classes, s.y().Ints = name, classes, make([]int32, n)
		for i := range n {
			c := i % classes
			s.y().Ints[i] = int32(c)
			p := ps[c*protos+r.IntN(protos)]
			dy, dx := r.IntN(3)-1, r.IntN(3)-1
			for y := range side {
				for x := range side {
					v := p[(y+dy+side)%side*side+(x+dx+side)%side]
					s.X().Floats[(i*side+y)*side+x] = float32(v + noise*r.NormFloat64())
				}
			}
		}
		return s
	}
	return gen("train", train), gen("test", test)
}

func prototype(r *rand.Rand, side int) []float64 {
	p := make([]float64, side*side)
	for i := range p {
		p[i] = r.NormFloat64()
	}
	for _, horizontal := range []bool{true, false} {
		q := make([]float64, len(p))
		for y := range side {
			for x := range side {
				at := func(d int) float64 {
					if horizontal {
						return p[y*side+(x+d+side)%side]
					}
					return p[(y+d+side)%side*side+x]
				}
				q[y*side+x] = (at(-1) + 2*at(0) + at(1)) / 4
			}
		}
		p = q
	}
	s := 0.0
	for _, v := range p {
		s += v * v
	}
	rms := math.Sqrt(s / float64(len(p)))
	for i := range p {
		p[i] /= rms
	}
	return p
}
