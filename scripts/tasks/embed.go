package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"pare/npy"
	"pare/tensor"
	"pare/zoo"
)

const embedSize = 28

var embedTask = task{"embed", "embeddings: glyphs of the same class lie close together, of classes never seen too", func(s settings) (*made, error) {
	net, err := zoo.New("cnn-16-embedding", zoo.Options{In: []int{1, embedSize, embedSize}, Classes: 32, Seed: s.seed})
	if err != nil {
		return nil, err
	}
	m := &made{
		nets: []network{{"net.onnx", named(net, []string{"image"}, nil)}},
		about: "Glyphs of a few strokes, each written anew by a shaky hand. No class of one part is in another: what\n" +
			"counts is whether the nearest other sample of test is of the same class (recall at 1).",
		fields: []field{{"image", "gray"}, {"label", "the glyph's number"}},
	}
	first := 0
	for i, c := range []struct{ classes, each int }{{64, 80}, {16, 25}, {32, 25}} {
		each := max(3, int(math.Round(float64(c.each)*s.scale)))
		n := c.classes * each
		x, y := tensor.New(tensor.Uint8, n, 1, embedSize, embedSize), tensor.New(tensor.Int64, n)
		for k := range n {
			class := first + k%c.classes
			g := newGlyph(s.rand("embed", "glyph", class))
			g.write(s.rand("embed", fmt.Sprint("hand ", class), k/c.classes), bytesOf(x, k))
			tensor.Of[int64](y)[k] = int64(class)
		}
		first += c.classes
		m.splits = append(m.splits, split{parts[i], []npy.Array{{Name: "image", Tensor: x}, {Name: "label", Tensor: y}}})
	}
	return m, nil
}}

// glyph is lines from point to point, in -1..1.
type glyph [][][2]float64

func newGlyph(r *rand.Rand) glyph {
	var g glyph
	for range 2 + r.IntN(2) {
		line := [][2]float64{{r.Float64()*2 - 1, r.Float64()*2 - 1}}
		for range 1 + r.IntN(3) {
			from := line[len(line)-1]
			for {
				to := [2]float64{r.Float64()*2 - 1, r.Float64()*2 - 1}
				if d := math.Hypot(to[0]-from[0], to[1]-from[1]); d > .6 && d < 1.6 {
					line = append(line, to)
					break
				}
			}
		}
		g = append(g, line)
	}
	return g
}

// write draws a glyph turned, leaning, stretched, shaky, of any thickness.
func (g glyph) write(r *rand.Rand, image []uint8) {
	c := newCanvas(1, embedSize, embedSize)
	turn, lean := .25*r.NormFloat64(), .2*r.NormFloat64()
	sx, sy := 8.5*math.Exp(.12*r.NormFloat64()), 8.5*math.Exp(.12*r.NormFloat64())
	mx, my := embedSize/2+1.3*r.NormFloat64(), embedSize/2+1.3*r.NormFloat64()
	width, ink := 1.5+1.5*r.Float64(), .6+.4*r.Float64()
	for _, line := range g {
		var px, py float64
		for i, p := range line {
			u, v := p[0]+lean*p[1]+.1*r.NormFloat64(), p[1]+.1*r.NormFloat64()
			x := mx + sx*(u*math.Cos(turn)-v*math.Sin(turn))
			y := my + sy*(u*math.Sin(turn)+v*math.Cos(turn))
			if i > 0 {
				c.draw(stroke(px, py, x, y, width), color{ink}, nil)
			}
			px, py = x, y
		}
	}
	c.noise(r, .08)
	c.into(image)
}
