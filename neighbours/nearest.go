package neighbours

import (
	"math"
	"sort"
)

// nearest holds the k nearest rows of each of several rows: sorted by distance, those
// equally far by number.
type nearest struct {
	k    int
	dist []float32 // squared
	id   []int32
}

// reset empties it, for n rows.
func (t *nearest) reset(n, k int) {
	if cap(t.dist) < n*k {
		t.dist, t.id = make([]float32, n*k), make([]int32, n*k)
	}
	t.k, t.dist, t.id = k, t.dist[:n*k], t.id[:n*k]
	for i := range t.dist {
		t.dist[i], t.id[i] = float32(math.Inf(1)), -1
	}
}

// worst is the distance of the last of row q.
func (t *nearest) worst(q int) float32 { return t.dist[(q+1)*t.k-1] }

// offer takes a row in where it is near enough.
func (t *nearest) offer(q int, d float32, id int32) {
	dist, ids := t.dist[q*t.k:(q+1)*t.k], t.id[q*t.k:(q+1)*t.k]
	last := t.k - 1
	if d > dist[last] || d == dist[last] && ids[last] >= 0 && id > ids[last] {
		return
	}
	at := sort.Search(last, func(i int) bool { return dist[i] > d || dist[i] == d && (ids[i] < 0 || ids[i] > id) })
	copy(dist[at+1:], dist[at:last])
	copy(ids[at+1:], ids[at:last])
	dist[at], ids[at] = d, id
}
