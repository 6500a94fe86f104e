package main

import (
	"math"
	"math/rand/v2"

	"pare/tensor"
)

// canvas is an image of planes, values in 0..1.
type canvas struct {
	channels, h, w int
	pix            []float64
}

func newCanvas(channels, h, w int) *canvas {
	return &canvas{channels, h, w, make([]float64, channels*h*w)}
}

// into rounds the canvas to bytes.
func (c *canvas) into(to []uint8) {
	for i, v := range c.pix {
		to[i] = uint8(math.Round(255 * max(0, min(1, v))))
	}
}

// bytesOf are the elements of sample i.
func bytesOf(t *tensor.Tensor, i int) []uint8 {
	n := t.Len() / t.Shape[0]
	return tensor.Of[uint8](t)[i*n : (i+1)*n]
}

// color is a value for each channel.
type color [3]float64

func randomColor(r *rand.Rand) color { return color{r.Float64(), r.Float64(), r.Float64()} }

// far draws a color that differs from another by at least d.
func far(r *rand.Rand, from color, d float64) color {
	for {
		c, sum := randomColor(r), 0.0
		for k := range c {
			sum += (c[k] - from[k]) * (c[k] - from[k])
		}
		if math.Sqrt(sum) >= d {
			return c
		}
	}
}

// fill sets all pixels to a color.
func (c *canvas) fill(with color) {
	for k := range c.channels {
		for p := range c.h * c.w {
			c.pix[k*c.h*c.w+p] = with[k]
		}
	}
}

// noise adds N(0, sigma^2) to all values.
func (c *canvas) noise(r *rand.Rand, sigma float64) {
	for i := range c.pix {
		c.pix[i] += sigma * r.NormFloat64()
	}
}

// waves adds a pattern of stripes that lie across a random direction.
func (c *canvas) waves(r *rand.Rand, height, least, most float64) {
	angle, phase := r.Float64()*math.Pi, r.Float64()*2*math.Pi
	f := 2 * math.Pi / (least + r.Float64()*(most-least))
	fx, fy := f*math.Cos(angle), f*math.Sin(angle)
	for y := range c.h {
		for x := range c.w {
			v := height * math.Sin(fx*float64(x)+fy*float64(y)+phase)
			for k := range c.channels {
				c.pix[(k*c.h+y)*c.w+x] += v
			}
		}
	}
}

// distance says how far a point lies outside a shape, in pixels; inside it is
// negative.
type distance func(x, y float64) float64

// draw lays a color over what lies inside a shape, smooth at its border, and
// calls on, where it is not nil, for each pixel of which most is inside.
func (c *canvas) draw(d distance, with color, on func(p int)) {
	for y := range c.h {
		for x := range c.w {
			a := max(0, min(1, .5-d(float64(x)+.5, float64(y)+.5)))
			if a == 0 {
				continue
			}
			p := y*c.w + x
			for k := range c.channels {
				v := &c.pix[k*c.h*c.w+p]
				*v += a * (with[k] - *v)
			}
			if on != nil && a >= .5 {
				on(p)
			}
		}
	}
}

// shape is one of the shapes that the tasks draw, and its bounding box as left,
// top, right, bottom in pixels.
type shape struct {
	distance
	box [4]float64
}

// shapes are the kinds of shapes: 0 circle, 1 square, 2 triangle.
const shapes = 3

// newShape makes a shape that fits a circle of radius r around a point. Squares
// and triangles are turned by an angle.
func newShape(kind int, x, y, r, angle float64) shape {
	if kind == 0 {
		return shape{func(px, py float64) float64 { return math.Hypot(px-x, py-y) - r }, [4]float64{x - r, y - r, x + r, y + r}}
	}
	corners := 4
	if kind == 2 {
		corners = 3
	}
	var cx, cy []float64
	box := [4]float64{x, y, x, y}
	for i := range corners {
		a := angle + 2*math.Pi*(float64(i)+.5)/float64(corners) + math.Pi/2
		cx, cy = append(cx, x+r*math.Cos(a)), append(cy, y+r*math.Sin(a))
		box = [4]float64{min(box[0], cx[i]), min(box[1], cy[i]), max(box[2], cx[i]), max(box[3], cy[i])}
	}
	return shape{polygon(cx, cy), box}
}

// polygon is the largest distance from the lines through the sides of a convex
// polygon whose corners go round clockwise on the screen.
func polygon(cx, cy []float64) distance {
	return func(px, py float64) float64 {
		most := math.Inf(-1)
		for i := range cx {
			j := (i + 1) % len(cx)
			dx, dy := cx[j]-cx[i], cy[j]-cy[i]
			most = max(most, (dy*(px-cx[i])-dx*(py-cy[i]))/math.Hypot(dx, dy))
		}
		return most
	}
}

// stroke is a line from point to point with round ends.
func stroke(x0, y0, x1, y1, width float64) distance {
	dx, dy := x1-x0, y1-y0
	return func(px, py float64) float64 {
		t := 0.0
		if l := dx*dx + dy*dy; l > 0 {
			t = max(0, min(1, ((px-x0)*dx+(py-y0)*dy)/l))
		}
		return math.Hypot(px-x0-t*dx, py-y0-t*dy) - width/2
	}
}
