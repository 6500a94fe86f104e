package dynamics

import (
	"fmt"
	"math"
)

// unseen returns an error where a sample was in no batch of the first epochs.
func (l *Log) unseen(epochs int) error {
	var out []int32
	for i, k := range l.Numbers {
		seen := false
		for e := range epochs {
			was, _ := l.Epochs[e].Was(i)
			seen = seen || was
		}
		if !seen {
			out = append(out, k)
		}
	}
	if out != nil {
		return fmt.Errorf("%d samples were in no batch of the first %d epochs, the first of them %v: train for more epochs", len(out), epochs, out[:min(5, len(out))])
	}
	return nil
}

// mean is that of a figure over the epochs, of the first ones, in which a sample was
// seen: the last samples of an epoch, which fill no batch, are not.
func (l *Log) mean(epochs int, f func(e *Epoch, i int) float64) ([]float64, error) {
	if err := l.unseen(epochs); err != nil {
		return nil, err
	}
	out := make([]float64, l.Samples)
	for i := range out {
		n := 0
		for e := range epochs {
			if seen, _ := l.Epochs[e].Was(i); seen {
				out[i] += f(&l.Epochs[e], i)
				n++
			}
		}
		out[i] /= float64(n)
	}
	return out, nil
}

// AUM is the area under the margin of each sample: the sum over epochs of the probability
// of its label less the highest of the others (Pleiss et al. 2020, arXiv 2001.10528, there
// of logits; Zheng et al. 2023, arXiv 2210.15809, of probabilities). For an epoch in which
// a sample was in no batch the mean of its others stands.
func (l *Log) AUM() ([]float64, error) {
	out, err := l.mean(len(l.Epochs), (*Epoch).Margin)
	for i := range out {
		out[i] *= float64(len(l.Epochs))
	}
	return out, err
}

// EL2N is the mean over the first epochs of |p - onehot(label)| (Paul et al. 2021, arXiv
// 2107.07075). It returns an error where the log has fewer.
func (l *Log) EL2N(epochs int) ([]float64, error) {
	if epochs < 1 || epochs > len(l.Epochs) {
		return nil, fmt.Errorf("the first %d epochs are asked for, and the log has %d", epochs, len(l.Epochs))
	}
	return l.mean(epochs, (*Epoch).Distance)
}

// Forgetting is how many times each sample was right in an epoch and wrong in the next
// that it was in (Toneva et al. 2019, arXiv 1812.05159); +Inf where it never was right.
func (l *Log) Forgetting() ([]float64, error) {
	if err := l.unseen(len(l.Epochs)); err != nil {
		return nil, err
	}
	out := make([]float64, l.Samples)
	for i := range out {
		learnt, before := false, false
		for e := range l.Epochs {
			seen, right := l.Epochs[e].Was(i)
			if !seen {
				continue
			}
			if before && !right {
				out[i]++
			}
			before, learnt = right, learnt || right
		}
		if !learnt {
			out[i] = math.Inf(1)
		}
	}
	return out, nil
}
