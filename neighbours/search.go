package neighbours

import "sort"

// search looks for the neighbours of rows, list by list.
type search struct {
	c             *centroids
	base, queries *lists
	alone         bool // the rows are those of base
	probes        int
	out           *Result
	room          map[*screen]*searching
}

// searching is the memory of a thread.
type searching struct {
	q, b               rows
	probed, near, best nearest
}

// piece is how many rows of a list are looked at together.
const piece = 512

// pieces is the number of pieces of work.
func (s *search) pieces() int { return (len(s.queries.ids) + piece - 1) / piece }

// list finds the neighbours of a piece of the rows, which lie in the order of their
// lists, so that they look at much the same lists.
func (s *search) list(c *screen, i int) error {
	r := s.room[c]
	lo, hi := i*piece, min(len(s.queries.ids), (i+1)*piece)
	if err := s.queries.rows(lo, hi, &r.q); err != nil {
		return err
	}
	ids := s.queries.ids[lo:hi]
	r.probed.reset(r.q.n, s.probes)
	s.c.seek(c, &r.q, &r.probed, &r.near)
	r.best.reset(r.q.n, s.out.K)
	var own []int32
	if s.alone {
		own = ids
	}
	probes := byProbe(&r.probed, s.base.n())
	from := sort.Search(s.base.n(), func(l int) bool { return int(s.base.starts[l+1]) > lo })
	for k := range probes { // from the rows' own list on, which is the nearest of most
		l := (from + k) % len(probes)
		for at := int(s.base.starts[l]); at < int(s.base.starts[l+1]) && len(probes[l]) > 0; at += tileColumns {
			end := min(at+tileColumns, int(s.base.starts[l+1]))
			if err := s.base.rows(at, end, &r.b); err != nil {
				return err
			}
			c.offer(&r.q, probes[l], own, &against{rows: &r.b, ids: s.base.ids[at:end]}, &r.best)
		}
	}
	k := s.out.K
	for i, id := range ids {
		copy(s.out.Index[int(id)*k:(int(id)+1)*k], r.best.id[i*k:(i+1)*k])
		copy(s.out.Distance[int(id)*k:(int(id)+1)*k], r.best.dist[i*k:(i+1)*k])
	}
	return nil
}
