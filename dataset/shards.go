package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"math/bits"
	"path/filepath"
	"slices"
)

// shard is a file of samples, or a place in one.
type shard struct {
	name    string
	n       int
	extents []*extent // of fields; nil: memory holds it
}

// packed says that the samples can only be read together.
func (s *shard) packed() bool {
	return slices.ContainsFunc(s.extents, func(c *extent) bool { return c != nil && c.unpack != nil })
}

// indexed is the bytes that a sample of a stream takes besides its own: its place in
// an order, which is made from another, its class, and its place in a split.
const indexed = 24

// over says whether samples of so many bytes are to be streamed, and makes the cache
// of their parts.
func (d *Data) over(samples int, bytes int64) (bool, error) {
	if d.bound <= 0 || bytes <= d.bound {
		return false, nil
	}
	if samples > math.MaxInt32 {
		return true, fmt.Errorf("%d samples are more than %d", samples, math.MaxInt32)
	}
	most := (d.bound - indexed*int64(samples)) / 2
	if least := d.bound / 8; most < least {
		return true, fmt.Errorf("the order of %d samples alone takes %d bytes, most of the %d that samples may: let them take more", samples, indexed*int64(samples), d.bound)
	}
	low := max(0, bits.Len64(uint64(most))-3) // a bound that is a little different makes no other order
	d.cache = newCache(most >> low << low)
	d.note("the samples would take %s in memory, more than the %s that they may: they are streamed from their files", amount(bytes), amount(d.bound))
	return true, nil
}

// amount is bytes in words.
func amount(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GB", n>>30)
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%d MB", n>>20)
	}
	return fmt.Sprintf("%d kB", (n+1023)>>10)
}

// streamed is a set of shards, fields of which memory holds where they are not empty.
func (d *Data) streamed(fields []*Field, shards []shard) (*Set, error) {
	s := New("", fields...)
	s.Bound = d.bound
	of := make([]*Field, len(fields))
	sample := int64(0)
	for j, f := range fields {
		if !f.Held() {
			g := *f // the set may make another of it
			of[j] = &g
			sample += f.bytes()
		}
	}
	rows := int(max(1, d.partBytes()/max(1, sample)))
	type piece struct{ shard, lo, n int }
	var pieces []piece
	var n []int
	for k := range shards {
		step := rows
		if shards[k].packed() {
			if step = shards[k].n; int64(step)*sample > d.cache.most/4 {
				return nil, fmt.Errorf("%s: its samples are packed together and take %s, of which %s may be in memory at a time: let samples take more, or save them without compression", shards[k].name, amount(int64(step)*sample), amount(d.cache.most/4))
			}
		}
		for lo := 0; lo < shards[k].n; lo += step {
			pieces = append(pieces, piece{k, lo, min(step, shards[k].n-lo)})
			n = append(n, pieces[len(pieces)-1].n)
		}
	}
	p := newParts(n, of, 0, 0, d.cache, func(k int, to *partRoom) error {
		at := pieces[k]
		for j, c := range shards[at.shard].extents {
			if c != nil && to.fields[j] != nil {
				if err := c.read(at.lo, at.lo+at.n, to.fields[j]); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if sample > d.cache.most/4 {
		return nil, fmt.Errorf("a sample takes %s, and %s may be in memory at a time: let samples take more", amount(sample), amount(d.cache.most/4))
	}
	h := sha256.New()
	for k := range shards {
		for _, c := range shards[k].extents {
			if c != nil {
				if err := c.digest(h); err != nil {
					return nil, err
				}
			}
		}
	}
	p.digest = hex.EncodeToString(h.Sum(nil))
	s.Stream = p
	d.sayWindow(p)
	return s, nil
}

// sayWindow notes how a stream is shuffled where that is not as a whole.
func (d *Data) sayWindow(p *parts) {
	if p.window < p.Len() {
		d.note("streamed samples are shuffled by parts of %d, within a window of %d", p.longest, p.window)
	}
}

// partBytes is how many bytes a part of a stream should take, so that a window has many.
func (d *Data) partBytes() int64 { return min(d.cache.most/32, 4<<20) }

// blocks and block are how many bytes of a file a digest is over, beside its name
// and size: of a file of so much, all.
const blocks, block = 16, 1 << 12

// digest adds what identifies an extent's file: its name, its size and blocks of it,
// evenly apart.
func (c *extent) digest(h hash.Hash) error {
	fmt.Fprintf(h, "%q %d %d %d;", filepath.Base(c.name), c.file.size, c.size, c.samples)
	if err := c.file.digest(h); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}

// digest adds blocks of a file.
func (s *stamp) digest(h hash.Hash) error {
	f, err := s.open()
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, block)
	for k := range int64(blocks) {
		at := max(0, s.size-block) / (blocks - 1) * k
		n, err := f.ReadAt(b[:min(block, s.size-at)], at)
		if err != nil {
			return err
		}
		h.Write(b[:n])
	}
	return nil
}
