package zoo

import (
	"fmt"

	"pare/graph"
)

// uNet is Ronneberger et al. 2015 with three levels, padding and batch
// normalisation: two convolutions a level, max-pooling down, transposed
// convolutions up, and the maps of the way down put beside those of the way up.
// Its output is a class for each pixel: [N classes H W].
func uNet(o Options, width int) (*graph.Graph, error) {
	in, err := image(o.In, 3, 64, 64)
	if err != nil {
		return nil, err
	}
	if width < 1 || in[1]%4 != 0 || in[2]%4 != 0 {
		return nil, fmt.Errorf("a U-Net of width %d for images of %dx%d: the width is at least 1, and height and width divide by 4", width, in[1], in[2])
	}
	b, x := newNet("unet", o, in...)
	pair := func(name string, x *graph.Value, out int) *graph.Value {
		return b.torchBlock(name+".conv2", b.torchBlock(name+".conv1", x, out, 1), out, 1)
	}
	w := o.width(width)
	one := pair("down1", x, w)
	two := pair("down2", b.maxPool(one, 2, 2), 2*w)
	x = pair("bottom", b.maxPool(two, 2, 2), 4*w)
	beside := func(name string, x, skip *graph.Value) *graph.Value {
		up := b.torchUp(name+".up", x, channels(skip))
		b.at(name)
		return pair(name, b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 1)}, skip, up), channels(skip))
	}
	x = beside("up1", beside("up2", x, two), one)
	return b.finish(b.torchConv("head", x, o.Classes, 1, 1), "logits")
}
