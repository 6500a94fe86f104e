package scaling

import "math"

// Law is L(N, D) = E + A/N^Alpha + B/D^Beta: the loss after pre-training with an average of N
// parameters (that are pruned: weights of linear layers, say, the same of all runs) on D
// tokens. For dense networks it is that of Hoffmann et al. 2022, arXiv 2203.15556.
type Law struct {
	E     float64 `json:"e"`
	A     float64 `json:"a"`
	B     float64 `json:"b"`
	Alpha float64 `json:"alpha"`
	Beta  float64 `json:"beta"`
}

// Loss is what the law says.
func (l Law) Loss(n, d float64) float64 {
	return l.E + l.A/math.Pow(n, l.Alpha) + l.B/math.Pow(d, l.Beta)
}

// Tokens is how many tokens bring a model of an average of n parameters to a loss; infinity
// where none do.
func (l Law) Tokens(n, loss float64) float64 {
	left := loss - l.E - l.A/math.Pow(n, l.Alpha)
	if left <= 0 {
		return math.Inf(1)
	}
	return math.Pow(l.B/left, 1/l.Beta)
}

// Run is a pre-training that was made.
type Run struct {
	Name   string  `json:"name,omitempty"`
	N      float64 `json:"n"`      // parameters on average over the training
	Final  float64 `json:"final"`  // parameters that are left; as N of a dense run
	Tokens float64 `json:"tokens"` // of the training
	Loss   float64 `json:"loss"`   // in nats a token, on one set for all runs
}

// Sparse says whether the run ended with fewer parameters than it had on average.
func (r Run) Sparse() bool { return r.Final < r.N }

// logs is the law as it is fitted: log L = LSE(a - alpha log n, b - beta log d, e), with n in
// millions and d in milliards, so that all numbers are small.
type logs struct{ a, b, e, alpha, beta float64 }

const (
	unitN = 1e6
	unitD = 1e9
)

func (p logs) at(logN, logD float64) (value, x, y, z float64) {
	x, y, z = p.a-p.alpha*logN, p.b-p.beta*logD, p.e
	m := math.Max(x, math.Max(y, z))
	x, y, z = math.Exp(x-m), math.Exp(y-m), math.Exp(z-m)
	sum := x + y + z
	return m + math.Log(sum), x / sum, y / sum, z / sum
}

func (p logs) law() Law {
	return Law{E: math.Exp(p.e), A: math.Exp(p.a + p.alpha*math.Log(unitN)), B: math.Exp(p.b + p.beta*math.Log(unitD)), Alpha: p.alpha, Beta: p.beta}
}
