package report

import (
	"math"
	"sort"
)

// The layout of a diagram is Sugiyama's: nodes are put on layers so that every
// edge goes down, edges that span several layers are cut by points between,
// each layer is ordered by the barycentres of its neighbours, and the places on
// the layers are the least squares to the neighbours' that keep the distance
// (Sugiyama, Tagawa, Toda 1981).

// spot is a node, or a point where an edge passes a layer.
type spot struct {
	node     int // -1 for a point
	layer    int
	x        float64
	up, down []*spot
}

const (
	nodeWidth, nodeHeight = 210, 46
	layerGap, sideGap     = 34, 26
)

// width is the room that a spot takes.
func (s *spot) width() float64 {
	if s.node < 0 {
		return 14
	}
	return nodeWidth
}

// route is an edge as the spots that it passes.
type route []*spot

// layout places the nodes of a diagram and routes its edges, in their order.
func (d *Diagram) layout() (layers [][]*spot, routes []route) {
	depth := make([]int, len(d.Nodes))
	for _, e := range d.Edges { // edges come in the order of the nodes they lead to
		depth[e.To] = max(depth[e.To], depth[e.From]+1)
	}
	// a source is drawn just above its first reader
	first := make([]int, len(d.Nodes))
	fed := make([]bool, len(d.Nodes))
	for _, e := range d.Edges {
		fed[e.To] = true
		if first[e.From] == 0 || depth[e.To] < first[e.From] {
			first[e.From] = depth[e.To]
		}
	}
	spots := make([]*spot, len(d.Nodes))
	put := func(s *spot) *spot {
		for len(layers) <= s.layer {
			layers = append(layers, nil)
		}
		layers[s.layer] = append(layers[s.layer], s)
		return s
	}
	for i := range d.Nodes {
		l := depth[i]
		if !fed[i] && first[i] > 1 {
			l = first[i] - 1
		}
		spots[i] = put(&spot{node: i, layer: l})
	}
	for _, e := range d.Edges {
		r := route{spots[e.From]}
		for l := spots[e.From].layer + 1; l < spots[e.To].layer; l++ {
			r = append(r, put(&spot{node: -1, layer: l}))
		}
		r = append(r, spots[e.To])
		for i := range r[1:] {
			r[i].down = append(r[i].down, r[i+1])
			r[i+1].up = append(r[i+1].up, r[i])
		}
		routes = append(routes, r)
	}
	for _, l := range layers {
		spread(l, func(s *spot) float64 { return s.x })
	}
	for k := range 24 {
		for i := range layers {
			l, near := layers[i], func(s *spot) []*spot { return s.up }
			if k%2 == 1 {
				l, near = layers[len(layers)-1-i], func(s *spot) []*spot { return s.down }
			}
			if k < 12 {
				sort.SliceStable(l, func(a, b int) bool { return centre(l[a], near(l[a])) < centre(l[b], near(l[b])) })
			}
			spread(l, func(s *spot) float64 { return centre(s, near(s)) })
		}
	}
	least := math.Inf(1)
	for _, l := range layers {
		for _, s := range l {
			least = min(least, s.x-s.width()/2)
		}
	}
	for _, l := range layers {
		for _, s := range l {
			s.x -= least
		}
	}
	return layers, routes
}

// centre is the mean place of a spot's neighbours, its own where it has none.
// Points of one edge pull harder, which keeps it straight.
func centre(s *spot, near []*spot) float64 {
	if len(near) == 0 {
		return s.x
	}
	x, w := 0.0, 0.0
	for _, t := range near {
		k := 1.0
		if s.node < 0 && t.node < 0 {
			k = 8
		}
		x, w = x+k*t.x, w+k
	}
	return x / w
}

// spread gives the spots of a layer the places nearest to those wanted that
// keep their order and distance: isotonic regression, by pooling neighbours.
func spread(l []*spot, want func(*spot) float64) {
	type block struct{ sum, n float64 }
	var blocks []block
	var offset []float64 // of each spot from the first, packed
	var size []int       // spots in each block
	o := 0.0
	for i, s := range l {
		if i > 0 {
			o += (l[i-1].width()+s.width())/2 + sideGap
		}
		offset = append(offset, o)
		blocks, size = append(blocks, block{want(s) - o, 1}), append(size, 1)
		for k := len(blocks) - 1; k > 0 && blocks[k-1].sum/blocks[k-1].n >= blocks[k].sum/blocks[k].n; k-- {
			blocks[k-1].sum += blocks[k].sum
			blocks[k-1].n += blocks[k].n
			size[k-1] += size[k]
			blocks, size = blocks[:k], size[:k]
		}
	}
	i := 0
	for k, b := range blocks {
		for range size[k] {
			l[i].x = b.sum/b.n + offset[i]
			i++
		}
	}
}
