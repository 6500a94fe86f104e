package federated

import (
	"pare/graph"
	"pare/measure"
	"pare/prune"
)

// Facts are what the clients and the server did, and what that took.
type Facts struct {
	Params int `json:"params"` // parameters of the network in all
	Dense  int `json:"dense"`  // of them those that no mask cuts
	Kept   int `json:"kept"`   // of the others those that stay

	Pool   []Candidate   `json:"pool,omitempty"` // of the adaptive selection
	Chosen int           `json:"chosen"`         // place in Pool
	Rounds []Round       `json:"rounds"`
	Device Device        `json:"device"`
	Of     []ClientFacts `json:"clients"`
}

// Candidate is a mask that clients tried.
type Candidate struct {
	Kept []int   `json:"kept"` // of each layer
	Loss float64 `json:"loss"` // mean over the clients' development parts
	Held float64 `json:"held"` // on what is held out, which does not choose; 0 where nothing is
	Out  []Out   `json:"left_out,omitempty"`
}

// Round is what a round came to.
type Round struct {
	Round    int     `json:"round"`
	Clients  int     `json:"clients"` // whose answers counted
	Loss     float64 `json:"loss"`    // of their trainings
	Clipped  int     `json:"clipped,omitempty"`
	Adjusted []Moved `json:"adjusted,omitempty"`
	Out      []Out   `json:"left_out,omitempty"`
}

// Moved is how many weights of a layer were dropped, and as many grown.
type Moved struct {
	Layer string `json:"layer"`
	Count int    `json:"count"`
	Pairs int    `json:"pairs"` // positions that clients sent
}

// Out is a client whose answer was left out.
type Out struct {
	Client int    `json:"client"` // from 1
	Why    string `json:"why"`
}

// ClientFacts are what a client sent, got and computed.
type ClientFacts struct {
	Samples int   `json:"samples"`
	Down    int64 `json:"bytes_down"` // of messages to it
	Up      int64 `json:"bytes_up"`   // of its answers
	MACs    int64 `json:"macs"`       // multiply-accumulates of its training, three passes a sample, and of what it tried
	Whole   int64 `json:"macs_dense"` // of as much training of the whole network
	Rounds  int   `json:"rounds"`     // that its update counted in
}

// Device is what the network takes at a client.
type Device struct {
	Bytes      int64 `json:"bytes"`       // of the parameters: values that are kept, their places, what is dense
	DenseBytes int64 `json:"bytes_dense"` // of all parameters
	Buffer     int64 `json:"buffer"`      // of an adjustment: pairs that are kept, and a tile
	MACs       int64 `json:"macs"`        // forward, a sample, by the masks at the end
	DenseMACs  int64 `json:"macs_dense"`
	Message    int64 `json:"message"` // bytes of a broadcast of a round, masks and all
	Whole      int64 `json:"message_dense"`
}

// costs are the multiply-accumulates of a network for one sample, by layer.
type costs struct {
	all, rest int64
	layer     []int64
}

func costsOf(g *graph.Graph, ws []*prune.Weight) *costs {
	size, layers := measure.Count(g)
	c := &costs{all: size.MACs, rest: size.MACs, layer: make([]int64, len(ws))}
	for _, l := range layers {
		for i, w := range ws {
			if w.Name == l.Name {
				c.layer[i] += l.MACs
				c.rest -= l.MACs
			}
		}
	}
	return c
}

// under are those with masks.
func (c *costs) under(masks []*prune.Mask) int64 {
	sum := c.rest
	for i, m := range masks {
		sum += int64(float64(c.layer[i]) * float64(m.Count()) / float64(m.Len))
	}
	return sum
}

// whole is what the derivatives by all weights of some layers take beyond those that are
// kept.
func (c *costs) whole(ask []Quota, masks []*prune.Mask) (sum int64) {
	for _, q := range ask {
		m := masks[q.Layer]
		sum += c.layer[q.Layer] - int64(float64(c.layer[q.Layer])*float64(m.Count())/float64(m.Len))
	}
	return sum
}
