package hygiene

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
)

// Duplicates are the samples that are the same as an earlier one: equal in every value
// of the fields that a sample is made of (classes, and fields called target, label, class,
// y or next, are not), by SHA-256. Each is paired with the first. Memory is 32 bytes a sample.
func Duplicates(ctx context.Context, c Corpus) ([]Pair, error) {
	first := make(map[[sha256.Size]byte]int32, c.Len())
	var out []Pair
	var b []byte
	for k, s := range c {
		from := c.first(k)
		err := each(ctx, s, inputs(s), func(i int, x []sample) error {
			b = b[:0]
			for _, f := range x {
				for _, v := range f.X {
					if v == 0 {
						v = 0 // -0 is 0
					}
					b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
				}
				for _, v := range f.I {
					b = binary.LittleEndian.AppendUint64(b, uint64(v))
				}
			}
			h, at := sha256.Sum256(b), int32(from+i)
			if f, ok := first[h]; ok {
				out = append(out, Pair{A: f, B: at})
			} else {
				first[h] = at
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
