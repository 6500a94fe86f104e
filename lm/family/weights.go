package family

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"pare/graph"
	"pare/internal/kernel"
	"pare/tensor"
)

// Property is the entry of a graph's metadata that holds what Weights needs to know: the
// config, and the types in which weights were stored.
const Property = "pare.family"

// memory is the contents of Property.
type memory struct {
	Config map[string]json.RawMessage `json:"config"`
	Stored map[string]tensor.DType    `json:"stored,omitempty"` // where it is not float32
}

func remember(g *graph.Graph, c *Config, types map[string]tensor.DType) error {
	m := memory{Config: c.raw, Stored: map[string]tensor.DType{}}
	for name, d := range types {
		if d != tensor.Float32 {
			m.Stored[name] = d
		}
	}
	b, err := json.Marshal(m)
	g.Meta.Props = append(g.Meta.Props, graph.Prop{Key: Property, Value: string(b)})
	return err
}

// recall reads what remember wrote.
func recall(g *graph.Graph) (*memory, *Config, error) {
	i := slices.IndexFunc(g.Meta.Props, func(p graph.Prop) bool { return p.Key == Property })
	if i < 0 {
		return nil, nil, fmt.Errorf("the network is not one that was built from a config.json: its metadata has no %q", Property)
	}
	m := &memory{}
	if err := json.Unmarshal([]byte(g.Meta.Props[i].Value), m); err != nil {
		return nil, nil, fmt.Errorf("metadata %q: %w", Property, err)
	}
	b, err := json.Marshal(m.Config)
	if err != nil {
		return nil, nil, err
	}
	c, err := Read(b)
	return m, c, err
}

// Weights gives the config and the weights of a graph that Build made, by Hugging Face's
// names and in its layout, also after heads, feed-forward widths or blocks were cut; layers
// that are left are numbered anew. Where nothing was changed the weights are those that
// were read, to the bit.
//
// It returns an error where the graph has weights that the family has no place for, as
// after a factorisation, or was cut in a way that a config cannot say.
func Weights(g *graph.Graph) (*Config, map[string]*tensor.Tensor, error) {
	mem, c, err := recall(g)
	if err != nil {
		return nil, nil, err
	}
	w := &writer{Config: c, family: families[c.Type], mem: mem, out: map[string]*tensor.Tensor{}}
	if err := w.collect(g); err != nil {
		return nil, nil, err
	}
	kept, err := w.number()
	if err != nil {
		return nil, nil, err
	}
	w.keep(kept)
	if err := w.stream(); err != nil {
		return nil, nil, err
	}
	m, err := Load(w.Config, Tensors(w.out))
	if err != nil {
		return nil, nil, fmt.Errorf("what is left of the network does not make up a model of type %s: %w", c.Type, err)
	}
	return m.Config, w.out, w.state(m.Config)
}

// writer is the way back from a graph.
type writer struct {
	*Config
	family
	mem *memory
	out map[string]*tensor.Tensor
}

// collect takes the constants that are weights and lays them out as files have them.
func (w *writer) collect(g *graph.Graph) error {
	uses := g.Uses()
	for _, v := range g.Consts() {
		role, ok := w.role(v.Name)
		if !ok {
			if v.Role == graph.Param && len(v.Shape) > 0 {
				return fmt.Errorf("a model of type %s has no place for the weight %q", w.Type, v.Name)
			}
			continue
		}
		for _, u := range uses[v] {
			n := u.Node
			if role == matrix && !(n.Is("MatMul") && u.Index == 1) || role == lookup && !(n.Is("Gather") && u.Index == 0 || n.Is("Transpose")) {
				return fmt.Errorf("weight %q is read by %s %q: the network was rewritten, and its weights are no longer those of the family", v.Name, n.Op, n.Name)
			}
		}
		t, err := w.laid(v, role)
		if err != nil {
			return err
		}
		w.out[v.Name] = t
	}
	return nil
}

// laid lays a weight out as files have it.
func (w *writer) laid(v *graph.Value, as role) (*tensor.Tensor, error) {
	t := v.Const
	if as == matrix && !w.isTurned(v.Name) {
		if t.F32() == nil || t.Rank() != 2 {
			return nil, fmt.Errorf("weight %q is %v, where a matrix of float32 is expected", v.Name, t)
		}
		b := tensor.New(tensor.Float32, t.Shape[1], t.Shape[0])
		kernel.Transpose(t.F32(), b.F32(), t.Shape[0], t.Shape[1])
		t = b
	}
	if d := w.mem.Stored[v.Name]; d != tensor.Undefined {
		var err error
		if t, err = t.As(d); err != nil {
			return nil, fmt.Errorf("weight %q: %w", v.Name, err)
		}
	}
	return t, nil
}

// role says how a weight is read.
type role uint8

const (
	vector role = iota
	lookup      // a table
	matrix
)

// role finds out by its name what a weight is.
func (w *writer) role(name string) (role, bool) {
	if name == "cls.predictions.bias" {
		return vector, w.Type == "bert"
	}
	stem, weight := strings.CutSuffix(name, ".weight")
	if !weight {
		var bias bool
		if stem, bias = strings.CutSuffix(name, ".bias"); !bias {
			return 0, false
		}
	}
	kind := func(of role) (role, bool) {
		if !weight {
			return vector, true
		}
		return of, true
	}
	is := func(names ...string) bool { return stem != "" && slices.Contains(names, stem) }
	if is(w.head, w.transform, w.classifier) {
		return kind(matrix)
	}
	if is(w.transformNorm) {
		return vector, true
	}
	stem = strings.TrimPrefix(stem, w.prefix)
	switch {
	case is(w.embed, w.positions, w.segments):
		return lookup, weight
	case is(w.embedNorm, w.final):
		return vector, true
	case is(w.pooler):
		return kind(matrix)
	}
	if _, stem, weight2 := w.inLayer(stem); weight2 {
		switch {
		case slices.Contains([]string{w.norm1, w.norm2, w.after1, w.after2, w.qNorm, w.kNorm}, stem):
			return vector, true
		case slices.Contains([]string{w.q, w.k, w.v, w.o, w.qkv, w.gate, w.up, w.gateUp, w.down}, stem):
			return kind(matrix)
		}
	}
	return 0, false
}

// inLayer splits a name without its prefix into the number of a layer and what follows.
func (n *names) inLayer(name string) (layer int, rest string, ok bool) {
	rest, ok = strings.CutPrefix(name, n.layer)
	number, rest, found := strings.Cut(rest, ".")
	layer, err := strconv.Atoi(number)
	return layer, rest, ok && found && err == nil && layer >= 0 && rest != ""
}

// isTurned says whether a file has a matrix as [in out] as well.
func (w *writer) isTurned(name string) bool {
	_, _, in := w.inLayer(strings.TrimPrefix(name, w.prefix))
	return w.turned && in
}

// stream says in the config how wide the stream is, where channels of it were cut. The
// graph's norms still divide by the mean over all n channels that there were; over the k
// that are left, x/sqrt(sum/n+ε)·w is x/sqrt(sum/k+ε·n/k)·w·sqrt(n/k), so scales and ε take
// it up.
func (w *writer) stream() error {
	e := w.out[w.prefix+w.embed+".weight"]
	if e == nil {
		e = w.out[w.embed+".weight"]
	}
	if e == nil || e.Rank() != 2 || e.Shape[1] == w.Hidden {
		return nil
	}
	n, k := float64(w.Hidden), float64(e.Shape[1])
	if !w.narrows() {
		return fmt.Errorf("the stream has %v channels of %v: a config of type %s cannot say that its norms still count all of them; leave the embedding width whole", k, n, w.Type)
	}
	w.Hidden, w.Eps = e.Shape[1], w.Eps*n/k
	for name, t := range w.out {
		if role, _ := w.role(name); role != vector || !strings.HasSuffix(name, ".weight") {
			continue
		}
		x, err := t.Clone().As(tensor.Float32)
		if err != nil {
			return err
		}
		kernel.Scale(float32(math.Sqrt(n/k)), x.F32(), x.F32())
		if w.out[name], err = x.As(t.DType); err != nil {
			return err
		}
	}
	return nil
}

// narrows says whether a config can say that the stream has lost channels.
func (c *Config) narrows() bool {
	return c.Norm == RMS && !c.QKNorm && c.EmbedScale == 1 && c.entries().headDim != ""
}

// Narrows returns an error where Weights could not write a graph that Build made once
// channels of its stream are cut; nil for graphs of another origin.
func Narrows(g *graph.Graph) error {
	if !slices.ContainsFunc(g.Meta.Props, func(p graph.Prop) bool { return p.Key == Property }) {
		return nil
	}
	_, c, err := recall(g)
	if err == nil && !c.narrows() {
		err = fmt.Errorf("a config of type %s cannot say that its norms still count all channels", c.Type)
	}
	return err
}

// Biases says which layers have biases by the config that a graph was built from; false of a
// graph of another origin.
func Biases(g *graph.Graph) (Bias, bool) {
	_, c, err := recall(g)
	if err != nil {
		return Bias{}, false
	}
	return c.Bias, true
}

// Longest is the longest text that the model of a graph which Build made was made for; 0:
// the graph is of another origin.
func Longest(g *graph.Graph) int {
	if _, c, err := recall(g); err == nil {
		return c.Positions
	}
	return 0
}

// number gives the layers that are left numbers from 0 on. kept are their numbers before.
func (w *writer) number() (kept []int, err error) {
	at := map[int]int{}
	for name := range w.out {
		if k, _, ok := w.inLayer(strings.TrimPrefix(name, w.prefix)); ok {
			at[k] = 0
		}
	}
	kept = slices.Sorted(maps.Keys(at))
	if len(kept) == 0 || kept[len(kept)-1] >= w.Layers {
		return nil, fmt.Errorf("the network has the layers %v of %d", kept, w.Layers)
	}
	for i, k := range kept {
		at[k] = i
	}
	out := map[string]*tensor.Tensor{}
	for name, t := range w.out {
		bare := strings.TrimPrefix(name, w.prefix)
		if k, rest, ok := w.inLayer(bare); ok {
			name = fmt.Sprintf("%s%s%d.%s", name[:len(name)-len(bare)], w.layer, at[k], rest)
		}
		out[name] = t
	}
	w.out = out
	return kept, nil
}

// keep says in the config which layers, and which parts of them, are left.
func (w *writer) keep(kept []int) {
	c := *w.Config
	c.Layers, c.Window, c.Rotary, c.Pare = len(kept), nil, nil, nil
	for _, k := range kept {
		c.Window = append(c.Window, w.Window[k])
		if w.Rotary != nil {
			c.Rotary = append(c.Rotary, w.Rotary[k])
		}
	}
	there := func(i int, stem string) bool {
		p := fmt.Sprintf("%s%d.%s.weight", w.layer, i, stem)
		return w.out[w.prefix+p] != nil || w.out[p] != nil
	}
	for i := range kept {
		var has Widths
		if there(i, w.o) {
			has.Heads, has.KVHeads = 1, 1
		}
		if there(i, w.down) {
			has.Intermediate = 1
		}
		c.Pare = append(c.Pare, has)
	}
	w.Config = &c
}
