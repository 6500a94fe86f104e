package zoo

import (
	"fmt"

	"pare/graph"
)

// superNet is a network of parallel branches to search in, of You et al. 2022: blocks of
// 1x1 convolutions, depthwise convolutions of 3, 5 and 7 on channels of their own,
// batch normalisation and ReLU, and 1x1 convolutions whose outputs are added. Of its five
// blocks the second and the fourth halve height and width, and the others have a residual
// path.
func superNet(o Options, width int) (*graph.Graph, error) {
	in, err := image(o.In, 3, 32, 32)
	if err != nil {
		return nil, err
	}
	if width < 1 {
		return nil, fmt.Errorf("a width of %d is not positive", width)
	}
	b, x := newNet(fmt.Sprintf("supernet-%d", width), o, in...)
	w := o.width(width)
	x = b.relu(b.bn("stem.1", b.conv("stem.0", x, w, 3, 1, 1, false)))
	for i, s := range []struct{ out, stride int }{{w, 1}, {2 * w, 2}, {2 * w, 1}, {4 * w, 2}, {4 * w, 1}} {
		x = b.branches(fmt.Sprintf("blocks.%d", i), x, s.out, s.stride)
	}
	x = b.pooled(x)
	return b.finish(b.linear("head", x, o.Classes, b.he(channels(x))), "logits")
}

// branches is a block of three branches, four times as wide as its input together.
func (b *net) branches(name string, x *graph.Value, out, stride int) *graph.Value {
	wide := (4*channels(x) + 2) / 3
	var sum *graph.Value
	for _, k := range []int{3, 5, 7} {
		of := fmt.Sprintf("%s.branch%d", name, k)
		h := b.conv(of+".expand", x, wide, 1, 1, 1, false)
		h = b.relu(b.bn(of+".norm", b.conv(of+".depthwise", h, wide, k, stride, wide, false)))
		h = b.conv(of+".project", h, out, 1, 1, 1, false)
		if b.at(name); sum != nil {
			h = b.Op("Add", sum, h)
		}
		sum = h
	}
	y := b.bn(name+".norm", sum)
	if b.at(name); stride == 1 && channels(x) == out {
		y = b.Op("Add", y, x)
	}
	return b.relu(y)
}
