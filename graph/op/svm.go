package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// Support vector machines (ai.onnx.ml), which stand behind networks that make features.

// kernel is what vectors are compared by.
type kernel struct {
	name                 string // LINEAR, POLY, RBF, SIGMOID
	gamma, shift, degree float64
}

func kernelOf(n *graph.Node) (kernel, error) {
	k := kernel{name: n.Str("kernel_type", "LINEAR")}
	p := numbersOf(n, "kernel_params")
	if len(p) >= 3 {
		k.gamma, k.shift, k.degree = p[0], p[1], p[2]
	}
	switch k.name {
	case "LINEAR":
		return k, nil
	case "POLY", "RBF", "SIGMOID":
		if len(p) < 3 {
			return k, fmt.Errorf("kernel %s has %d numbers: gamma, coef0 and degree are needed", k.name, len(p))
		}
		return k, nil
	}
	return k, fmt.Errorf("kernel %q is not known", k.name)
}

// of compares two vectors.
func (k kernel) of(x, y []float64) float64 {
	sum := 0.0
	for i, v := range x {
		if k.name == "RBF" {
			sum += (v - y[i]) * (v - y[i])
		} else {
			sum += v * y[i]
		}
	}
	switch k.name {
	case "POLY":
		return math.Pow(k.gamma*sum+k.shift, k.degree)
	case "SIGMOID":
		return math.Tanh(k.gamma*sum + k.shift)
	case "RBF":
		return math.Exp(-k.gamma * sum)
	}
	return sum
}

// machine is a support vector machine: its vectors, which of a classifier belong to one
// class after the other, and what each counts; without vectors, a weight for each feature.
type machine struct {
	kernel
	vectors     [][]float64
	of          []int // vectors of each class
	coefficient []float64
	rho         []float64
	a, b        []float64 // of the probability of each pair of classes (Platt 1999); none
	after       string
	labels      *tensor.Tensor // of a classifier
	one         bool           // the regressor says 1 or -1
}

// machineOf reads an SVMRegressor or an SVMClassifier.
func machineOf(n *graph.Node) (*machine, error) {
	k, err := kernelOf(n)
	if err != nil {
		return nil, err
	}
	m := &machine{kernel: k, of: n.Ints("vectors_per_class"), coefficient: numbersOf(n, "coefficients"), rho: numbersOf(n, "rho"),
		a: numbersOf(n, "prob_a"), b: numbersOf(n, "prob_b"), after: n.Str("post_transform", "NONE"), one: n.Int("one_class", 0) != 0}
	vectors, classes := n.Int("n_supports", 0), 1
	if n.Op == "SVMClassifier" {
		if m.labels, err = labelsOf(n, "classlabels_ints", "classlabels_strings"); err != nil {
			return nil, err
		}
		vectors, classes = 0, m.labels.Len()
		for _, k := range m.of {
			if k < 0 || k > 1<<30 {
				return nil, fmt.Errorf("a class of %d vectors", k)
			}
			vectors += k
		}
	}
	numbers := numbersOf(n, "support_vectors")
	if vectors < 0 || vectors > len(numbers) {
		return nil, fmt.Errorf("%d vectors of %d numbers in all", vectors, len(numbers))
	}
	if vectors > 0 {
		size := len(numbers) / vectors
		for i := range vectors {
			m.vectors = append(m.vectors, numbers[i*size:(i+1)*size])
		}
	}
	return m, m.check(vectors, classes)
}

// check says whether there are as many numbers as vectors and classes need.
func (m *machine) check(vectors, classes int) error {
	pairs, rows := max(1, classes*(classes-1)/2), max(1, classes-1)
	switch {
	case vectors == 0 && (len(m.coefficient) == 0 || len(m.coefficient)%classes != 0 || len(m.rho) == 0):
		return fmt.Errorf("%d coefficients and %d offsets for %d classes", len(m.coefficient), len(m.rho), classes)
	case vectors == 0:
		m.name = "LINEAR"
	case m.labels != nil && (len(m.of) != classes || classes < 2):
		return fmt.Errorf("vectors of %d classes for %d labels", len(m.of), classes)
	case len(m.coefficient) < rows*vectors || len(m.rho) < pairs || len(m.a) != len(m.b) || len(m.a) > 0 && len(m.a) < pairs:
		return fmt.Errorf("%d coefficients, %d offsets and %d probabilities for %d vectors of %d classes", len(m.coefficient), len(m.rho), len(m.a), vectors, classes)
	}
	return nil
}

// features is the number of features of a row.
func (m *machine) features() int {
	switch {
	case len(m.vectors) > 0:
		return len(m.vectors[0])
	case m.labels != nil:
		return len(m.coefficient) / m.labels.Len()
	}
	return len(m.coefficient)
}

// width is the number of scores of a classifier: of the classes, or of each pair of them
// where there are vectors and no probabilities.
func (m *machine) width() int {
	k := m.labels.Len()
	if len(m.vectors) > 0 && len(m.a) == 0 && k > 2 {
		return k * (k - 1) / 2
	}
	return k
}

// regressed is what the machine makes of a row.
func (m *machine) regressed(x []float64) float64 {
	y := m.rho[0]
	if len(m.vectors) == 0 {
		y += m.kernel.of(x, m.coefficient)
	}
	for i, v := range m.vectors {
		y += m.coefficient[i] * m.kernel.of(x, v)
	}
	switch {
	case m.one && y > 0:
		return 1
	case m.one:
		return -1
	}
	return y
}

// classified are the best class and the scores of a row.
func (m *machine) classified(x []float64) (best int, y []float64, err error) {
	k := m.labels.Len()
	if len(m.vectors) == 0 {
		size := m.features()
		for i := range k {
			y = append(y, m.rho[0]+m.kernel.of(x, m.coefficient[i*size:(i+1)*size]))
			if y[i] > y[best] {
				best = i
			}
		}
		if k == 2 && m.second(y[best]) {
			best = 1
		}
		return best, y, followed(m.after, y)
	}
	votes := make([]int, k)
	scores := m.pairs(x)
	at := 0
	for i := range k {
		for j := i + 1; j < k; j, at = j+1, at+1 {
			if scores[at] > 0 {
				votes[i]++
			} else {
				votes[j]++
			}
		}
	}
	for i := range votes {
		if votes[i] > votes[best] {
			best = i
		}
	}
	switch {
	case len(m.a) > 0:
		y = coupled(k, scores, m.a, m.b)
		return best, y, followed(m.after, y)
	case k > 2:
		return best, scores, followed(m.after, scores)
	}
	y = []float64{-scores[0], scores[0]}
	if m.after != "NONE" && m.after != "LOGISTIC" {
		return 0, nil, fmt.Errorf("what follows on its one score, %q, is not known", m.after)
	}
	return best, y, followed(m.after, y)
}

// second says whether the best score of two linear ones is that of the second class
// whichever it is of, as ONNX Runtime has it: where it is above 0, or above a half where
// no coefficient is negative.
func (m *machine) second(most float64) bool {
	for _, c := range m.coefficient {
		if c < 0 {
			return most > 0
		}
	}
	return most >= .5
}

// pairs compares each class with each that follows: above 0, the first is the better.
func (m *machine) pairs(x []float64) (out []float64) {
	like := make([]float64, len(m.vectors))
	for i, v := range m.vectors {
		like[i] = m.kernel.of(x, v)
	}
	first := make([]int, len(m.of)+1)
	for i, k := range m.of {
		first[i+1] = first[i] + k
	}
	sum := func(row, class int) (s float64) {
		for i := first[class]; i < first[class+1]; i++ {
			s += m.coefficient[row*len(m.vectors)+i] * like[i]
		}
		return s
	}
	for i := range m.of {
		for j := i + 1; j < len(m.of); j++ {
			out = append(out, sum(j-1, i)+sum(i, j)+m.rho[len(out)])
		}
	}
	return out
}

// coupled are probabilities of classes from the scores of pairs, whose probabilities are a
// sigmoid each (Platt 1999), coupled by the second method of Wu, Lin and Weng 2004 as
// LIBSVM iterates it.
func coupled(k int, scores, a, b []float64) []float64 {
	r := make([][]float64, k)
	for i := range r {
		r[i] = make([]float64, k)
	}
	at := 0
	for i := range k {
		for j := i + 1; j < k; j, at = j+1, at+1 {
			r[i][j] = max(1e-7, min(1-1e-7, 1/(1+math.Exp(scores[at]*a[at]+b[at]))))
			r[j][i] = 1 - r[i][j]
		}
	}
	q, p := make([][]float64, k), make([]float64, k)
	for t := range q {
		q[t], p[t] = make([]float64, k), 1/float64(k)
		for j := range k {
			if j != t {
				q[t][t] += r[j][t] * r[j][t]
				q[t][j] = -r[j][t] * r[t][j]
			}
		}
	}
	qp := make([]float64, k)
	for range max(100, k) {
		all := 0.0
		for t := range k {
			qp[t] = 0
			for j := range k {
				qp[t] += q[t][j] * p[j]
			}
			all += p[t] * qp[t]
		}
		off := 0.0
		for _, v := range qp {
			off = max(off, math.Abs(v-all))
		}
		if off < .005/float64(k) {
			break
		}
		for t := range k {
			d := (all - qp[t]) / q[t][t]
			p[t] += d
			all = (all + d*(d*q[t][t]+2*qp[t])) / (1 + d) / (1 + d)
			for j := range k {
				qp[j] = (qp[j] + d*q[t][j]) / (1 + d)
				p[j] /= 1 + d
			}
		}
	}
	return p
}

// svm is the definition of an operator of support vectors.
func svm(name string) Def {
	return Def{Domain: LearnedDomain, Name: name, Grad: noGrad,
		Infer: func(c *Infer) error {
			m, err := machineOf(c.Node)
			if err != nil {
				return err
			}
			batch, s := graph.N(1), c.Shape(0)
			switch {
			case len(s) == 2:
				batch = s[0]
			case s == nil:
				batch = unknownDim(c, 0, 0)
			}
			if n := len(s); n > 0 && s[n-1].Known() && s[n-1].Mul != m.features() {
				return fmt.Errorf("it knows %d features, and %v has others", m.features(), s)
			}
			if m.labels == nil {
				c.Out(0, tensor.Float32, graph.Shape{batch, graph.N(1)})
				return nil
			}
			c.Out(0, m.labels.DType, graph.Shape{batch})
			c.Out(1, tensor.Float32, graph.Shape{batch, graph.N(m.width())})
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			m, err := machineOf(n)
			if err != nil {
				return nil, err
			}
			rows, err := rowsOf(in[0])
			if err != nil {
				return nil, err
			}
			at := tensor.New(tensor.Int64, len(rows))
			var out []float64
			for i, row := range rows {
				if len(row) != m.features() {
					return nil, fmt.Errorf("%v has not the %d features that it knows", in[0], m.features())
				}
				if m.labels == nil {
					out = append(out, m.regressed(row))
					continue
				}
				best, y, err := m.classified(row)
				if err != nil {
					return nil, err
				}
				tensor.Of[int64](at)[i] = int64(best)
				out = append(out, y...)
			}
			if m.labels == nil {
				return single(ofFloats(tensor.Float32, []int{len(rows), 1}, out))
			}
			labels, err := Lookup("", "Gather").Eval(&graph.Node{}, 13, []*tensor.Tensor{m.labels, at})
			if err != nil {
				return nil, err
			}
			z, err := ofFloats(tensor.Float32, []int{len(rows), m.width()}, out)
			return []*tensor.Tensor{labels[0], z}, err
		}}
}

var _ = register(svm("SVMRegressor"), svm("SVMClassifier"))
