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
	freed *sync.Cond // a part is not used any more
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
	partRoom
	users int
	ready chan struct{}
	err   error
	at    *list.Element
}

func newCache(most int64) *cache {
	c := &cache{most: most, parts: map[place]*loaded{}, order: list.New()}
	c.freed = sync.NewCond(&c.mu)
	return c
}

// get gives a part, which is read where it is not there; several callers wait for
// one. Who has it gives it back before asking for another.
func (c *cache) get(p *parts, k int) (*loaded, error) {
	c.mu.Lock()
	h, old := c.parts[place{p, k}], partRoom{}
	for h == nil && !c.roomFor(p, &old) {
		c.freed.Wait()
		h = c.parts[place{p, k}]
	}
	if h != nil {
		h.users++
		c.order.MoveToFront(h.at)
		c.mu.Unlock()
		<-h.ready
	} else {
		c.taken += p.bytes
		h = &loaded{place: place{p, k}, users: 1, ready: make(chan struct{}), partRoom: old}
		h.at = c.order.PushFront(h)
		c.parts[h.place] = h
		c.mu.Unlock()
		if h.fields == nil {
			h.partRoom = p.room()
		}
		h.err = p.load(k, &h.partRoom)
		close(h.ready)
	}
	if h.err != nil {
		c.back(h)
		return nil, h.err
	}
	return h, nil
}

// roomFor makes room for a part: that of parts that nobody uses, of which it gives
// one of the same stream. It says whether there is room now; a part alone always has.
func (c *cache) roomFor(p *parts, old *partRoom) bool {
	for at := c.order.Back(); at != nil && c.taken+p.bytes > c.most; {
		h := at.Value.(*loaded)
		at = at.Prev()
		if h.users == 0 {
			c.remove(h)
			if h.of == p {
				*old = h.partRoom
			}
		}
	}
	return c.taken+p.bytes <= c.most || c.taken == 0
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
	if h.users--; h.users == 0 {
		if h.err != nil {
			c.remove(h)
		}
		c.freed.Broadcast()
	}
}
