package op

import (
	"testing"

	"pare/tensor"
)

func TestNorms(t *testing.T) {
	x := randn(1, 2, 4, 3, 2)
	for _, opset := range []int{13, 18, 22} {
		written(t, opset, "InstanceNormalization", 1, []*tensor.Tensor{x, randn(2, 4), randn(3, 4)}, attr("epsilon", .1))
		written(t, opset, "LRN", 1, []*tensor.Tensor{x}, attr("size", 3), attr("alpha", .5), attr("bias", 2.))
		written(t, opset, "LRN", 1, []*tensor.Tensor{x}, attr("size", 2), attr("alpha", .5), attr("beta", .5))
		written(t, opset, "MeanVarianceNormalization", 1, []*tensor.Tensor{x})
	}
	written(t, 18, "GroupNormalization", 1, []*tensor.Tensor{x, randn(2, 2), randn(3, 2)}, attr("num_groups", 2))
	written(t, 21, "GroupNormalization", 1, []*tensor.Tensor{x, randn(2, 4), randn(3, 4)}, attr("num_groups", 2))
	written(t, 23, "RMSNormalization", 1, []*tensor.Tensor{randn(1, 2, 3, 4), randn(2, 3, 4)}, attr("axis", 1))
	written(t, 23, "RMSNormalization", 1, []*tensor.Tensor{randn(1, 2, 3, 4), randn(2, 4)})
	for p := 1; p <= 2; p++ {
		written(t, 13, "LpNormalization", 1, []*tensor.Tensor{randn(4, 2, 3, 2)}, attr("axis", 1), attr("p", p))
	}
	// zeros stay zeros
	got := eval(t, 13, "", "LpNormalization", 1, []*tensor.Tensor{f32(0, 3, 0, 4).Reshape(2, 2)}, attr("axis", 0))
	closeTo(t, "zeros", got[0], f32(0, .6, 0, .8).Reshape(2, 2), 1e-6)
}

func TestAttentionGrads(t *testing.T) {
	q, k, v := randn(1, 2, 4, 3, 2), randn(2, 2, 2, 5, 2), randn(3, 2, 2, 5, 3)
	past := []*tensor.Tensor{randn(4, 2, 2, 2, 2), randn(5, 2, 2, 2, 3)}
	mask := tensor.New(tensor.Bool, 3, 5)
	for i := range tensor.Of[bool](mask) {
		tensor.Of[bool](mask)[i] = i%3 != 1 && i/5 != 1 // the second query sees nothing
	}
	written(t, 23, "Attention", 1, []*tensor.Tensor{q, k, v})
	written(t, 23, "Attention", 1, []*tensor.Tensor{q, k, v}, attr("is_causal", 1), attr("softcap", 2.), attr("scale", .3))
	written(t, 25, "Attention", 1, []*tensor.Tensor{q, k, v}, attr("left_window_size", 1), attr("right_window_size", 0))
	written(t, 23, "Attention", 1, []*tensor.Tensor{q, k, v, mask})
	written(t, 23, "Attention", 1, []*tensor.Tensor{q, k, v, randn(6, 4, 3, 4)})
	written(t, 23, "Attention", 3, []*tensor.Tensor{q, k, v, nil, past[0], past[1]}, attr("is_causal", 1))
	written(t, 23, "Attention", 1, []*tensor.Tensor{randn(1, 2, 3, 8), randn(2, 2, 5, 4), randn(3, 2, 5, 6)},
		attr("q_num_heads", 4), attr("kv_num_heads", 2))
}

func TestLosses(t *testing.T) {
	x, w := randn(1, 2, 3, 2), randu(2, .5, 2, 3)
	target := i64(0, 2, 1, -1).Reshape(2, 2)
	for _, r := range []string{"none", "sum", "mean"} {
		for _, in := range [][]*tensor.Tensor{{x, target}, {x, target, w}} {
			g, feed := oneNode(t, 13, "", "NegativeLogLikelihoodLoss", 1, in, attr("reduction", r), attr("ignore_index", -1))
			checkGrad2(t, g, feed, "x0")
			g, feed = oneNode(t, 13, "", "SoftmaxCrossEntropyLoss", 2, in, attr("reduction", r), attr("ignore_index", -1))
			checkExpand(t, g, feed)
			checkGrad2(t, g, feed, "x0")
		}
	}
	// mean of -log softmax, by hand: (log 2 + log 4)/2
	got := eval(t, 13, "", "SoftmaxCrossEntropyLoss", 1, []*tensor.Tensor{f32(0, 0, 0, 1.0986123).Reshape(2, 2), i64(0, 0)})
	closeTo(t, "loss", got[0], tensor.Scalar(float32(1.0397208)), 1e-6)
}
