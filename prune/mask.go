package prune

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"slices"

	"pare/graph"
	"pare/internal/kernel"
)

// Mask says of each entry of a tensor whether it stays (1) or is cut (0), a
// bit an entry. It is never read from "w != 0": a kept weight may pass zero.
type Mask struct {
	Len  int
	Bits []uint64 // bit i%64 of word i/64; bits past Len are 0
}

// NewMask keeps all n entries, or none.
func NewMask(n int, keep bool) *Mask {
	m := &Mask{n, make([]uint64, (n+63)/64)}
	if keep {
		for i := range m.Bits {
			m.Bits[i] = ^uint64(0)
		}
		m.trim()
	}
	return m
}

func (m *Mask) trim() {
	if r := m.Len % 64; r != 0 {
		m.Bits[len(m.Bits)-1] &= 1<<r - 1
	}
}

// Kept says whether entry i stays.
func (m *Mask) Kept(i int) bool { return m.Bits[i/64]>>(i%64)&1 != 0 }

// Set keeps or cuts entry i.
func (m *Mask) Set(i int, keep bool) {
	if keep {
		m.Bits[i/64] |= 1 << (i % 64)
	} else {
		m.Bits[i/64] &^= 1 << (i % 64)
	}
}

// Count is the number of entries that stay.
func (m *Mask) Count() int {
	c := 0
	for _, w := range m.Bits {
		c += bits.OnesCount64(w)
	}
	return c
}

// Apply writes zero to the entries that are cut.
func (m *Mask) Apply(x []float32) { kernel.Keep(m.Bits, x[:m.Len]) }

// Clone copies the mask.
func (m *Mask) Clone() *Mask { return &Mask{m.Len, slices.Clone(m.Bits)} }

// And keeps what both keep.
func (m *Mask) And(o *Mask) {
	for i := range m.Bits {
		m.Bits[i] &= o.Bits[i]
	}
}

// Or keeps what either keeps.
func (m *Mask) Or(o *Mask) {
	for i := range m.Bits {
		m.Bits[i] |= o.Bits[i]
	}
}

// Within says whether everything m keeps is kept by o too (nested masks).
func (m *Mask) Within(o *Mask) bool {
	if m.Len != o.Len {
		return false
	}
	for i := range m.Bits {
		if m.Bits[i]&^o.Bits[i] != 0 {
			return false
		}
	}
	return true
}

// Overlap is the number of entries that both keep.
func (m *Mask) Overlap(o *Mask) int {
	c := 0
	for i := range m.Bits {
		c += bits.OnesCount64(m.Bits[i] & o.Bits[i])
	}
	return c
}

// Masks is a set of masks, one for each weight, in the weights' order.
type Masks struct {
	Weights []*Weight
	Mask    []*Mask
}

// Dense keeps everything.
func Dense(ws []*Weight) *Masks {
	m := &Masks{Weights: ws}
	for _, w := range ws {
		m.Mask = append(m.Mask, NewMask(w.Len(), true))
	}
	return m
}

// Values are the tensors of weights, in their order.
func Values(ws []*Weight) []*graph.Value {
	out := make([]*graph.Value, len(ws))
	for l, w := range ws {
		out[l] = w.Value
	}
	return out
}

// Apply zeroes the cut entries of the weights.
func (m *Masks) Apply() {
	for i, w := range m.Weights {
		m.Mask[i].Apply(w.Data())
	}
}

// Count is the number of kept entries of all weights.
func (m *Masks) Count() int {
	c := 0
	for _, k := range m.Mask {
		c += k.Count()
	}
	return c
}

// Kept lists the present values of the entries that are kept, in order.
func (m *Masks) Kept() []float32 {
	var out []float32
	for l, w := range m.Weights {
		for i, x := range w.Data() {
			if m.Mask[l].Kept(i) {
				out = append(out, x)
			}
		}
	}
	return out
}

// Sparsity is the share of entries that are cut, in [0,1].
func (m *Masks) Sparsity() float64 {
	n := Total(m.Weights)
	if n == 0 {
		return 0
	}
	return 1 - float64(m.Count())/float64(n)
}

// Empty names the weights of which nothing is left (layer collapse).
func (m *Masks) Empty() []string {
	var out []string
	for i, w := range m.Weights {
		if m.Mask[i].Count() == 0 {
			out = append(out, w.Name)
		}
	}
	return out
}

// Clone copies the masks.
func (m *Masks) Clone() *Masks {
	c := &Masks{Weights: m.Weights}
	for _, k := range m.Mask {
		c.Mask = append(c.Mask, k.Clone())
	}
	return c
}

// Within says whether every mask keeps only what o's keeps.
func (m *Masks) Within(o *Masks) bool {
	for i := range m.Mask {
		if !m.Mask[i].Within(o.Mask[i]) {
			return false
		}
	}
	return true
}

// Hash identifies the masks: hex SHA-256 over names and bits.
func (m *Masks) Hash() string {
	h := sha256.New()
	for i, w := range m.Weights {
		fmt.Fprintf(h, "%s\x00%d\x00", w.Name, m.Mask[i].Len)
		binary.Write(h, binary.LittleEndian, m.Mask[i].Bits) //nolint:errcheck // a hash does not fail
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Name identifies the masks among the states of a checkpoint.
func (m *Masks) Name() string { return "masks" }

// MarshalBinary writes the bits, for a checkpoint.
func (m *Masks) MarshalBinary() ([]byte, error) {
	var out []byte
	for _, k := range m.Mask {
		out = binary.LittleEndian.AppendUint64(out, uint64(k.Len))
		for _, w := range k.Bits {
			out = binary.LittleEndian.AppendUint64(out, w)
		}
	}
	return out, nil
}

// UnmarshalBinary restores the bits; the weights must be those of the writer.
func (m *Masks) UnmarshalBinary(b []byte) error {
	for i, k := range m.Mask {
		need := 8 + 8*len(k.Bits)
		if len(b) < need || binary.LittleEndian.Uint64(b) != uint64(k.Len) {
			return fmt.Errorf("the saved mask of %q does not fit the weight (%d entries)", m.Weights[i].Name, k.Len)
		}
		for j := range k.Bits {
			k.Bits[j] = binary.LittleEndian.Uint64(b[8+8*j:])
		}
		k.trim()
		b = b[need:]
	}
	if len(b) != 0 {
		return fmt.Errorf("the saved masks are %d bytes too long: they belong to another network", len(b))
	}
	return nil
}
