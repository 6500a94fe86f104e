package cases

import (
	"pare/graph"
	"pare/tensor"
)

func f32s(v ...float32) Input { return is(tensor.Vector(v...)) }

const firstOnly = "the gradient reads derivatives of its weights, which have none of their own"

func resizings() []Case {
	var out []Case
	x, scales, sizes := normal(1, 2, 4, 5), f32s(1, 1, 1.7, .6), ints(1, 2, 7, 3)
	of := func(attrs ...graph.Attr) {
		out = append(out, Case{Op: "Resize", In: in{x, nil, nil, sizes}, Attrs: attrs}, Case{Op: "Resize", In: in{x, nil, scales}, Attrs: attrs})
	}
	for _, mode := range []string{"nearest", "linear", "cubic"} {
		for _, c := range []string{"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", "half_pixel_symmetric"} {
			of(as("mode", mode, "coordinate_transformation_mode", c)...)
		}
	}
	of(as("mode", "linear", "antialias", 1)...)
	of(as("mode", "cubic", "antialias", 1, "exclude_outside", 1)...)
	return append(out,
		Case{Op: "Resize", In: in{x, nil, nil, ints(1, 2, 7, 3)}, Attrs: as("coordinate_transformation_mode", "asymmetric", "nearest_mode", "floor")},
		Case{Op: "Resize", In: in{normal(1, 2, 5), nil, f32s(1, 1, 2)}, Attrs: as("mode", "linear")},
		Case{Op: "Resize", In: in{normal(1, 1, 3, 2, 3), nil, nil, ints(1, 1, 4, 3, 2)}, Attrs: as("mode", "linear")},
		Case{Op: "Resize", In: in{x, nil, nil, ints(3, 9)}, Attrs: as("mode", "linear", "axes", []int{3, 2}, "keep_aspect_ratio_policy", "not_larger")},
		Case{Op: "Resize", In: in{normal(1, 1, 4, 4), f32s(0, 0, -.2, .1, 1, 1, 1.3, .9), nil, ints(1, 1, 3, 3)}, // beyond the input, a constant
			Attrs: as("mode", "linear", "coordinate_transformation_mode", "tf_crop_and_resize", "extrapolation_value", 10.)},
		Case{Op: "Resize", Opset: 10, In: in{x, f32s(1, 1, 2, 3)}, Attrs: as("mode", "nearest")},
		Case{Op: "Upsample", Opset: 9, In: in{x, f32s(1, 1, 3, 2)}},
		Case{Op: "Upsample", Opset: 9, In: in{normal(1, 1, 2, 2), f32s(1, 1, 2, 3)}, Attrs: as("mode", "linear")},
		Case{Domain: graph.Pare, Op: "ResizeGrad", In: in{normal(1, 1, 5, 4), normal(1, 1, 3, 2), nil, nil, ints(1, 1, 5, 4)},
			Attrs: as("mode", "linear", "forward", "Resize")})
}

func samplings() []Case {
	var out []Case
	for _, mode := range []string{"linear", "cubic", "nearest"} {
		for _, pad := range []string{"zeros", "border", "reflection"} {
			for corners := range 2 {
				out = append(out, Case{Op: "GridSample", In: in{normal(2, 2, 4, 3), between(-1.4, 1.4, 2, 3, 2, 2)}, First: firstOnly,
					Attrs: as("mode", mode, "padding_mode", pad, "align_corners", corners)})
			}
		}
	}
	rois, batch, fixed := is(tensor.From([]float64{0, 0, 3, 3, 1.2, .5, 4, 2}, 2, 4)), ints(1, 0), []int{1}
	align := as("output_height", 2, "output_width", 3, "spatial_scale", .9)
	for _, opset := range []int{10, 16} {
		out = append(out, Case{Op: "RoiAlign", Opset: opset, In: in{normal(2, 2, 5, 5), rois, batch}, Attrs: align, Fixed: fixed},
			Case{Op: "RoiAlign", Opset: opset, In: in{apart(2, 2, 5, 5), rois, batch}, Attrs: append(as("mode", "max", "sampling_ratio", 2), align...), Fixed: fixed, First: firstOnly})
	}
	deform := as("group", 2, "offset_group", 2, "strides", []int{2, 1}, "pads", []int{1, 0, 0, 0})
	x, w, offset := normal(1, 4, 5, 4), normal(2, 2, 2, 2), normal(1, 16, 3, 3)
	return append(out,
		Case{Op: "GridSample", In: in{normal(1, 1, 2, 3, 4), between(-1.2, 1.2, 1, 2, 1, 2, 3)}, First: firstOnly},
		Case{Domain: graph.Pare, Op: "RoiAlignGrad", In: in{normal(2, 2, 2, 3), rois, batch, normal(2, 2, 5, 5)}, Attrs: append(as("opset", 16), align...), Fixed: fixed},
		Case{Op: "AffineGrid", In: in{normal(2, 2, 3), ints(2, 1, 3, 4)}},
		Case{Op: "AffineGrid", In: in{normal(1, 3, 4), ints(1, 1, 2, 3, 2)}, Attrs: as("align_corners", 1)},
		Case{Op: "DeformConv", In: in{x, w, offset, normal(2), normal(1, 8, 3, 3)}, Attrs: deform, First: firstOnly},
		Case{Op: "DeformConv", In: in{x, w, offset}, Attrs: deform, First: firstOnly})
}

// unpooled are the operators that undo poolings, crops and columns.
func unpooled() []Case {
	var out []Case
	for _, c := range []struct {
		x, w  []int
		attrs []graph.Attr
	}{
		{[]int{2, 4, 3, 4}, []int{4, 3, 2, 3}, as("strides", []int{2, 1}, "pads", []int{0, 1, 1, 0})},
		{[]int{1, 4, 3}, []int{4, 2, 3}, as("group", 2, "strides", []int{3}, "output_padding", []int{2})},
		{[]int{1, 2, 2, 2, 2}, []int{2, 1, 2, 2, 2}, as("dilations", []int{1, 2, 1})},
		{[]int{1, 2, 3, 3}, []int{2, 2, 3, 3}, as("strides", []int{2, 2}, "auto_pad", "SAME_UPPER")},
		{[]int{1, 2, 3, 3}, []int{2, 2, 3, 3}, as("strides", []int{2, 2}, "auto_pad", "SAME_LOWER")},
		{[]int{1, 2, 3, 3}, []int{2, 2, 2, 2}, as("strides", []int{2, 2}, "output_shape", []int{5, 6})},
		{[]int{1, 2, 3, 3}, []int{2, 2, 3, 3}, as("strides", []int{3, 2}, "output_shape", []int{10, 8}, "output_padding", []int{1, 1})},
		{[]int{1, 2, 2, 2}, []int{2, 1, 2, 2}, as("strides", []int{3, 3}, "output_padding", []int{2, 2})},
	} {
		ins := in{normal(c.x...), normal(c.w...)}
		out = append(out, Case{Op: "ConvTranspose", In: ins, Attrs: c.attrs})
	}
	places := grid([]int64{0, 2, 9, 11, 16, 18, 25, 27}, 1, 2, 2, 2)
	pool := as("kernel_shape", []int{2, 2}, "strides", []int{2, 2})
	cols := as("dilations", []int{2, 1})
	image, block := ints(4, 5), ints(2, 3)
	return append(out,
		Case{Op: "ConvTranspose", In: in{normal(1, 2, 3, 3), normal(2, 2, 2, 2), normal(2)}},
		Case{Op: "LpPool", In: in{apart(1, 2, 5, 4)}, Attrs: as("kernel_shape", []int{2, 3}, "strides", []int{2, 1}, "pads", []int{0, 1, 1, 0})},
		Case{Op: "LpPool", In: in{apart(1, 2, 5, 4)}, Attrs: as("kernel_shape", []int{2, 2}, "p", 3)},
		Case{Op: "LpPool", In: in{apart(1, 2, 5, 4)}, Attrs: as("kernel_shape", []int{2, 3}, "p", 1, "strides", []int{2, 2}, "ceil_mode", 1)},
		Case{Op: "GlobalLpPool", In: in{apart(2, 2, 5)}},
		Case{Op: "GlobalLpPool", In: in{apart(1, 2, 3, 4)}, Attrs: as("p", 3)},
		Case{Op: "MaxUnpool", In: in{normal(1, 2, 2, 2), places}, Attrs: pool},
		Case{Op: "MaxUnpool", In: in{normal(1, 2, 2, 2), places, ints(1, 2, 5, 4)}, Attrs: pool},
		Case{Domain: graph.Pare, Op: "MaxUnpoolPick", In: in{normal(1, 2, 4, 4), normal(1, 2, 2, 2), places}, Attrs: pool},
		Case{Op: "Col2Im", In: in{normal(2, 12, 6), image, block}, Attrs: cols},
		Case{Domain: graph.Pare, Op: "Im2Col", In: in{normal(2, 2, 4, 5), image, block, normal(2, 12, 6)}, Attrs: cols},
		Case{Op: "CenterCropPad", In: in{normal(3, 5, 4), ints(6, 4, 1)}},
		Case{Op: "CenterCropPad", In: in{normal(3, 5, 4), ints(2, 7)}, Attrs: as("axes", []int{-1, 0})})
}
