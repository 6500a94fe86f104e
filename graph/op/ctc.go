package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// ctc is what CTC and its gradient read (Graves et al. 2006): scores of classes at steps,
// and a sequence of marks for each sample.
type ctc struct {
	samples, steps, classes int
	blank                   int
	logp                    []float64 // logarithm of the softmax, [samples steps classes]
	marks                   [][]int
	beyond                  []bool // samples whose marks need more steps than there are
}

func ctcOf(n *graph.Node, x, target *tensor.Tensor) (*ctc, error) {
	if x.Rank() != 3 || target.Rank() != 2 || x.Shape[0] != target.Shape[0] {
		return nil, fmt.Errorf("scores %v and sequences %v must be [batch time classes] and [batch length]", x.Shape, target.Shape)
	}
	c := &ctc{samples: x.Shape[0], steps: x.Shape[1], classes: x.Shape[2], blank: n.Int("blank", 0)}
	if c.blank < 0 || c.blank >= c.classes {
		return nil, fmt.Errorf("blank %d is outside the %d classes", c.blank, c.classes)
	}
	labels, err := intsOf(target)
	if err != nil {
		return nil, err
	}
	f, err := floats(x)
	if err != nil {
		return nil, err
	}
	c.logp = make([]float64, len(f))
	for r := 0; r < len(f); r += c.classes {
		lse := logSum(f[r : r+c.classes])
		for k := range c.classes {
			c.logp[r+k] = f[r+k] - lse
		}
	}
	c.beyond = make([]bool, c.samples)
	for i := range c.samples {
		row := labels[i*target.Shape[1] : (i+1)*target.Shape[1]]
		if err := c.read(i, row, n.Int("zero_infinity", 0) != 0); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// read takes the marks of a sample up to the padding.
func (c *ctc) read(i int, row []int, zero bool) error {
	need := 0
	for k, m := range row {
		switch {
		case m < 0:
			for _, m := range row[k:] {
				if m >= 0 {
					return fmt.Errorf("the sequence of sample %d goes on behind a negative number, which is padding", i)
				}
			}
			row = row[:k]
		case m >= c.classes:
			return fmt.Errorf("mark %d of sample %d is outside the %d classes", m, i, c.classes)
		case m == c.blank:
			return fmt.Errorf("mark %d of the sequence of sample %d is %d, the blank; sequences are padded with -1", k, i, m)
		default:
			if need++; k > 0 && row[k-1] == m {
				need++ // a blank between two of the same
			}
			continue
		}
		break
	}
	c.marks = append(c.marks, row)
	if c.beyond[i] = need > c.steps; c.beyond[i] && !zero {
		return fmt.Errorf("the sequence of sample %d needs %d steps, and the output has %d: leave such samples out, or set zero-infinity=1, with which they have no loss", i, need, c.steps)
	}
	return nil
}

// at is the mark of state s, the blanks between the marks counted in.
func (c *ctc) at(i, s int) int {
	if s%2 == 0 {
		return c.blank
	}
	return c.marks[i][s/2]
}

// skips says whether state s may follow s-2.
func (c *ctc) skips(i, s int) bool {
	return s%2 == 1 && s >= 2 && c.at(i, s) != c.at(i, s-2)
}

// forward gives the logarithms of the chances to be in state s at step t after the steps up
// to it (equation 6), [steps states], and that of the sequence.
func (c *ctc) forward(i int) (alpha [][]float64, log float64) {
	states := 2*len(c.marks[i]) + 1
	alpha = make([][]float64, c.steps)
	for t := range alpha {
		alpha[t] = make([]float64, states)
		for s := range alpha[t] {
			a := math.Inf(-1)
			switch {
			case t == 0 && s < 2:
				a = 0
			case t > 0:
				a = alpha[t-1][s]
				if s > 0 {
					a = logAdd(a, alpha[t-1][s-1])
				}
				if c.skips(i, s) {
					a = logAdd(a, alpha[t-1][s-2])
				}
			}
			alpha[t][s] = a + c.logp[(i*c.steps+t)*c.classes+c.at(i, s)]
		}
	}
	if c.steps == 0 {
		return alpha, 0
	}
	last := alpha[c.steps-1]
	if log = last[states-1]; states > 1 {
		log = logAdd(log, last[states-2])
	}
	return alpha, log
}

// posterior subtracts from out, [steps classes], the chance of each class at each step,
// given the sequence (equation 15).
func (c *ctc) posterior(i int, out []float64) {
	alpha, log := c.forward(i)
	states := 2*len(c.marks[i]) + 1
	beta := make([]float64, states) // of the steps after t, from state s
	for s := range beta {
		if beta[s] = math.Inf(-1); s >= states-2 {
			beta[s] = 0
		}
	}
	for t := c.steps - 1; t >= 0; t-- {
		logp := c.logp[(i*c.steps+t)*c.classes:]
		for s := range states {
			out[t*c.classes+c.at(i, s)] -= math.Exp(alpha[t][s] + beta[s] - log)
		}
		before := make([]float64, states)
		for s := range before {
			b := beta[s] + logp[c.at(i, s)]
			if s+1 < states {
				b = logAdd(b, beta[s+1]+logp[c.at(i, s+1)])
			}
			if s+2 < states && c.skips(i, s+2) {
				b = logAdd(b, beta[s+2]+logp[c.at(i, s+2)])
			}
			before[s] = b
		}
		beta = before
	}
}

// share is what the loss of a sample is multiplied by.
func (c *ctc) share(i int) float64 {
	if c.beyond[i] {
		return 0
	}
	return 1 / float64(max(1, len(c.marks[i]))) / float64(c.samples)
}

func logAdd(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if math.IsInf(b, -1) {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}

var _ = register(
	// CTC(x [N T C], target int64 [N L]) is the connectionist temporal classification loss
	// of the softmax of x (Graves et al. 2006): the negative logarithm of the chance of
	// the sequence under all its alignments with the steps, divided by its length, the
	// mean over samples. Negative numbers at the end of a sequence are padding. A sequence
	// that needs more than T steps is refused, or has no loss with zero_infinity.
	Def{Domain: graph.Pare, Name: "CTC",
		Infer: func(c *Infer) error {
			if x, y := c.Shape(0), c.Shape(1); len(x) != 3 || len(y) != 2 {
				return fmt.Errorf("scores %v and sequences %v must be [batch time classes] and [batch length]", x, y)
			}
			c.Out(0, c.DType(0), graph.Shape{})
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			c, err := ctcOf(n, in[0], in[1])
			if err != nil {
				return nil, err
			}
			sum := 0.0
			for i := range c.samples {
				if by := c.share(i); by > 0 {
					_, log := c.forward(i)
					sum -= log * by
				}
			}
			return single(ofFloats(in[0].DType, []int{}, []float64{sum}))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare("CTCGrad", n.Attrs, dy[0], n.In(0), n.In(1)), nil}, nil
		}},

	// CTCGrad(dy scalar, x, target) is dy times the softmax less the chances given the
	// sequence (equation 16), as CTC weighs samples.
	Def{Domain: graph.Pare, Name: "CTCGrad",
		Infer: func(c *Infer) error { c.Out(0, c.DType(1), c.Shape(1)); return nil },
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			c, err := ctcOf(n, in[1], in[2])
			if err != nil {
				return nil, err
			}
			d, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			out := make([]float64, len(c.logp))
			size := c.steps * c.classes
			for i := range c.samples {
				by := c.share(i)
				if by == 0 {
					continue
				}
				mine := out[i*size : (i+1)*size]
				for k := range mine {
					mine[k] = math.Exp(c.logp[i*size+k])
				}
				c.posterior(i, mine)
				for k := range mine {
					mine[k] *= d[0] * by
				}
			}
			return single(ofFloats(in[1].DType, in[1].Shape, out))
		}},
)
