package decode

import "fmt"

// Input is new tokens of a sequence.
type Input struct {
	Seq    int
	Tokens []int
	All    bool // logits behind every token are asked for, not behind the last alone
}

// Run computes new tokens, of several sequences at once, and appends them to their
// sequences. visit, which may be nil, is called for every row of logits that is asked for:
// with the number of the input, that of the token in it, and logits [vocab], which it may
// change and which are valid until it returns. Rows of one input come in order.
//
// It returns an error, and changes nothing, where an input names no sequence or one twice,
// is empty, has a token that the vocabulary has not, or more tokens than there is room for.
// An error of visit ends the run, and so does a key or a value that float16 cannot hold, where
// the caches are that; the tokens up to then, and some more, are in their sequences.
func (s *Session) Run(in []Input, visit func(input, at int, logits []float32) error) error {
	return s.work(in, (*Session).logitsOf, visit)
}

// States is Run, with states in the place of logits: what the output layer reads, behind the
// last norm [hidden].
func (s *Session) States(in []Input, visit func(input, at int, state []float32) error) error {
	return s.work(in, (*Session).states, visit)
}

// work computes new tokens, and shows what is made of the rows that are asked for.
func (s *Session) work(in []Input, show func(s *Session, visit func(input, at int, y []float32) error) error, visit func(input, at int, y []float32) error) error {
	for i, x := range in {
		if err := s.check(in[:i], x); err != nil {
			return fmt.Errorf("input %d: %w", i, err)
		}
	}
	for i, x := range in {
		start := s.length[x.Seq]
		for k, t := range x.Tokens {
			if visit != nil && (x.All || k == len(x.Tokens)-1) {
				s.want = append(s.want, len(s.rows))
			}
			s.rows = append(s.rows, row{i, k, x.Seq, start + k, t})
			if len(s.rows) == s.opt.Rows {
				if err := s.chunk(show, visit); err != nil {
					return err
				}
			}
		}
	}
	return s.chunk(show, visit)
}

func (s *Session) check(before []Input, x Input) error {
	if x.Seq < 0 || x.Seq >= len(s.length) {
		return fmt.Errorf("there is no sequence %d of %d", x.Seq, len(s.length))
	}
	for _, y := range before {
		if y.Seq == x.Seq {
			return fmt.Errorf("sequence %d is given twice", x.Seq)
		}
	}
	if len(x.Tokens) == 0 {
		return fmt.Errorf("sequence %d gets no tokens", x.Seq)
	}
	if n := s.Left(x.Seq); len(x.Tokens) > n {
		return fmt.Errorf("%d tokens, where sequence %d has room for %d of %d", len(x.Tokens), x.Seq, n, s.opt.Capacity)
	}
	for _, t := range x.Tokens {
		if t < 0 || t >= s.m.c.Vocab {
			return fmt.Errorf("token %d is not among the %d of the vocabulary", t, s.m.c.Vocab)
		}
	}
	return nil
}

// chunk computes the rows that have gathered, and lets go of them.
func (s *Session) chunk(show func(s *Session, visit func(input, at int, y []float32) error) error, visit func(input, at int, y []float32) error) error {
	if s.n = len(s.rows); s.n == 0 {
		return nil
	}
	defer func() { s.rows, s.want = s.rows[:0], s.want[:0] }()
	if err := s.forward(); err != nil {
		return err
	}
	for _, r := range s.rows {
		s.length[r.seq] = max(s.length[r.seq], r.pos+1)
	}
	return show(s, visit)
}

// state writes the normalised state of one of the rows that are asked for.
func (s *Session) state(i int, x []float32) {
	d := s.m.c.Hidden
	copy(x, s.h[i*d:(i+1)*d])
	if s.m.final != nil {
		s.m.final.apply(x, x)
	}
}

// states shows the states of the rows that are asked for.
func (s *Session) states(visit func(input, at int, state []float32) error) error {
	for i, r := range s.now {
		x := s.x[:s.m.c.Hidden]
		s.state(i, x)
		if err := visit(r.input, r.at, x); err != nil {
			return err
		}
	}
	return nil
}

// logitsOf shows the logits of the rows that are asked for.
func (s *Session) logitsOf(visit func(input, at int, logits []float32) error) error {
	c := s.m.c
	for done := 0; done < len(s.now); {
		rows := s.now[done:min(len(s.now), done+s.shown())]
		for i := range rows {
			s.state(done+i, s.x[i*c.Hidden:(i+1)*c.Hidden])
		}
		s.one[0] = s.m.head
		s.lin.run(s.pool, s.one[:], s.x, s.logits, len(rows), c.Vocab)
		for i, r := range rows {
			y := s.logits[i*c.Vocab : (i+1)*c.Vocab]
			if c.LogitSoftcap > 0 {
				softcap(y, c.LogitSoftcap)
			}
			if err := visit(r.input, r.at, y); err != nil {
				return err
			}
		}
		done += len(rows)
	}
	return nil
}
