package zoo

import (
	"fmt"

	"pare/graph"
)

// espcn makes images larger by a whole factor: the sub-pixel network of Shi et
// al. 2016 (table 1: 5-64, 3-32, 3-r^2) with ReLU, as PyTorch's example has it.
// The convolutions work at the small size, and the channels of the last become
// the pixels between (PixelShuffle).
func espcn(o Options, factor int) (*graph.Graph, error) {
	in, err := image(o.In, 1, 16, 16)
	if err != nil {
		return nil, err
	}
	if factor < 1 || factor > 16 {
		return nil, fmt.Errorf("a factor of %d is outside 1 to 16", factor)
	}
	b, x := newNet("espcn", o, in...)
	c := in[0]
	x = b.relu(b.torchConv("conv1", x, o.width(64), 5, 1))
	x = b.relu(b.torchConv("conv2", x, o.width(32), 3, 1))
	x = b.torchConv("conv3", x, c*factor*factor, 3, 1)
	x = b.Attr("DepthToSpace", []graph.Attr{graph.MakeAttr("blocksize", factor), graph.MakeAttr("mode", "CRD")}, x)
	return b.finish(x, "larger")
}
