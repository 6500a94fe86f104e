package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// speak remembers how tokens are made; nil: by nothing. around says that the samples begin
// with what the tokenizer puts before a text.
func (d *Data) speak(k *tokenizing, around bool) {
	if k == nil {
		return
	}
	if d.words = k.Tokens; around {
		d.lead = len(k.Lead())
	}
}

// bytesOf are the tokens of a text that is taken byte by byte.
func bytesOf(text string) ([]int32, error) {
	out := make([]int32, len(text))
	for i := range len(text) {
		out[i] = int32(text[i])
	}
	return out, nil
}

// Instructed says whether samples are instructions with responses, so that places of the
// instructions do not count.
func (d *Data) Instructed() bool {
	for _, s := range d.sets() {
		if s.Field("input_ids") != nil && s.Field("next") != nil {
			return true
		}
	}
	return false
}

// Before gives the same data with a text before every sample, behind the tokens that texts
// begin with; nothing is asked there. tokens is how many the text has. It returns an error
// where the samples are not tokens that are followed by others, or it is not known how they
// were made.
func (d *Data) Before(text string) (out *Data, tokens int, err error) {
	if d.words == nil {
		return nil, 0, errors.New("the samples are no tokens of texts, before which another could stand")
	}
	ids, err := d.words(text)
	if err != nil {
		return nil, 0, err
	}
	c := *d
	for _, s := range []**Set{&c.Train, &c.Val, &c.Test} {
		if *s == nil {
			continue
		}
		if *s, err = (*s).before(ids, d.lead); err != nil {
			return nil, 0, err
		}
	}
	return &c, len(ids), nil
}

// before puts tokens before those of every sample.
func (s *Set) before(ids []int32, lead int) (*Set, error) {
	c := *s
	c.Fields = nil
	long := 0
	for _, f := range s.Fields {
		if len(f.Shape) == 1 && f.Ints != nil && (f.Tokens > 0 || f.Name == "text") {
			long = f.Shape[0]
		}
	}
	if long < max(1, lead) {
		return nil, fmt.Errorf("the fields of the %s set are %s: none is a row of tokens", s.Name, s.fields())
	}
	var put []*inserted
	for _, f := range s.Fields {
		in := &inserted{of: f}
		if f.Ints != nil && len(f.Shape) == 1 && f.Shape[0] == long {
			switch {
			case f.Classes > 0:
				in.at, in.with = max(0, lead-1), slices.Repeat([]int32{-1}, len(ids))
			case f.Aside:
				in.at, in.again = lead, len(ids)
			default:
				in.at, in.with = lead, ids
			}
			if in.again == 0 && f.Classes == 0 && f.Tokens == 0 && f.Name != "text" {
				in.with = nil // numbers that are as many by chance
			}
		}
		put = append(put, in)
		c.Fields = append(c.Fields, in.field())
	}
	if s.Stream != nil {
		h := sha256.Sum256(fmt.Append(nil, s.Stream.Digest(), lead, ids))
		c.Stream = &longer{s.Stream, put, hex.EncodeToString(h[:])}
	}
	return &c, nil
}

// inserted is a field into each of whose samples numbers are put.
type inserted struct {
	of    *Field
	at    int
	with  []int32
	again int // or what stands at the place before, so many times
}

// field is the field with the numbers in all samples that memory holds.
func (in *inserted) field() *Field {
	more := len(in.with) + in.again
	if more == 0 {
		return in.of
	}
	f := *in.of
	f.Gaps = f.Gaps || f.Classes > 0
	f.Shape = []int{f.Shape[0] + more}
	f.Ints = make([]int32, 0, in.of.stored()*f.Shape[0])
	for i := range in.of.stored() {
		f.Ints = in.append(f.Ints, in.of.Ints[i*in.of.Shape[0]:(i+1)*in.of.Shape[0]])
	}
	return &f
}

func (in *inserted) append(to, sample []int32) []int32 {
	to = append(to, sample[:in.at]...)
	to = append(to, in.with...)
	for range in.again {
		to = append(to, sample[max(0, in.at-1)])
	}
	return append(to, sample[in.at:]...)
}

// longer is a stream into whose samples numbers are put.
type longer struct {
	Stream
	put    []*inserted
	digest string
}

// Read reads a sample.
func (l *longer) Read(i int, to []*Field) error {
	short := slices.Clone(to)
	for k, f := range to {
		if f != nil && f.Size() != l.put[k].of.Size() {
			short[k] = l.put[k].of.like(1)
		}
	}
	if err := l.Stream.Read(i, short); err != nil {
		return err
	}
	for k, f := range to {
		if f != short[k] {
			copy(f.Ints, l.put[k].append(nil, short[k].Ints))
		}
	}
	return nil
}

// Digest identifies the samples with what is put into them.
func (l *longer) Digest() string { return l.digest }
