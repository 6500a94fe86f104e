package zoo

import (
	"math"

	"pare/graph"
)

// Layers as PyTorch initialises them by default: weights and biases are drawn
// from U(-1/sqrt(fan-in), 1/sqrt(fan-in)), which its kaiming_uniform_ with
// a = sqrt(5) comes to.

// torch is that distribution for a fan-in.
func (b *net) torch(fan int) func([]float32) {
	bound := 1 / math.Sqrt(float64(fan))
	return func(x []float32) {
		for i := range x {
			x[i] = float32((2*b.r.Float64() - 1) * bound)
		}
	}
}

// torchConv is a convolution with bias.
func (b *net) torchConv(name string, x *graph.Value, out, k, stride int) *graph.Value {
	init := b.torch(k * k * channels(x))
	return b.convOf(name, x, out, k, stride, 1, init, init)
}

// torchBlock is a convolution of 3x3 without bias, batch normalisation and ReLU,
// named as a Sequential of the three.
func (b *net) torchBlock(name string, x *graph.Value, out, stride int) *graph.Value {
	y := b.convOf(name+".0", x, out, 3, stride, 1, b.torch(9*channels(x)), nil)
	return b.relu(b.bn(name+".1", y))
}

// torchLinear is a fully connected layer over the last axis.
func (b *net) torchLinear(name string, x *graph.Value, out int) *graph.Value {
	init := b.torch(features(x))
	return b.linearOf(name, x, out, init, init)
}

// torchUp is a transposed convolution of 2x2 and stride 2 with bias: it doubles
// height and width. PyTorch counts its fan-in by the outputs.
func (b *net) torchUp(name string, x *graph.Value, out int) *graph.Value {
	b.at(name)
	init := b.torch(4 * out)
	return b.Attr("ConvTranspose", []graph.Attr{graph.MakeAttr("kernel_shape", []int{2, 2}), graph.MakeAttr("strides", []int{2, 2})},
		x, b.param(name+".weight", init, channels(x), out, 2, 2), b.param(name+".bias", init, out))
}
