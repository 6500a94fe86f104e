package score

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"pare/data"
	"pare/dataset"
)

// pairs is a language model of pairs of tokens: what follows a token depends on it alone.
type pairs struct{ p [4][4]float64 }

func (m *pairs) Loss(ctx context.Context, tokens []int) (sum float64, n int, err error) {
	for i, t := range tokens[1:] {
		if t > 3 || tokens[i] > 3 {
			return 0, 0, fmt.Errorf("there is no token %d", t)
		}
		sum -= math.Log(m.p[tokens[i]][t])
	}
	return sum, len(tokens) - 1, ctx.Err()
}

// The perplexity of a text is that of its tokens alone, without what fills it up: the geometric mean of
// what one over their probabilities is.
func TestPerplexity(t *testing.T) {
	m := &pairs{}
	for i := range m.p {
		for k := range m.p[i] {
			m.p[i][k] = float64(1+(i+2*k)%5) / 15
		}
	}
	const n, length = 150, 7
	x := &dataset.Field{Name: "input_ids", Shape: []int{length}, Tokens: 4}
	mask := &dataset.Field{Name: "attention_mask", Shape: []int{length}, Aside: true}
	var want []float64
	for i := range n {
		long := 2 + i%(length-1)
		product := 1.
		for k := range length {
			token, there := int32((i*i+k*(i+3))%4), int32(1)
			if k >= long {
				token, there = 0, 0
			} else if k > 0 {
				product *= m.p[x.Ints[len(x.Ints)-1]][token]
			}
			x.Ints, mask.Ints = append(x.Ints, token), append(mask.Ints, there)
		}
		want = append(want, math.Pow(1/product, 1/float64(long-1)))
	}
	set := dataset.New("training", x, mask)
	j := &data.Job{Set: set, Language: m}
	res, got := run(t, NewPerplexity(), j)
	near(t, "perplexity", got, want, 1e-9)
	if res.Score.Hard != data.High {
		t.Errorf("%+v", res.Score)
	}
	part, err := set.Pick([]int32{3, 100})
	if err != nil {
		t.Fatal(err)
	}
	res, got = run(t, NewPerplexity(), &data.Job{Set: part, Language: m})
	if near(t, "of a part", got, []float64{want[3], want[100]}, 1e-9); res.Score.Numbers[1] != 100 {
		t.Errorf("%+v", res.Score)
	}
	mask.Ints[length+1], mask.Ints[length+2] = 0, 0 // the second text has one token
	for says, j := range map[string]*data.Job{"[1]": j, "Language": {Set: set}, "no texts": {Set: dataset.New("", &dataset.Field{Name: "x", Ints: []int32{1, 2}}), Language: m}} {
		if _, err := data.Run(context.Background(), NewPerplexity(), j); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, not %q", err, says)
		}
	}
}
