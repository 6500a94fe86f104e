package op

import (
	"math"
	"slices"
	"testing"

	"pare/tensor"
)

// The loss is the sum over all alignments, one after another (Graves et al. 2006,
// equation 3).
func TestCTCAlignments(t *testing.T) {
	const steps, classes, blank = 5, 4, 2
	x := randn(3, 1, steps, classes)
	logp := make([]float64, steps*classes)
	for s := range steps {
		row := tensor.Of[float64](x)[s*classes : (s+1)*classes]
		for k, v := range row {
			logp[s*classes+k] = v - logSum(row)
		}
	}
	sums := map[string]float64{}
	key := func(marks []int) string {
		s := ""
		for _, m := range marks {
			s += string(rune('a' + m))
		}
		return s
	}
	for path := range int(math.Pow(classes, steps)) {
		var marks []int
		chance, last := 0.0, -1
		for s, rest := 0, path; s < steps; s, rest = s+1, rest/classes {
			m := rest % classes
			chance += logp[s*classes+m]
			if m != blank && m != last {
				marks = append(marks, m)
			}
			last = m
		}
		sums[key(marks)] += math.Exp(chance)
	}
	for _, marks := range [][]int{{}, {0}, {3, 3}, {0, 1, 3}, {1, 1, 1}, {0, 1, 0, 3, 1}, {0, 0, 1, 0}} {
		target := []int64{-1, -1, -1, -1, -1}
		for i, m := range marks {
			target[i] = int64(m)
		}
		got := eval(t, 17, "pare", "CTC", 1, []*tensor.Tensor{x, i64(target...).Reshape(1, 5)}, attr("blank", blank))
		want := -math.Log(sums[key(marks)]) / float64(max(1, len(marks)))
		closeTo(t, key(marks), got[0], tensor.Scalar(want), 1e-12)
	}
	// the gradients of all classes of a step cancel, as the softmax ignores what they share
	d := eval(t, 17, "pare", "CTCGrad", 1, []*tensor.Tensor{tensor.Scalar(1.), x, i64(0, 0, 1).Reshape(1, 3)}, attr("blank", blank))[0]
	for row := range slices.Chunk(tensor.Of[float64](d), classes) {
		if s := row[0] + row[1] + row[2] + row[3]; math.Abs(s) > 1e-12 {
			t.Errorf("the gradients of a step add up to %v", s)
		}
	}
}
