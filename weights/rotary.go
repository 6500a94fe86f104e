package weights

import (
	"fmt"

	"pare/tensor"
)

// Halves takes the rows of a projection, or the elements of its bias, whose rotary embedding
// turns the neighbours 2i and 2i+1 of each head together, as Meta's Llama, llama2.c and, for a
// Llama, GGUF have them, and gives them in the order of Hugging Face, where i and i + n/2 of the
// n of a head turn together. The first axis of t is heads heads, those of the keys where t
// projects to keys. The result is in memory of its own. The rotation of Su et al. 2021,
// RoFormer, arXiv 2104.09864, equation 34, is the first order. It returns an error where the
// first axis is not a multiple of 2 heads.
func Halves(t *tensor.Tensor, heads int) (*tensor.Tensor, error) {
	return reorder(t, heads, func(pair, second, half int) (from, to int) { return 2*pair + second, pair + second*half })
}

// Pairs is the inverse of [Halves].
func Pairs(t *tensor.Tensor, heads int) (*tensor.Tensor, error) {
	return reorder(t, heads, func(pair, second, half int) (from, to int) { return pair + second*half, 2*pair + second })
}

// reorder moves the rows of each head.
func reorder(t *tensor.Tensor, heads int, at func(pair, second, half int) (from, to int)) (*tensor.Tensor, error) {
	if t.Rank() == 0 || heads < 1 || t.Shape[0]%(2*heads) != 0 {
		return nil, fmt.Errorf("%v does not project to %d heads of an even number of rows", t, heads)
	}
	out := tensor.New(t.DType, t.Shape...)
	half := t.Shape[0] / heads / 2
	row := 1
	for _, d := range t.Shape[1:] {
		row *= d
	}
	for h := range heads {
		for pair := range half {
			for second := range 2 {
				from, to := at(pair, second, half)
				out.CopyRange((h*2*half+to)*row, t, (h*2*half+from)*row, row)
			}
		}
	}
	return out, nil
}
