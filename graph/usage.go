package graph

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Usage says how a network is used where its file leaves that open. Copies of the
// network keep it; files do not hold it.
type Usage struct {
	// Sizes of symbols in the shapes of the inputs, but for the batch: the network is
	// counted, measured and trained at these (see SetSize, SetShape).
	Sizes    map[string]int
	Drawn    bool   // its weights are as they were drawn, before any training
	OutputOf string // the output that answers, where there are several; "": it is found by its shape
}

// SetSize says at which size a free axis of the inputs is used. It returns an error
// where no input has an axis of the name.
func (g *Graph) SetSize(name string, size int) error {
	if size < 1 {
		return fmt.Errorf("size %s=%d is not positive", name, size)
	}
	free := g.Free()
	if !slices.Contains(free, name) {
		if len(free) == 0 {
			return fmt.Errorf("there is no free size %q: the network fixes all sizes", name)
		}
		return fmt.Errorf("there is no free size %q: the free sizes are %s", name, strings.Join(free, ", "))
	}
	if g.Usage.Sizes == nil {
		g.Usage.Sizes = map[string]int{}
	}
	if old, ok := g.Usage.Sizes[name]; ok && old != size {
		return fmt.Errorf("size %s is to be %d and %d", name, old, size)
	}
	g.Usage.Sizes[name] = size
	return nil
}

// SetShape says at which shape an input is used. One whose rank the file does not say
// gets that many free axes. It returns an error where the file says otherwise.
func (g *Graph) SetShape(input string, shape []int) error {
	i := slices.IndexFunc(g.Inputs, func(v *Value) bool { return v.Name == input })
	if i < 0 {
		var names []string
		for _, v := range g.Inputs {
			names = append(names, v.Name)
		}
		return fmt.Errorf("there is no input %q: the inputs are %s", input, strings.Join(names, ", "))
	}
	v := g.Inputs[i]
	if v.Shape == nil {
		for k := range shape {
			v.Shape = append(v.Shape, Sym(fmt.Sprintf("%s.%d", input, k)))
		}
	}
	if len(shape) != len(v.Shape) {
		return fmt.Errorf("input %q has shape %v, not %v", input, v.Shape, shape)
	}
	for k, d := range v.Shape {
		switch {
		case d.Known() && d.Mul != shape[k]:
			return fmt.Errorf("input %q has shape %v, not %v", input, v.Shape, shape)
		case d.Known():
		case d.Mul != 1 || strings.Contains(d.Sym, "*"):
			if d.Bind(g.Usage.Sizes) != N(shape[k]) {
				return fmt.Errorf("axis %d of input %q is %v: give the sizes that it is made of", k, input, d)
			}
		default:
			if err := g.SetSize(d.Sym, shape[k]); err != nil {
				return fmt.Errorf("input %q: %w", input, err)
			}
		}
	}
	return nil
}

// Free names the free sizes of the inputs, in their order.
func (g *Graph) Free() (names []string) {
	for _, v := range g.Inputs {
		for _, d := range v.Shape {
			for _, s := range d.Factors() {
				if !slices.Contains(names, s) {
					names = append(names, s)
				}
			}
		}
	}
	return names
}

// Factors are the symbols that a dimension is a product of.
func (d Dim) Factors() []string {
	if d.Known() {
		return nil
	}
	return strings.Split(d.Sym, "*")
}

// Open names the free sizes that neither Usage nor the batch decides.
func (g *Graph) Open() []string {
	first := map[string]bool{}
	for _, v := range g.Inputs {
		if k := g.BatchAxis(v); k < len(v.Shape) {
			first[v.Shape[k].Sym] = true
		}
	}
	return slices.DeleteFunc(g.Free(), func(s string) bool {
		_, set := g.Usage.Sizes[s]
		return first[s] || set
	})
}

// BatchAxis is the axis of an input that samples lie on: the first, but for sequences
// that a recurrent layer reads as [time batch features].
func (g *Graph) BatchAxis(v *Value) int {
	for _, n := range g.Nodes {
		if n.In(0) == v && len(v.Shape) == 3 && n.Is("RNN", "GRU", "LSTM") && n.Int("layout", 0) == 0 {
			return 1
		}
	}
	return 0
}

// What is assumed of sizes that are open.
const (
	imageSide  = 224 // of the two axes of an image
	volumeSide = 32  // of three axes
	length     = 128 // of a sequence
)

// Assumed gives sizes to what is open (see Open): 224 where two axes look like those
// of an image, and 128 for others, such as the length of a sequence; features what
// the layer takes that reads them. Where image is not 0, it stands for 224.
func (g *Graph) Assumed(image int) map[string]int {
	sizes, open := map[string]int{}, g.Open()
	if image == 0 {
		image = imageSide
	}
	for _, v := range g.Inputs {
		for k := range v.Shape {
			for _, s := range v.Shape[k].Factors() {
				if sizes[s] == 0 && slices.Contains(open, s) {
					sizes[s] = g.assume(v, k, image)
				}
			}
		}
	}
	// "past + 1" is a name that some exporters give to a sum of other sizes
	all := maps.Clone(sizes)
	maps.Copy(all, g.Usage.Sizes)
	for s := range sizes {
		if n, ok := sum(s, all); ok {
			sizes[s] = n
		}
	}
	return sizes
}

// assume is a size for axis k of an input.
func (g *Graph) assume(v *Value, k, image int) int {
	rank := len(v.Shape)
	if n := g.features(v, k); n > 0 {
		return n
	}
	if rank < 4 {
		return length
	}
	lo, hi := 2, rank
	if !v.Shape[1].Known() && v.Shape[rank-1].Known() {
		lo, hi = 1, rank-1
	}
	for _, d := range v.Shape[lo:hi] {
		if d.Known() {
			return length // such as the cache of attention's keys, [N heads past width]
		}
	}
	switch {
	case k < lo || k >= hi:
		return 3
	case rank > 4:
		return min(volumeSide, image)
	}
	return image
}

// features is how many features the layer takes that reads axis k of an input; 0
// where it takes any number.
func (g *Graph) features(v *Value, k int) int {
	for _, n := range g.Nodes {
		if n.In(0) != v || !n.In(1).IsConst() {
			continue
		}
		w := n.In(1).Const.Shape
		switch {
		case n.Is("Conv") && k == 1 && len(w) > 1:
			return w[1] * n.Int("group", 1)
		case n.Is("MatMul") && k == len(v.Shape)-1 && len(w) > 1:
			return w[len(w)-2]
		case n.Is("Gemm") && k == 1 && len(w) == 2:
			return w[n.Int("transB", 0)]
		}
	}
	return 0
}

// sum is the value of a name that reads like a sum of others.
func sum(name string, sizes map[string]int) (n int, ok bool) {
	terms := strings.Split(name, "+")
	if len(terms) < 2 {
		return 0, false
	}
	for _, t := range terms {
		t = strings.TrimSpace(t)
		x, err := strconv.Atoi(t)
		if err != nil {
			if x = sizes[t]; x == 0 {
				return 0, false
			}
		}
		n += x
	}
	return n, n > 0
}
