package dataset

import (
	"container/list"
	"sync"
)

// cache holds parts of streams, those that were last used, in bounded memory. Room
// of a part that goes is used for one that comes.
type cache struct {
	most int64 // bytes

	mu    sync.Mutex
	taken int64
	parts map[place]*loaded
	order *list.List // of *loaded; the last used in front
}

// place is part k of a stream.
type place struct {
	of *parts
	k  int
}

// loaded is a part in memory, or on its way there.
type loaded struct {
	place
	fields []*Field // with room for the largest part
	users  int
	ready  chan struct{}
	err    error
	at     *list.Element
}

func newCache(most int64) *cache {
	return &cache{most: most, parts: map[place]*loaded{}, order: list.New()}
}

// get gives a part, which is read where it is not there; several callers wait for
// one. Who has it gives it back.
func (c *cache) get(p *parts, k int) (*loaded, error) {
	c.mu.Lock()
	h := c.parts[place{p, k}]
	if h != nil {
		h.users++
		c.order.MoveToFront(h.at)
		c.mu.Unlock()
		<-h.ready
	} else {
		h = &loaded{place: place{p, k}, users: 1, ready: make(chan struct{}), fields: c.roomFor(p)}
		h.at = c.order.PushFront(h)
		c.parts[h.place] = h
		c.mu.Unlock()
		if h.fields == nil {
			h.fields = p.room()
		}
		h.err = p.load(k, h.fields)
		close(h.ready)
	}
	if h.err != nil {
		c.back(h)
		return nil, h.err
	}
	return h, nil
}

// roomFor takes room for a part: that of parts that nobody uses. It gives fields
// that were there of the same stream; nil: they are to be made.
func (c *cache) roomFor(p *parts) (fields []*Field) {
	for at := c.order.Back(); at != nil && c.taken+p.bytes > c.most; {
		h := at.Value.(*loaded)
		at = at.Prev()
		if h.users == 0 {
			c.remove(h)
			if h.of == p {
				fields = h.fields
			}
		}
	}
	c.taken += p.bytes
	return fields
}

func (c *cache) remove(h *loaded) {
	c.order.Remove(h.at)
	delete(c.parts, h.place)
	c.taken -= h.of.bytes
}

// back gives a part back. One that could not be read is forgotten.
func (c *cache) back(h *loaded) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.users--; h.err != nil && h.users == 0 {
		c.remove(h)
	}
}
