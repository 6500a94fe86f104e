package quantise

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Groups are how weights become integers while activations stay in float.
type Groups struct {
	Bits int // 4 or 8
	Size int // inputs that have a step together, a power of two of at least 16
}

// Check says what is wrong with the sizes.
func (q Groups) Check() error {
	if q.Bits != 4 && q.Bits != 8 {
		return fmt.Errorf("%d bits: 4 or 8 are possible", q.Bits)
	}
	if q.Size < 16 || q.Size&(q.Size-1) != 0 {
		return fmt.Errorf("groups of %d: a power of two of at least 16 is needed", q.Size)
	}
	return nil
}

// WeightOnly writes the network with the plan's matrices in 4 or 8 bits, a step for every
// group of inputs of an output (MatMulNBits of com.microsoft, which ONNX Runtime has), and
// with 8 bits its convolutions by channel behind a DequantizeLinear; everything is computed
// in float. Integers lie around the middle of their range, so that zeros stay zero. Kernels
// of convolutions stay in float with 4 bits.
func (p *Plan) WeightOnly(q Groups) (*graph.Graph, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	f := p.copied()
	if err := op.Raise(f.Graph, leastOpset); err != nil {
		return nil, err
	}
	w := p.writing(f)
	for _, l := range p.Layers {
		n := f.node[l.Node]
		switch {
		case l.Node.Is("Gather"):
			w.table(l, n)
		case l.convolves() && q.Bits == 8:
			w.weight(l, n)
		case l.convolves():
		default:
			w.grouped(l, n, q)
		}
	}
	return f.Graph, finished(f.Graph)
}

// grouped writes one product.
func (w *writing) grouped(l *Layer, n *graph.Node, q Groups) {
	t := l.Weight.Const
	outs, ins := t.Shape[l.Axis], t.Shape[1-l.Axis]
	at := func(o, k int) int {
		if l.Axis == 0 {
			return o*ins + k
		}
		return k*outs + o
	}
	blocks := (ins + q.Size - 1) / q.Size
	data, steps := tensor.New(tensor.Uint8, outs, blocks, q.Size*q.Bits/8), tensor.New(tensor.Float32, outs*blocks)
	bytes := tensor.Of[uint8](data)
	row := make([]float32, q.Size)
	for o := range outs {
		for b := range blocks {
			clear(row)
			for i := 0; i < q.Size && b*q.Size+i < ins; i++ {
				row[i] = t.F32()[at(o, b*q.Size+i)]
			}
			j := o*blocks + b
			steps.F32()[j] = q.step(row)
			for i, v := range row {
				x := uint8(q.integer(v, steps.F32()[j]))
				k := j*q.Size + i
				if q.Bits == 8 {
					bytes[k] = x
				} else {
					bytes[k/2] |= x << (k % 2 * 4)
				}
			}
		}
	}
	y := w.Add("MatMulNBits", op.ContribDomain, []*graph.Value{n.In(0), w.put(l.Weight, data, graph.Packed), w.Const("s", steps, graph.Frozen)}, []string{"y"},
		graph.MakeAttr("K", ins), graph.MakeAttr("N", outs), graph.MakeAttr("bits", q.Bits), graph.MakeAttr("block_size", q.Size)).Outputs[0]
	if b := n.In(2); n.Is("Gemm") && b != nil {
		y = w.node("Add", "a", y, b)
	}
	if w.Opset[op.ContribDomain] == 0 {
		w.Opset[op.ContribDomain] = 1
	}
	replace(w.Graph, n.Out(0), y)
}

// integer is what a number becomes, around the middle of the integers.
func (q Groups) integer(x, step float32) int {
	mid := float64(int(1) << (q.Bits - 1))
	return int(math.Max(0, math.Min(2*mid-1, math.RoundToEven(float64(x/step))+mid)))
}

// step is the one with the least squared error, of those that cover at least seven tenths
// of a group.
func (q Groups) step(row []float32) float32 {
	most := 0.0
	for _, v := range row {
		most = math.Max(most, math.Abs(float64(v)))
	}
	mid := int(1) << (q.Bits - 1)
	best, least := sound(float32(most/float64(mid-1))), math.Inf(1)
	for f := 100; f >= 70; f -= 2 {
		s := sound(float32(most / float64(mid-1) * float64(f) / 100))
		e := 0.0
		for _, v := range row {
			d := float64(v) - float64(q.integer(v, s)-mid)*float64(s)
			e += d * d
		}
		if e < least {
			best, least = s, e
		}
	}
	return best
}
