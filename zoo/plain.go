package zoo

import (
	"fmt"
	"strings"

	"pare/graph"
)

// mlp is a chain of fully connected layers with ReLU between them.
func mlp(o Options, name string, sizes ...int) (*graph.Graph, error) {
	for _, s := range sizes {
		if s < 1 {
			return nil, fmt.Errorf("layer sizes %v are not positive", sizes)
		}
	}
	if len(sizes) < 2 {
		return nil, fmt.Errorf("layer sizes %v: at least an input and an output are needed", sizes)
	}
	in := o.In
	if in == nil {
		in = []int{sizes[0]}
	}
	if n := product(in); n != sizes[0] {
		return nil, fmt.Errorf("input %v has %d values, the first layer takes %d", in, n, sizes[0])
	}
	b, x := newNet(name, o, in...)
	if len(in) > 1 {
		x = b.flatten(x)
	}
	for i, out := range sizes[1:] {
		x = b.linear(fmt.Sprintf("fc%d", i+1), x, out, b.he(sizes[i]))
		if i < len(sizes)-2 {
			x = b.relu(x)
		}
	}
	return b.finish(x, "logits")
}

func product(s []int) int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// leNet5 is the Caffe form that pruning papers use (431,080 parameters):
// convolutions of 20 and 50 maps without padding, 500 hidden units.
func leNet5(o Options) (*graph.Graph, error) {
	in, err := image(o.In, 1, 28, 28)
	if err != nil {
		return nil, err
	}
	b, x := newNet("lenet-5", o, in...)
	for i, out := range []int{20, 50} {
		name := fmt.Sprintf("conv%d", i+1)
		b.at(name)
		ci := channels(x)
		w := b.param(name+".weight", b.he(25*ci), out, ci, 5, 5)
		x = b.Attr("Conv", []graph.Attr{graph.MakeAttr("kernel_shape", []int{5, 5})}, x, w, b.param(name+".bias", nil, out))
		x = b.maxPool(x, 2, 2)
	}
	x = b.flatten(x)
	x = b.relu(b.linear("fc1", x, 500, b.he(channels(x))))
	return b.finish(b.linear("fc2", x, o.Classes, b.he(500)), "logits")
}

// convN is Conv-2, -4 and -6 of Frankle & Carbin 2019 (figure 2): pairs of
// 3x3 convolutions of 64, 128, 256 maps with max-pooling after each pair, then
// 256-256-classes. Glorot normal initialisation.
func convN(o Options, layers int) (*graph.Graph, error) {
	if layers != 2 && layers != 4 && layers != 6 {
		return nil, fmt.Errorf("conv-%d: there are conv-2, conv-4 and conv-6", layers)
	}
	in, err := image(o.In, 3, 32, 32)
	if err != nil {
		return nil, err
	}
	b, x := newNet(fmt.Sprintf("conv-%d", layers), o, in...)
	for i := range layers {
		out := o.width(64 << (i / 2))
		name := fmt.Sprintf("conv%d", i+1)
		b.at(name)
		ci := channels(x)
		w := b.param(name+".weight", b.xavier(9*ci, 9*out), out, ci, 3, 3)
		x = b.relu(b.Attr("Conv", []graph.Attr{graph.MakeAttr("kernel_shape", []int{3, 3}), graph.MakeAttr("pads", []int{1, 1, 1, 1})},
			x, w, b.param(name+".bias", nil, out)))
		if i%2 == 1 {
			x = b.maxPool(x, 2, 2)
		}
	}
	x = b.flatten(x)
	for i := range 2 {
		x = b.relu(b.linear(fmt.Sprintf("fc%d", i+1), x, 256, b.xavier(channels(x), 256)))
	}
	return b.finish(b.linear("fc3", x, o.Classes, b.xavier(256, o.Classes)), "logits")
}

// vggs are the plans of Simonyan & Zisserman 2015 by depth, M is a pooling.
var vggs = map[int]string{
	11: "64 M 128 M 256 256 M 512 512 M 512 512",
	13: "64 64 M 128 128 M 256 256 M 512 512 M 512 512",
	16: "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512",
	19: "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512",
}

// vgg is the form for 32x32 with batch normalisation and a single classifier
// (Liu et al. 2017): average pooling over the last 2x2, then 512-classes.
func vgg(o Options, depth int) (*graph.Graph, error) {
	plan, ok := vggs[depth]
	if !ok {
		return nil, fmt.Errorf("vgg%d-bn: there are 11, 13, 16 and 19", depth)
	}
	in, err := image(o.In, 3, 32, 32)
	if err != nil {
		return nil, err
	}
	b, x := newNet(fmt.Sprintf("vgg%d-bn", depth), o, in...)
	i := 0
	for _, w := range strings.Fields(plan) {
		if w == "M" {
			x = b.maxPool(x, 2, 2)
			i++
			continue
		}
		var out int
		fmt.Sscan(w, &out) //nolint:errcheck // the plans are above
		x = b.conv(fmt.Sprintf("features.%d", i), x, o.width(out), 3, 1, 1, false)
		x = b.relu(b.bn(fmt.Sprintf("features.%d", i+1), x))
		i += 3
	}
	x = b.pooled(x)
	return b.finish(b.linear("classifier", x, o.Classes, b.normal(.01)), "logits")
}

// mobileNetV2 is Sandler et al. 2018, table 2. For inputs of 64 pixels or less
// the first strides are 1, as is usual for CIFAR.
func mobileNetV2(o Options) (*graph.Graph, error) {
	in, err := image(o.In, 3, 32, 32)
	if err != nil {
		return nil, err
	}
	b, x := newNet("mobilenetv2", o, in...)
	small := in[1] <= 64
	relu6 := func(x *graph.Value) *graph.Value { return b.Op("Clip", x, b.Scalar(0, x), b.Scalar(6, x)) }
	first := 2
	if small {
		first = 1
	}
	x = relu6(b.bn("features.0.1", b.conv("features.0.0", x, o.width(32), 3, first, 1, false)))
	k := 1
	for _, s := range [][4]int{{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}} {
		t, c, n, stride := s[0], o.width(s[1]), s[2], s[3]
		if small && s[1] == 24 {
			stride = 1
		}
		for i := range n {
			st := 1
			if i == 0 {
				st = stride
			}
			name, h := fmt.Sprintf("features.%d.conv", k), x
			hidden := channels(x) * t
			if t != 1 {
				h = relu6(b.bn(name+".expand.1", b.conv(name+".expand.0", h, hidden, 1, 1, 1, false)))
			}
			h = relu6(b.bn(name+".depthwise.1", b.conv(name+".depthwise.0", h, hidden, 3, st, hidden, false)))
			h = b.bn(name+".project.1", b.conv(name+".project.0", h, c, 1, 1, 1, false))
			if st == 1 && channels(x) == c {
				h = b.Op("Add", h, x)
			}
			x = h
			k++
		}
	}
	last := max(1280, o.width(1280))
	x = relu6(b.bn("features.18.1", b.conv("features.18.0", x, last, 1, 1, 1, false)))
	x = b.pooled(x)
	return b.finish(b.linear("classifier", x, o.Classes, b.normal(.01)), "logits")
}
