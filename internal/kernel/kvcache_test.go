package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/x448/float16"
)

// filled is a cache with numbers at all positions, and what it should hold.
func filled(t *testing.T, r *rand.Rand, heads, dim, room int, half bool) (c *KVCache, keys, values []float32) {
	t.Helper()
	c = NewKVCache(nil, heads, dim, room, half)
	keys, values = random(r, heads*room*dim), random(r, heads*room*dim)
	for h := range heads {
		for p := range room {
			at := (h*room + p) * dim
			if !c.Put(&Worker{}, h, p, keys[at:at+dim], values[at:at+dim]) {
				t.Fatal("small numbers are too large")
			}
		}
	}
	if half {
		for _, x := range [][]float32{keys, values} {
			for i, v := range x {
				x[i] = float16.Fromfloat32(v).Float32()
			}
		}
	}
	return c, keys, values
}

// Products with keys and sums of values are those of the numbers that were put there, rounded
// to float16 where the cache has that: for any size of heads, number of queries, range of
// positions, and instructions.
func TestKVCache(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, half := range []bool{false, true} {
			for _, dim := range []int{1, 3, 6, 8, 17, 64, 80, 96, 128} {
				const heads, room = 2, 45
				c, keys, values := filled(t, r, heads, dim, room, half)
				for _, n := range []int{1, 2, 3, 4, 5, 7} {
					for _, span := range [][2]int{{0, 1}, {0, 16}, {5, 40}, {17, 18}, {31, 45}, {7, 7}} {
						lo, hi := span[0], span[1]
						name := fmt.Sprintf("half %v, dim %d, %d rows, %d to %d", half, dim, n, lo, hi)
						q, x := random(r, n*(dim+3)), random(r, n*50)
						const ld = 151
						y, z := make([]float32, n*ld), make([]float32, n*ld)
						for i := range y {
							y[i], z[i] = 77, 77
						}
						w := &Worker{}
						c.Scores(w, 1, lo, hi, q, dim+3, n, y, ld)
						c.Sums(w, 1, lo, hi, x, 50, n, z, ld)
						for g := range n {
							for p := lo; p < hi; p++ {
								want, size := 0., 1e-7
								for e := range dim {
									d := float64(q[g*(dim+3)+e]) * float64(keys[(room+p)*dim+e])
									want, size = want+d, size+math.Abs(d)
								}
								if got := float64(y[g*ld+p-lo&^15]); !(math.Abs(got-want) <= 1e-6*size) {
									t.Fatalf("%s: score %d of row %d is %v, want %v", name, p, g, got, want)
								}
							}
							for e := range dim {
								want, size := 0., 1e-7
								for p := lo; p < hi; p++ {
									d := float64(x[g*50+p-lo]) * float64(values[(room+p)*dim+e])
									want, size = want+d, size+math.Abs(d)
								}
								if got := float64(z[g*ld+e]); !(math.Abs(got-want) <= 1e-6*size) {
									t.Fatalf("%s: sum %d of row %d is %v, want %v", name, e, g, got, want)
								}
							}
							behind := (hi + 15) &^ 15
							if behind -= lo &^ 15; lo == hi {
								behind = 0
							}
							for i := range ld {
								if i >= behind && y[g*ld+i] != 77 || i >= ValueWidth(dim) && z[g*ld+i] != 77 {
									t.Fatalf("%s: it wrote behind row %d", name, g)
								}
							}
						}
					}
				}
			}
		}
	})
}

// A copy of a head's first positions is as they are, and leaves others alone.
func TestKVCacheCopy(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, half := range []bool{false, true} {
		const dim, room = 5, 40
		c, keys, values := filled(t, r, 3, dim, room, half)
		c.Copy(2, 0, 19)
		for _, at := range [][3]int{{2, 18, 0}, {2, 33, 2}, {1, 18, 1}} { // a head and a position, whose they are
			head, p, from := at[0], at[1], at[2]
			for e := range dim {
				if c.keys.at(c.key(head, p)+16*e) != keys[(from*room+p)*dim+e] || c.values.at(c.value(head, p)+e) != values[(from*room+p)*dim+e] {
					t.Errorf("half %v: head %d at %d has not what head %d has", half, head, p, from)
				}
			}
		}
		if got, want := KVBytes(3, dim, room, half), len(c.keys.single)*4+len(c.values.single)*4+len(c.keys.half)*2+len(c.values.half)*2; got != want {
			t.Errorf("half %v: %d bytes are foretold, and %d taken", half, got, want)
		}
	}
}

// Float16 rounds to nearest even, alike by all instructions, and what it cannot hold is said.
func TestToHalf(t *testing.T) {
	var x []float32
	for b := range 1 << 16 {
		v := float16.Frombits(uint16(b)).Float32()
		next := math.Float32frombits(math.Float32bits(v) + 1<<12) // half way to the next
		x = append(x, v, next, math.Float32frombits(math.Float32bits(next)+1), math.Float32frombits(math.Float32bits(next)-1))
	}
	eachISA(t, func(t *testing.T) {
		y := make([]uint16, len(x))
		toHalf(x, y)
		for i, v := range x {
			if want := float16.Fromfloat32(v); y[i] != want.Bits() && !(want.IsNaN() && float16.Frombits(y[i]).IsNaN()) {
				t.Fatalf("%v is %v, want %v", v, float16.Frombits(y[i]), want)
			}
		}
		for _, n := range []int{1, 16, 37} {
			for _, v := range []float32{65519, -65519, 65520, -65520, float32(math.Inf(-1))} {
				c, z := NewKVCache(nil, 1, n, 1, true), make([]float32, n)
				big := make([]float32, n)
				big[n-1] = v
				fits := max(v, -v) < 65520
				if c.Put(&Worker{}, 0, 0, big, z) != fits || c.Put(&Worker{}, 0, 0, z, big) != fits {
					t.Errorf("%v among %d: fits should be %v", v, n, fits)
				}
			}
		}
	})
}
