package run

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"io"
	"math"
	"strconv"

	"pare/graph"
	"pare/tensor"
)

// Digest identifies a network by all that it is, its numbers, nodes, attributes,
// names and what its file says beside: 16 hexadecimal digits. Two networks of one
// digest are trained, and written, to the same bytes.
func Digest(g *graph.Graph) string {
	d := &digester{h: sha256.New(), at: map[*graph.Value]int{}}
	d.graph(g)
	return hex.EncodeToString(d.h.Sum(nil))[:16]
}

// digester writes a network into a hash; every part begins with its length, so that
// no two networks are written alike.
type digester struct {
	h  hash.Hash
	at map[*graph.Value]int // the values so far, by the order in which they came
}

func (d *digester) num(ns ...int) {
	for _, n := range ns {
		binary.Write(d.h, binary.LittleEndian, int64(n)) //nolint:errcheck // a hash does not fail
	}
}

func (d *digester) text(ts ...string) {
	for _, s := range ts {
		d.num(len(s))
		io.WriteString(d.h, s) //nolint:errcheck // a hash does not fail
	}
}

func (d *digester) flag(x bool) {
	if x {
		d.num(1)
		return
	}
	d.num(0)
}

func (d *digester) graph(g *graph.Graph) {
	if g == nil {
		d.num(-1)
		return
	}
	d.text(g.Name, g.Doc, string(g.Unknown))
	var k Key
	domains := map[string]string{}
	for name, version := range g.Opset {
		domains[name] = strconv.Itoa(version)
	}
	k.AddAll(domains)
	d.num(len(k))
	d.text(k...)
	m := &g.Meta
	d.num(int(m.IRVersion), int(m.ModelVersion), len(m.Props))
	d.text(m.Producer, m.ProducerVersion, m.Domain, m.Doc, string(m.Unknown))
	for _, p := range m.Props {
		d.text(p.Key, p.Value)
	}
	d.values(g.Inputs)
	d.num(len(g.Nodes))
	for _, n := range g.Nodes {
		d.text(n.Op, n.Domain, n.Name, n.Doc, string(n.Unknown))
		d.num(len(n.Attrs))
		for i := range n.Attrs {
			d.attr(&n.Attrs[i])
		}
		d.values(n.Inputs)
		d.values(n.Outputs)
	}
	d.values(g.Outputs)
}

func (d *digester) values(vs []*graph.Value) {
	d.num(len(vs))
	for _, v := range vs {
		d.value(v)
	}
}

// value writes a value where it first comes, and its number from then on.
func (d *digester) value(v *graph.Value) {
	if v == nil {
		d.num(-1)
		return
	}
	n, seen := d.at[v]
	if seen {
		d.num(n)
		return
	}
	n = len(d.at)
	d.at[v] = n
	d.num(n, int(v.DType), int(v.Role))
	d.text(v.Name, v.Doc, string(v.Unknown))
	d.flag(v.Listed)
	d.flag(v.Shape == nil)
	d.num(len(v.Shape))
	for _, x := range v.Shape {
		d.num(x.Mul)
		d.text(x.Sym)
	}
	d.tensor(v.Const)
}

func (d *digester) tensor(t *tensor.Tensor) {
	if t == nil {
		d.num(-1)
		return
	}
	d.num(int(t.DType), len(t.Shape))
	d.num(t.Shape...)
	switch x := t.Data.(type) {
	case []float32:
		binary.Write(d.h, binary.LittleEndian, x) //nolint:errcheck // a hash does not fail
	case []string:
		d.text(x...)
	default:
		d.h.Write(t.Raw())
	}
}

func (d *digester) attr(a *graph.Attr) {
	d.text(a.Name, a.S, string(a.Raw), string(a.Unknown))
	d.num(int(a.Kind), int(math.Float32bits(a.F)), int(a.I), len(a.Floats), len(a.Ints), len(a.Strings), len(a.Tensors), len(a.Graphs))
	for _, x := range a.Floats {
		d.num(int(math.Float32bits(x)))
	}
	for _, x := range a.Ints {
		d.num(int(x))
	}
	d.text(a.Strings...)
	d.tensor(a.T)
	d.graph(a.G)
	for _, t := range a.Tensors {
		d.tensor(t)
	}
	for _, g := range a.Graphs {
		d.graph(g)
	}
}
