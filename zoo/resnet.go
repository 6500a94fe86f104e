package zoo

import (
	"fmt"

	"pare/graph"
)

// resNet is the CIFAR form of He et al. 2016 (section 4.2): 6n+2 layers in
// three stages of 16, 32 and 64 channels (times width). Shortcuts that change
// shape are parameter-free (kind A: every second pixel, zeros for the new
// channels) or projections (kind B).
func resNet(o Options, depth int, projection bool) (*graph.Graph, error) {
	if depth < 8 || (depth-2)%6 != 0 {
		return nil, fmt.Errorf("a ResNet for 32x32 has 6n+2 layers, not %d", depth)
	}
	in, err := image(o.In, 3, 32, 32)
	if err != nil {
		return nil, err
	}
	b, x := newNet(fmt.Sprintf("resnet%d", depth), o, in...)
	w := o.width(16)
	x = b.relu(b.bn("bn1", b.conv("conv1", x, w, 3, 1, 1, false)))
	for s := range 3 {
		for k := range (depth - 2) / 6 {
			stride := 1
			if s > 0 && k == 0 {
				stride = 2
			}
			x = b.basicBlock(fmt.Sprintf("layer%d.%d", s+1, k), x, w<<s, stride, projection)
		}
	}
	x = b.pooled(x)
	return b.finish(b.linear("linear", x, o.Classes, b.he(channels(x))), "logits")
}

func (b *net) basicBlock(name string, x *graph.Value, out, stride int, projection bool) *graph.Value {
	y := b.relu(b.bn(name+".bn1", b.conv(name+".conv1", x, out, 3, stride, 1, false)))
	y = b.bn(name+".bn2", b.conv(name+".conv2", y, out, 3, 1, 1, false))
	b.at(name)
	if stride != 1 || channels(x) != out {
		if projection {
			x = b.bn(name+".shortcut.1", b.conv(name+".shortcut.0", x, out, 1, stride, 1, false))
		} else {
			x = b.shortcutA(x, out, stride)
		}
	}
	b.at(name)
	return b.relu(b.Op("Add", y, x))
}

// shortcutA takes every stride-th pixel and adds channels of zeros, half
// before and half after.
func (b *net) shortcutA(x *graph.Value, out, stride int) *graph.Value {
	if stride > 1 {
		const end = 1 << 31
		x = b.Op("Slice", x, b.Ints(0, 0), b.Ints(end, end), b.Ints(2, 3), b.Ints(stride, stride))
	}
	more := out - channels(x)
	return b.Op("Pad", x, b.Ints(0, more/2, 0, 0, 0, more-more/2, 0, 0))
}

// wideResNet is Zagoruyko & Komodakis 2016: pre-activation blocks, widened k
// times, projections where the shape changes.
func wideResNet(o Options, depth, k int) (*graph.Graph, error) {
	if depth < 10 || (depth-4)%6 != 0 || k < 1 {
		return nil, fmt.Errorf("a wide ResNet has 6n+4 layers and a width of 1 or more, not %d-%d", depth, k)
	}
	in, err := image(o.In, 3, 32, 32)
	if err != nil {
		return nil, err
	}
	b, x := newNet(fmt.Sprintf("wrn-%d-%d", depth, k), o, in...)
	x = b.conv("conv1", x, 16, 3, 1, 1, false)
	for s := range 3 {
		for i := range (depth - 4) / 6 {
			stride := 1
			if s > 0 && i == 0 {
				stride = 2
			}
			x = b.preBlock(fmt.Sprintf("block%d.layer.%d", s+1, i), x, o.width(16<<s*k), stride)
		}
	}
	x = b.pooled(b.relu(b.bn("bn1", x)))
	return b.finish(b.linear("fc", x, o.Classes, b.he(channels(x))), "logits")
}

func (b *net) preBlock(name string, x *graph.Value, out, stride int) *graph.Value {
	h := b.relu(b.bn(name+".bn1", x))
	y := b.conv(name+".conv1", h, out, 3, stride, 1, false)
	y = b.conv(name+".conv2", b.relu(b.bn(name+".bn2", y)), out, 3, 1, 1, false)
	if channels(x) != out || stride != 1 {
		x = b.conv(name+".convShortcut", h, out, 1, stride, 1, false)
	}
	b.at(name)
	return b.Op("Add", y, x)
}

// bottleneckResNet is the ImageNet form of He et al. 2016 (table 1) with
// projections where the shape changes; the stride is on the 3x3 convolution.
func bottleneckResNet(o Options, depth int) (*graph.Graph, error) {
	blocks := map[int][4]int{50: {3, 4, 6, 3}, 101: {3, 4, 23, 3}, 152: {3, 8, 36, 3}}[depth]
	if blocks[0] == 0 {
		return nil, fmt.Errorf("a ResNet of bottleneck blocks has 50, 101 or 152 layers, not %d", depth)
	}
	in, err := image(o.In, 3, 224, 224)
	if err != nil {
		return nil, err
	}
	b, x := newNet(fmt.Sprintf("resnet%d", depth), o, in...)
	w := o.width(64)
	x = b.relu(b.bn("bn1", b.conv("conv1", x, w, 7, 2, 1, false)))
	x = b.Attr("MaxPool", []graph.Attr{graph.MakeAttr("kernel_shape", []int{3, 3}), graph.MakeAttr("strides", []int{2, 2}), graph.MakeAttr("pads", []int{1, 1, 1, 1})}, x)
	for s, n := range blocks {
		for k := range n {
			stride := 1
			if s > 0 && k == 0 {
				stride = 2
			}
			x = b.bottleneck(fmt.Sprintf("layer%d.%d", s+1, k), x, w<<s, stride)
		}
	}
	x = b.pooled(x)
	return b.finish(b.linear("fc", x, o.Classes, b.normal(.01)), "logits")
}

func (b *net) bottleneck(name string, x *graph.Value, mid, stride int) *graph.Value {
	y := b.relu(b.bn(name+".bn1", b.conv(name+".conv1", x, mid, 1, 1, 1, false)))
	y = b.relu(b.bn(name+".bn2", b.conv(name+".conv2", y, mid, 3, stride, 1, false)))
	y = b.bn(name+".bn3", b.conv(name+".conv3", y, 4*mid, 1, 1, 1, false))
	if stride != 1 || channels(x) != 4*mid {
		x = b.bn(name+".downsample.1", b.conv(name+".downsample.0", x, 4*mid, 1, stride, 1, false))
	}
	b.at(name)
	return b.relu(b.Op("Add", y, x))
}
