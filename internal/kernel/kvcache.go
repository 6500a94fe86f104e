package kernel

import (
	"unsafe"

	"github.com/x448/float16"
)

// KVCache holds keys and values of Dim numbers of some heads, at Room positions each, as
// attention reads them: the keys of 16 positions side by side, so that their products with a
// query are sums of vectors, and the values position by position.
type KVCache struct {
	Heads, Dim, Room int
	keys, values     numbers // [heads room/16 dim 16], [heads room wide]
}

// numbers are float32, or float16 where half is set.
type numbers struct {
	single []float32
	half   []uint16
}

func newNumbers(m *Memory, n int, half bool) numbers {
	if half {
		return numbers{half: take[uint16](m, n)}
	}
	return numbers{single: take[float32](m, n)}
}

// at is a number.
func (n numbers) at(i int) float32 {
	if n.half != nil {
		return float16.Frombits(n.half[i]).Float32()
	}
	return n.single[i]
}

// point is where a number lies.
func (n numbers) point(i int) unsafe.Pointer {
	if n.half != nil {
		return unsafe.Pointer(&n.half[i])
	}
	return unsafe.Pointer(&n.single[i])
}

// move copies n numbers from one place to another.
func (n numbers) move(to, from, count int) {
	if n.half != nil {
		copy(n.half[to:to+count], n.half[from:from+count])
	} else {
		copy(n.single[to:to+count], n.single[from:from+count])
	}
}

// KeyPanel is how many positions' keys lie side by side.
const KeyPanel = 16

// mostHalf is the least number that float16 rounds to infinity.
const mostHalf = 65520

// ValueWidth is dim, filled up to whole vectors: so many floats a sum of values takes.
func ValueWidth(dim int) int { return (dim + 15) &^ 15 }

// KVBytes is what a cache takes.
func KVBytes(heads, dim, room int, half bool) int {
	n := heads * ((room + KeyPanel - 1) &^ (KeyPanel - 1)) * (dim + ValueWidth(dim))
	if half {
		return 2 * n
	}
	return 4 * n
}

// NewKVCache makes room in memory; of float16 where half is set.
func NewKVCache(m *Memory, heads, dim, room int, half bool) *KVCache {
	c := &KVCache{Heads: heads, Dim: dim, Room: (room + KeyPanel - 1) &^ (KeyPanel - 1)}
	c.keys, c.values = newNumbers(m, heads*c.Room*dim, half), newNumbers(m, heads*c.Room*ValueWidth(dim), half)
	return c
}

// key is where number 0 of the key at a position lies; number e lies 16*e further.
func (c *KVCache) key(head, pos int) int {
	return (head*c.Room+pos&^(KeyPanel-1))*c.Dim + pos%KeyPanel
}

// value is where the value at a position begins.
func (c *KVCache) value(head, pos int) int { return (head*c.Room + pos) * ValueWidth(c.Dim) }

// Put keeps the key and the value of a position. It reports false where one is too large for
// float16.
func (c *KVCache) Put(w *Worker, head, pos int, key, value []float32) bool {
	k, v := c.key(head, pos), c.value(head, pos)
	if c.keys.half == nil {
		copy(c.values.single[v:v+c.Dim], value[:c.Dim])
		for e, x := range key[:c.Dim] {
			c.keys.single[k+KeyPanel*e] = x
		}
		return true
	}
	if cap(w.half) < c.Dim {
		w.half = make([]uint16, c.Dim)
	}
	half := w.half[:c.Dim]
	most := max(toHalf(value[:c.Dim], c.values.half[v:v+c.Dim]), toHalf(key[:c.Dim], half))
	for e, x := range half {
		c.keys.half[k+KeyPanel*e] = x
	}
	return most < mostHalf
}

// Copy makes positions [0, n) of a head those of another.
func (c *KVCache) Copy(to, from, n int) {
	panels := (n + KeyPanel - 1) &^ (KeyPanel - 1)
	c.keys.move(c.key(to, 0), c.key(from, 0), panels*c.Dim)
	c.values.move(c.value(to, 0), c.value(from, 0), n*ValueWidth(c.Dim))
}

// attentionTile is the argument of the kernels. The order of the fields is known to the
// generator; Step, XRow and YRow are in bytes.
type attentionTile struct {
	Data unsafe.Pointer
	Step int // from one row to the next, of values
	Rows int // of values; of keys: panels
	Dim  int // of keys
	X    unsafe.Pointer
	XRow int
	Y    unsafe.Pointer
	YRow int
}

// Scores writes the inner products of n queries, ldq apart, with the keys of the panels of a
// head from that of position lo to that of hi-1: y[g*ldy+p-lo&^15], p a position. Positions
// of the first and the last panel that are not in [lo, hi) get any number.
func (c *KVCache) Scores(w *Worker, head, lo, hi int, q []float32, ldq, n int, y []float32, ldy int) {
	if lo >= hi || n == 0 {
		return
	}
	lo &^= KeyPanel - 1
	panels := (hi - lo + KeyPanel - 1) / KeyPanel
	_, _ = q[(n-1)*ldq+c.Dim-1], y[(n-1)*ldy+panels*KeyPanel-1]
	if c.scoresVec(w, head, lo, panels, q, ldq, n, y, ldy) {
		return
	}
	for g := range n {
		for p := range panels {
			at, sums := c.key(head, lo+p*KeyPanel), y[g*ldy+p*KeyPanel:][:KeyPanel]
			clear(sums)
			for e, x := range q[g*ldq:][:c.Dim] {
				for i := range sums {
					sums[i] += x * c.keys.at(at+KeyPanel*e+i)
				}
			}
		}
	}
}

// Sums writes the sums of the values of a head at positions [lo, hi) times n rows of weights,
// ldx apart: y[g*ldy+e] = sum of x[g*ldx+p-lo]*value[p][e], ValueWidth floats each.
func (c *KVCache) Sums(w *Worker, head, lo, hi int, x []float32, ldx, n int, y []float32, ldy int) {
	wide := ValueWidth(c.Dim)
	if n == 0 {
		return
	}
	_ = y[(n-1)*ldy+wide-1]
	if lo >= hi {
		for g := range n {
			clear(y[g*ldy:][:wide])
		}
		return
	}
	_ = x[(n-1)*ldx+hi-lo-1]
	if c.sumsVec(w, head, lo, hi, x, ldx, n, y, ldy) {
		return
	}
	for g := range n {
		sums := y[g*ldy:][:wide]
		clear(sums)
		for p, x := range x[g*ldx:][:hi-lo] {
			at := c.value(head, lo+p)
			for e := range sums {
				sums[e] += x * c.values.at(at+e)
			}
		}
	}
}

// toHalf rounds to float16, to nearest even, and gives the largest by size; what is no number
// does not count.
func toHalf(x []float32, y []uint16) (most float32) {
	n, most := toHalfVec(x, y)
	for i, v := range x[n:] {
		y[n+i] = float16.Fromfloat32(v).Bits()
		if v = max(v, -v); v > most {
			most = v
		}
	}
	return most
}
