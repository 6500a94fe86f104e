package search

import (
	"encoding/binary"
	"fmt"
	"math"

	"pare/prune"
)

// Name identifies the state in a checkpoint.
func (*drawing) Name() string { return "drawing" }

// MarshalBinary writes which units are alive, masks and stored values, and the averages.
func (h *drawing) MarshalBinary() ([]byte, error) {
	out := binary.LittleEndian.AppendUint64(nil, uint64(h.deaths))
	bits := func(m *prune.Mask) {
		for _, w := range m.Bits {
			out = binary.LittleEndian.AppendUint64(out, w)
		}
	}
	floats := func(x []float32) {
		for _, v := range x {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		}
	}
	for _, m := range h.units.alive {
		bits(m)
	}
	for _, x := range h.average {
		floats(x)
	}
	if h.masks == nil {
		return out, nil
	}
	for l, m := range h.masks.Mask {
		bits(m)
		floats(h.theta[l])
	}
	return out, nil
}

// UnmarshalBinary restores them.
func (h *drawing) UnmarshalBinary(b []byte) error {
	short := fmt.Errorf("the saved state of a supernet is another one's: %d bytes", len(b))
	bits := func(m *prune.Mask) bool {
		if len(b) < 8*len(m.Bits) {
			return false
		}
		for i := range m.Bits {
			m.Bits[i], b = binary.LittleEndian.Uint64(b), b[8:]
		}
		return true
	}
	floats := func(n int) []float32 {
		if len(b) < 4*n {
			return nil
		}
		out := make([]float32, n)
		for i := range out {
			out[i], b = math.Float32frombits(binary.LittleEndian.Uint32(b)), b[4:]
		}
		return out
	}
	if len(b) < 8 {
		return short
	}
	h.deaths, b = int(binary.LittleEndian.Uint64(b)), b[8:]
	for _, m := range h.units.alive {
		if !bits(m) {
			return short
		}
	}
	h.average, h.gone, h.masks, h.theta = nil, nil, nil, nil
	for i, grp := range h.units.groups {
		for _, k := range h.units.scales[i] {
			x := floats(grp.Axes[k].Value.Const.Len())
			if x == nil {
				return short
			}
			h.average = append(h.average, x)
		}
	}
	if len(b) == 0 {
		return nil
	}
	h.masks = prune.Dense(h.ws)
	for l, w := range h.ws {
		x := []float32(nil)
		if bits(h.masks.Mask[l]) {
			x = floats(w.Len())
		}
		if x == nil {
			return short
		}
		h.theta = append(h.theta, x)
	}
	if len(b) != 0 {
		return short
	}
	return nil
}
