// Package sharing describes how the weights of a network read from one short array: the
// mapping by hash, the random signs, and the scale of each tensor (Desai,
// Shrivastava 2024, arXiv 2310.11611). What it holds in addition to the array is small:
// the mapping's name, a seed, and the tensors' names, shapes and scales.
package sharing

import (
	"encoding/json"
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// The mappings.
const (
	Fold   = "fold"   // random fold: pieces of the array's length, each rotated by a random amount
	Hashed = "hashed" // HashedNet: every entry at a random slot (Chen et al. 2015)
	Roast  = "roast"  // ROAST: square tiles at random places (Desai, Zhou, Shrivastava 2022)
)

// Layout says where the entries of tensors read in an array, and with what sign
// and scale: entry i of tensor l is Scale_l * sign * array[slot]. The order of the
// tensors is part of it.
type Layout struct {
	Mapper  string   `json:"mapper"`
	Seed    *uint64  `json:"seed"`
	Len     int      `json:"len"`            // of the array
	Tile    int      `json:"tile,omitempty"` // side of a tile of roast
	Tensors []Tensor `json:"tensors"`
}

// Tensor is one that reads from the array.
type Tensor struct {
	Name  string  `json:"name"`
	Shape []int   `json:"shape"`
	Scale float32 `json:"scale"`
}

// size is the number of entries; the layout has been checked.
func (t *Tensor) size() int {
	n, _ := tensor.Size(t.Shape)
	return n
}

// Check returns an error where a layout is not possible.
func (l *Layout) Check() error {
	switch {
	case l.Mapper != Fold && l.Mapper != Hashed && l.Mapper != Roast:
		return fmt.Errorf("there is no mapping %q: use %s, %s or %s", l.Mapper, Fold, Hashed, Roast)
	case l.Seed == nil:
		return fmt.Errorf("the shared weights have no seed: without it no weight can be found")
	case l.Len < 1 || l.Len >= prime:
		return fmt.Errorf("an array of %d numbers: there must be at least 1 and fewer than %d", l.Len, prime)
	case l.Mapper == Roast && (l.Tile < 1 || l.Tile > math.MaxInt32 || l.Tile*l.Tile >= l.Len):
		return fmt.Errorf("tiles of %d by %d do not fit into an array of %d numbers: give smaller tiles or a larger budget", l.Tile, l.Tile, l.Len)
	case len(l.Tensors) == 0:
		return fmt.Errorf("no tensor reads from the array")
	}
	names, all := map[string]bool{}, 0
	for _, t := range l.Tensors {
		n, ok := tensor.Size(t.Shape)
		if !ok || len(t.Shape) < 2 || n > math.MaxInt-all {
			return fmt.Errorf("shared tensor %q has shape %v, which is not possible", t.Name, t.Shape)
		}
		all += n
		if names[t.Name] {
			return fmt.Errorf("shared tensor %q is listed twice", t.Name)
		}
		names[t.Name] = true
		if s := float64(t.Scale); !(s > 0) || math.IsInf(s, 0) {
			return fmt.Errorf("shared tensor %q has scale %v: it must be positive", t.Name, t.Scale)
		}
	}
	return nil
}

// prop is the metadata of a network whose weights are shared.
const prop = "pare.shared"

// Mark writes a layout into a network's metadata, where it stays when the network
// is written to a file. Other runtimes ignore it.
func (l *Layout) Mark(g *graph.Graph) {
	b, _ := json.Marshal(l) // a float32 is written so that it reads back to the same bits
	for i := range g.Meta.Props {
		if g.Meta.Props[i].Key == prop {
			g.Meta.Props[i].Value = string(b)
			return
		}
	}
	g.Meta.Props = append(g.Meta.Props, graph.Prop{Key: prop, Value: string(b)})
}

// Parse reads the layout of a network's metadata, nil where there is none.
func Parse(props []graph.Prop) (*Layout, error) {
	for _, p := range props {
		if p.Key != prop {
			continue
		}
		l := &Layout{}
		if err := json.Unmarshal([]byte(p.Value), l); err != nil {
			return nil, fmt.Errorf("the layout of the shared weights: %w", err)
		}
		return l, l.Check()
	}
	return nil, nil
}
