package generate

import (
	"math"
	"math/rand/v2"
	"slices"

	"pare/catalog"
	"pare/internal/kernel"
)

// Sampling says how a token is chosen by logits. Its steps follow each other in the order
// of the fields' list here, which is that of generate in transformers: the penalty, the
// temperature, top-k, top-p, min-p; each looks at what the one before has left. The zero
// value takes the likeliest token.
type Sampling struct {
	// RepetitionPenalty divides the logits above 0 of tokens that the text has already, and
	// multiplies those below (Keskar et al. 2019, arXiv 1909.05858); 0 and 1: none.
	RepetitionPenalty float64
	Temperature       float64 // divides logits; 0: the likeliest token, without a draw
	TopK              int     // so many of the likeliest tokens stay, and those that equal the last; 0: all
	TopP              float64 // the likeliest tokens stay that together have this probability (Holtzman et al. 2020, arXiv 1904.09751); 0 and 1: all
	MinP              float64 // tokens stay that have this share of the probability of the likeliest (Nguyen et al. 2024, arXiv 2407.01082)
}

// Check returns an error where a field is out of range.
func (s Sampling) Check() error {
	finite := func(x float64) bool { return x >= 0 && !math.IsInf(x, 0) }
	switch {
	case !finite(s.RepetitionPenalty):
		return catalog.Bad("RepetitionPenalty", s.RepetitionPenalty, "a number above 0, or 0 for none")
	case !finite(s.Temperature):
		return catalog.Bad("Temperature", s.Temperature, "a number above 0, or 0 for the likeliest token")
	case s.TopK < 0:
		return catalog.Bad("TopK", s.TopK, "a number of tokens, or 0 for all")
	case !(s.TopP >= 0 && s.TopP <= 1):
		return catalog.Bad("TopP", s.TopP, "a probability in [0,1]")
	case !(s.MinP >= 0 && s.MinP <= 1):
		return catalog.Bad("MinP", s.MinP, "a share in [0,1]")
	}
	return nil
}

// Choice is a token with its probability.
type Choice struct {
	Token int
	P     float64
}

// Sampler chooses tokens. It must not be used by two goroutines at once.
type Sampler struct {
	Sampling
	r      *rand.Rand
	seen   []bool // tokens whose logits were changed in this step
	left   []Choice
	logits []float64
	heap   []float64
}

// NewSampler is a sampler that draws by a seed. Seeds that share a stream draw one after
// another: each text has a stream of its own.
func NewSampler(s Sampling, seed, stream uint64) (*Sampler, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	return &Sampler{Sampling: s, r: rand.New(rand.NewPCG(seed, stream))}, nil
}

// Next chooses the token that follows a text. logits are those of the model, and are left
// as they are. It returns -1 where they are not numbers.
func (s *Sampler) Next(logits []float32, text []int) int {
	left := s.Distribution(logits, text)
	if len(left) < 2 {
		if len(left) == 0 {
			return -1
		}
		return left[0].Token
	}
	u := s.r.Float64()
	for _, c := range left {
		if u -= c.P; u < 0 {
			return c.Token
		}
	}
	return left[len(left)-1].Token
}

// Distribution gives the tokens that may follow a text, with probabilities that add up to
// 1; where top-p is asked for the likeliest comes first. It is valid until the next call,
// and empty where the logits are not numbers.
func (s *Sampler) Distribution(logits []float32, text []int) []Choice {
	if s.Temperature == 0 && s.plain() {
		s.left = s.left[:0]
		if best := kernel.Largest(logits); best >= 0 && !math.IsInf(float64(logits[best]), 0) {
			s.left = append(s.left, Choice{best, 1})
		}
		return s.left
	}
	s.penalise(logits, text)
	best := -1
	for t, x := range s.logits {
		if math.IsNaN(x) || math.IsInf(x, 1) {
			return nil
		}
		if best < 0 || x > s.logits[best] {
			best = t
		}
	}
	s.left = s.left[:0]
	if best < 0 || math.IsInf(s.logits[best], -1) {
		return nil
	}
	if s.Temperature == 0 {
		s.left = append(s.left, Choice{best, 1})
		return s.left
	}
	top := s.logits[best]
	least := math.Inf(-1)
	if s.TopK > 0 && s.TopK < len(s.logits) {
		least = s.kth()
	}
	for t, x := range s.logits {
		if x >= least {
			if p := math.Exp((x - top) / s.Temperature); p > 0 {
				s.left = append(s.left, Choice{t, p})
			}
		}
	}
	if s.TopP > 0 && s.TopP < 1 {
		s.topP()
	}
	if s.MinP > 0 { // the likeliest has p = 1 yet
		s.left = slices.DeleteFunc(s.left, func(c Choice) bool { return c.P < s.MinP })
	}
	sum := total(s.left)
	for i := range s.left {
		s.left[i].P /= sum
	}
	return s.left
}

func total(cs []Choice) (sum float64) {
	for _, c := range cs {
		sum += c.P
	}
	return sum
}

// plain says whether the text changes no logits.
func (s *Sampler) plain() bool { return s.RepetitionPenalty == 0 || s.RepetitionPenalty == 1 }

// penalise copies the logits, those of tokens that the text has changed once.
func (s *Sampler) penalise(logits []float32, text []int) {
	s.logits = s.logits[:0]
	for _, x := range logits {
		s.logits = append(s.logits, float64(x))
	}
	if s.plain() {
		return
	}
	if len(s.seen) < len(logits) {
		s.seen = make([]bool, len(logits))
	}
	for _, t := range text {
		if t < 0 || t >= len(logits) || s.seen[t] {
			continue
		}
		s.seen[t] = true
		if s.logits[t] > 0 {
			s.logits[t] /= s.RepetitionPenalty
		} else {
			s.logits[t] *= s.RepetitionPenalty
		}
	}
	for _, t := range text {
		if t >= 0 && t < len(logits) {
			s.seen[t] = false
		}
	}
}

// kth is the logit of the last of the TopK likeliest tokens: the least of a heap that holds
// so many of the largest.
func (s *Sampler) kth() float64 {
	h := s.heap[:0]
	for _, x := range s.logits {
		if len(h) < s.TopK {
			h = append(h, x)
			for i := len(h) - 1; i > 0 && h[i] < h[(i-1)/2]; i = (i - 1) / 2 {
				h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
			}
			continue
		}
		if x <= h[0] {
			continue
		}
		h[0] = x
		for i := 0; ; {
			c := 2*i + 1
			if c+1 < len(h) && h[c+1] < h[c] {
				c++
			}
			if c >= len(h) || h[i] <= h[c] {
				break
			}
			h[i], h[c] = h[c], h[i]
			i = c
		}
	}
	s.heap = h
	return h[0]
}

// topP keeps, of the likeliest first, each before which less than TopP has been kept.
func (s *Sampler) topP() {
	sum := total(s.left)
	// no token can stay that, were all less likely ones as likely, would still be cut
	never := (1 - s.TopP) * sum / float64(len(s.left)+1)
	s.left = slices.DeleteFunc(s.left, func(c Choice) bool { return c.P < never })
	slices.SortStableFunc(s.left, func(a, b Choice) int {
		switch {
		case a.P > b.P:
			return -1
		case a.P < b.P:
			return 1
		}
		return a.Token - b.Token
	})
	before := 0.
	for i, c := range s.left {
		if i > 0 && before >= s.TopP*sum {
			s.left = s.left[:i]
			return
		}
		before += c.P
	}
}
