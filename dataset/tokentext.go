package dataset

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"
)

// tokenText reads a text as tokens, each sample seq of them and the ones that follow. The
// text is read piece by piece. Tokens that are more than samples may take go to a
// temporary file, from which the samples are streamed.
func (d *Data) tokenText(path string, seq int, k *tokenizing) error {
	if k.text != nil || k.types || k.answering != nil {
		return errors.New("text=, types= and response= are of columns: a text has none")
	}
	f, err := d.openRecords(path)
	if err != nil {
		return err
	}
	all := &tokenFile{path: path, seq: seq, bound: d.bound}
	r, err := f.open()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer r.Close()
	if err := all.read(r, k); err != nil {
		all.close()
		return fmt.Errorf("%s: %w", path, err)
	}
	return d.samplesOf(all, f, k)
}

// tokenBytes makes tokens of a text in memory.
func (d *Data) tokenBytes(b []byte, seq int, k *tokenizing) error {
	all := &tokenFile{seq: seq}
	if err := all.read(bytes.NewReader(b), k); err != nil {
		return err
	}
	return d.samplesOf(all, nil, k)
}

// samplesOf makes samples of the tokens of a text.
func (d *Data) samplesOf(all *tokenFile, f *source, k *tokenizing) (err error) {
	d.speak(k, false)
	n := all.samples()
	if n < 1 {
		all.close()
		return fmt.Errorf("%d tokens of text are less than one sample of %d", all.n, all.seq)
	}
	d.note("the text has %d tokens, of %d that there are; those that the tokenizer puts around a text are left out", all.n, k.Size)
	var s *Set
	if all.file == nil {
		s = all.set(all.ids, n, k.Size)
	} else if s, err = all.stream(d, f, k.Size); err != nil {
		all.close()
		return err
	}
	s.Ordered = true
	d.Train, d.Test, err = s.Split(.1, 1)
	return err
}

// tokenFile are the tokens of a text.
type tokenFile struct {
	path  string
	seq   int
	bound int64 // bytes that samples may take in memory; 0: any
	n     int   // tokens
	ids   []int32
	file  *os.File // where they are, if they are too many
	to    *bufio.Writer
}

// perToken is what a token takes in a file, in bytes.
const perToken = 4

func (t *tokenFile) samples() int { return max(0, t.n-1) / t.seq }

// close forgets the tokens. The file is not there for others any more.
func (t *tokenFile) close() {
	if t.file != nil {
		t.file.Close()
	}
}

// read makes tokens of a text.
func (t *tokenFile) read(r io.Reader, k *tokenizing) error {
	w := &window{in: r}
	for begun := false; ; begun = true {
		if len(w.rest()) < 2*mostParagraph && w.err == nil {
			w.fill()
		}
		b := w.rest()
		if !begun {
			if err := notText(b); err != nil {
				return err
			}
			if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) {
				w.lo = 3
				b = w.rest()
			}
		}
		n, divided := paragraph(b)
		for ; !divided && w.err == nil; n, divided = paragraph(b) {
			if t.bound > 0 && int64(cap(w.b)) > max(t.bound/4, mostWindow) {
				return fmt.Errorf("from byte %d on it cannot be divided: %s without a line that begins with a letter; let samples take more, or divide its lines", w.offset(), amount(int64(len(b))))
			}
			w.fill()
			b = w.rest()
		}
		if w.err != nil && w.err != io.EOF {
			return w.err
		}
		if len(b) == 0 {
			break
		}
		if !utf8.Valid(b[:n]) {
			return errors.New("the text is not UTF-8")
		}
		some, err := k.Tokens(string(b[:n]))
		if err != nil {
			return err
		}
		if err := t.take(some); err != nil {
			return err
		}
		w.lo += n
	}
	if t.file == nil {
		return nil
	}
	return t.full(t.to.Flush())
}

// take takes tokens that follow.
func (t *tokenFile) take(ids []int32) error {
	if t.n += len(ids); t.file == nil {
		t.ids = append(t.ids, ids...)
		if t.bound <= 0 || 2*perToken*int64(t.samples())*int64(t.seq) <= t.bound {
			return nil
		}
		f, err := os.CreateTemp("", "pare-*")
		if err != nil {
			return err
		}
		os.Remove(f.Name()) //nolint:errcheck // a system that keeps open files keeps it
		t.file, t.to, ids = f, bufio.NewWriterSize(f, 1<<16), t.ids
		t.ids = nil
	}
	var b [perToken]byte
	for _, v := range ids {
		binary.LittleEndian.PutUint32(b[:], uint32(v))
		if _, err := t.to.Write(b[:]); err != nil {
			return t.full(err)
		}
	}
	return nil
}

// full says what a temporary file needs.
func (t *tokenFile) full(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("its tokens are written into a temporary file in %s, which needs %s and more there: %w", os.TempDir(), amount(perToken*int64(t.n)), err)
}

// set is n samples of tokens that follow each other.
func (t *tokenFile) set(ids []int32, n, classes int) *Set {
	now, next := textFields(t.seq, n)
	copy(now.Ints, ids)
	copy(next.Ints, ids[1:])
	next.Classes = classes
	return New("", now, next)
}

// stream makes a stream of the samples.
func (t *tokenFile) stream(d *Data, f *source, classes int) (*Set, error) {
	n := t.samples()
	if _, err := d.over(n, 2*perToken*int64(n)*int64(t.seq)); err != nil {
		return nil, err
	}
	d.note("its tokens are in a temporary file of %s while they are read", amount(perToken*int64(t.n)))
	return d.streamPieces(pieced{
		files: []*source{f},
		marks: []*marks{{any: true, records: n, of: []mark{{}}}},
		read: func(p piece) (*Set, error) {
			raw := make([]byte, perToken*(p.n*t.seq+1))
			if _, err := t.file.ReadAt(raw, perToken*int64(p.at.record)*int64(t.seq)); err != nil {
				return nil, err
			}
			ids := make([]int32, p.n*t.seq+1)
			for i := range ids {
				ids[i] = int32(binary.LittleEndian.Uint32(raw[perToken*i:]))
			}
			return t.set(ids, p.n, classes), nil
		},
	})
}

// mostParagraph is how many bytes of a text are made into tokens at a time, at least.
const mostParagraph = 1 << 16

// paragraph is where a text can be divided: before a line that begins with no space, of
// which tokenizers make no piece with what comes before it. Not divided: it is not known
// to end there.
func paragraph(b []byte) (n int, divided bool) {
	for at := min(mostParagraph, len(b)); at < len(b); at++ {
		if b[at-1] == '\n' && b[at] > ' ' && b[at] < utf8.RuneSelf {
			return at, true
		}
	}
	return len(b), false
}
