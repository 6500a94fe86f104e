package decode

import "pare/internal/kernel"

// Unpacked is the model with the weights that its form holds, as float32.
func (m *Model) Unpacked() *Model {
	y := m.copied()
	y.form = F32
	for _, p := range y.products() {
		if p.whole != nil {
			p.w, p.whole = p.whole.Expand(), nil
		}
		if p.packed == nil {
			continue
		}
		wide := kernel.PackedWidth(p.in)
		w := make([]float32, p.out*wide)
		p.packed.Expand(&kernel.Worker{}, 0, p.out, w, wide)
		p.w = nil
		for o := range p.out {
			p.w = append(p.w, w[o*wide:][:p.in]...)
		}
		p.packed = nil
	}
	return y
}

// Matrices are the matrices, and Held says how each is held.
func (m *Model) Matrices() (out [][]float32) {
	for _, p := range m.products() {
		out = append(out, p.w)
	}
	return out
}

func (m *Model) Held() (out []string) {
	for _, p := range m.products() {
		how := "f32"
		switch {
		case p.packed != nil:
			how = p.packed.Form.String()
		case p.whole != nil && p.whole.Sparse():
			how = "sparse whole"
		case p.whole != nil:
			how = "whole"
		}
		out = append(out, how)
	}
	return out
}

// Tile sets how many floats are written out at once, and gives what they were.
func Tile(n int) (before int) {
	before, tileFloats = tileFloats, n
	return before
}

// Part sets how many positions a part of attention has, and gives what they were.
func Part(n int) (before int) {
	before, partLength = partLength, n
	return before
}

// Spoil makes the values of a layer larger than float16 holds.
func (m *Model) Spoil(layer int) {
	l := m.layers[layer]
	p := l.qkv[len(l.qkv)-1]
	p.w[len(p.w)-1] = 1e9
}
