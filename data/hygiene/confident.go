package hygiene

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"pare/catalog"
)

// LabelIssue is a label that is likely wrong.
type LabelIssue struct {
	Sample int     `json:"sample"`
	Given  int32   `json:"given"`
	Likely int32   `json:"likely"`  // the class of the highest probability
	Score  float64 `json:"quality"` // the probability of the given label: the lower, the more doubtful
}

// nearlyEqual is how much probabilities may differ by rounding.
const nearlyEqual = 1e-6

// LabelIssues finds labels that are likely wrong by confident learning (Northcutt, Jiang
// and Chuang, JAIR 2021): probabilities, n x classes, are those that a model which has not
// been trained on a sample gives it. The confident joint counts the samples of each label
// that are confidently of each class, above the mean probability of the class among those
// that are labelled so; calibrated, it says how many labels of each kind are wrong, and these
// are taken by the largest margin ("prune by noise rate", section 3.2), but for those whose
// own class is the most probable. The most doubtful come first.
//
// A sample whose label is negative has none, and is left out.
func LabelIssues(probabilities []float64, labels []int32, classes int) ([]LabelIssue, error) {
	if err := checkProbabilities(probabilities, labels, classes); err != nil {
		return nil, err
	}
	at := make([][]int, classes) // samples by label
	for i, l := range labels {
		if l >= 0 {
			at[l] = append(at[l], i)
		}
	}
	p := func(i, k int) float64 { return probabilities[i*classes+k] }
	wrong := pruneCounts(confidentJoint(p, at))
	var out []LabelIssue
	for k, mine := range at {
		if len(mine) <= 1 {
			continue
		}
		taken := map[int]bool{}
		for j := range classes {
			if n := wrong[k][j]; j != k && n > 0 {
				order := ascending(len(mine), func(i int) float64 { return p(mine[i], k) - p(mine[i], j) })
				for _, i := range order[:min(n, len(order))] {
					taken[mine[i]] = true
				}
			}
		}
		for _, i := range mine {
			if l := likely(p, i, classes); taken[i] && !(p(i, k)+nearlyEqual > p(i, l) || p(i, k)+nearlyEqual == p(i, l) && k <= l) {
				out = append(out, LabelIssue{i, int32(k), int32(l), p(i, k)})
			}
		}
	}
	slices.SortFunc(out, func(a, b LabelIssue) int { return cmp.Or(cmp.Compare(a.Score, b.Score), a.Sample-b.Sample) })
	return out, nil
}

func checkProbabilities(p []float64, labels []int32, classes int) error {
	if classes < 2 {
		return catalog.Errorf("{Classes} %d: label errors are looked for among two classes or more", classes)
	}
	if len(p) != len(labels)*classes {
		return fmt.Errorf("%d probabilities do not fit %d samples of %d classes", len(p), len(labels), classes)
	}
	for i, l := range labels {
		if int(l) >= classes {
			return fmt.Errorf("label %d of sample %d is outside the %d classes of the probabilities", l, i, classes)
		}
		sum := 0.
		for k, v := range p[i*classes : (i+1)*classes] {
			if !(v >= 0 && v <= 1+nearlyEqual) {
				return fmt.Errorf("probability %v of class %d of sample %d is not between 0 and 1", v, k, i)
			}
			sum += v
		}
		if math.Abs(sum-1) > 1e-2 {
			return fmt.Errorf("the probabilities of sample %d sum to %.4g, not to 1: are they outputs before the softmax?", i, sum)
		}
	}
	return nil
}

// likely is the most probable class, the first of equal ones.
func likely(p func(i, k int) float64, i, classes int) int {
	best := 0
	for k := range classes {
		if p(i, k) > p(i, best) {
			best = k
		}
	}
	return best
}

// confidentJoint counts samples of label k, by row, that are confidently of class j, and
// scales the rows to the number of samples of the labels, in whole numbers.
func confidentJoint(p func(i, k int) float64, at [][]int) [][]int {
	n := len(at)
	threshold := make([]float64, n)
	for k, mine := range at {
		threshold[k] = 2 // of a class without labels: nothing is confidently of it
		if len(mine) > 0 {
			sum := 0.
			for _, i := range mine {
				sum += p(i, k)
			}
			threshold[k] = max(sum/float64(len(mine)), 2*nearlyEqual)
		}
	}
	joint := make([][]int, n)
	for k, mine := range at {
		count := make([]float64, n)
		for _, i := range mine {
			sure, first := 0, -1
			for j := range n {
				if p(i, j) >= threshold[j]-nearlyEqual {
					if sure++; first < 0 {
						first = j
					}
				}
			}
			if sure > 1 {
				first = likely(p, i, n)
			}
			if sure > 0 {
				count[first]++
			}
		}
		count[k] = max(count[k], 1)
		total := 0.
		for _, v := range count {
			total += v
		}
		for j := range count {
			count[j] = count[j] / total * float64(len(mine))
		}
		joint[k] = roundKeepingSum(count)
	}
	return joint
}

// pruneCounts says how many of label k, by row, are to be taken for class j: those off the
// diagonal, less where one of each class would not be left.
func pruneCounts(joint [][]int) [][]int {
	n := len(joint)
	byClass := make([][]float64, n) // the transposed: row j, column k
	for j := range n {
		byClass[j] = make([]float64, n)
	}
	for k, row := range joint {
		kinds := -1.
		for j, v := range row {
			if byClass[j][k] = float64(v); v != 0 {
				kinds++
			}
		}
		if least := 1 - float64(row[k]); least > 0 {
			for j := range n {
				byClass[j][k] = max(0, byClass[j][k]-least/max(kinds, 1))
			}
			byClass[k][k] = 1
		}
	}
	out := make([][]int, n)
	for k := range out {
		out[k] = make([]int, n)
	}
	for j, row := range byClass {
		for k := range row {
			row[k] = math.Trunc(row[k])
		}
		for k, v := range roundKeepingSum(row) {
			out[k][j] = v
		}
	}
	return out
}

// roundKeepingSum rounds numbers so that their sum is the rounded sum: those that are
// farthest from their rounding are rounded the other way.
func roundKeepingSum(x []float64) []int {
	out := make([]int, len(x))
	sum, whole := 0., 0
	for i, v := range x {
		sum += v
		out[i] = int(math.RoundToEven(v))
		whole += out[i]
	}
	want := int(math.RoundToEven(sum))
	for whole != want {
		step := 1
		if want < whole {
			step = -1
		}
		order := ascending(len(x), func(i int) float64 { return x[i] - float64(out[i]) })
		if step > 0 {
			slices.Reverse(order)
		}
		for _, i := range order[:min(len(order), max(want-whole, whole-want))] {
			out[i] += step
			whole += step
		}
	}
	return out
}
