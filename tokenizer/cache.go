package tokenizer

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// cache remembers the tokens of pieces: each piece has one place, which it may lose to
// another.
type cache struct {
	seed  maphash.Seed
	slots []atomic.Pointer[remembered]
}

type remembered struct {
	text string
	ids  []int32
}

// Bounds of what is remembered.
const (
	maxCache       = 1 << 14 // pieces
	maxCachedBytes = 128     // of a piece
)

func newCache() *cache {
	return &cache{maphash.MakeSeed(), make([]atomic.Pointer[remembered], maxCache)}
}

// get gives the place of a piece, and its tokens; nil: they are not known.
func (c *cache) get(text string) (int, []int32) {
	if len(text) > maxCachedBytes {
		return -1, nil
	}
	slot := int(maphash.String(c.seed, text) % maxCache)
	if r := c.slots[slot].Load(); r != nil && r.text == text {
		return slot, r.ids
	}
	return slot, nil
}

func (c *cache) put(slot int, text string, ids []int32) {
	if slot >= 0 {
		c.slots[slot].Store(&remembered{strings.Clone(text), append(make([]int32, 0, len(ids)), ids...)})
	}
}
