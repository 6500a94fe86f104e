package onnx

import (
	"io"

	"pare/onnx/onnxpb"
	"pare/tensor"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Numbers of fields in ONNX's messages.
const (
	modelGraph       = 7
	graphInitializer = 5
	tensorRaw        = 9
)

// layout is the bytes of a model, but for the contents of its initialisers, which are
// written from where they are: a model is as long as its weights, and need not be in
// memory twice.
type layout struct {
	before, after []byte // of the model, around its graph
	first, last   []byte // of the graph, around its initialisers
	tensors       []piece
}

// piece is an initialiser: its bytes around the contents.
type piece struct {
	before, after []byte
	t             *tensor.Tensor // nil: the contents are among the bytes
}

func (p *piece) len() int {
	n := len(p.before) + len(p.after)
	if p.t != nil {
		n += fieldLen(tensorRaw, p.t.Bytes())
	}
	return n
}

// fieldLen is the length of a field of n bytes.
func fieldLen(num protowire.Number, n int) int {
	return protowire.SizeTag(num) + protowire.SizeBytes(n)
}

// layOut takes a message to pieces. Fields are written in the order of their numbers, as
// proto.Marshal does.
func (w *writer) layOut(m *onnxpb.ModelProto) (*layout, error) {
	e := &layout{}
	var err error
	put := func(to *[]byte, p proto.Message) {
		if err == nil {
			*to, err = proto.MarshalOptions{Deterministic: true}.Marshal(p)
		}
	}
	g := m.Graph
	put(&e.before, &onnxpb.ModelProto{IrVersion: m.IrVersion, ProducerName: m.ProducerName, ProducerVersion: m.ProducerVersion,
		Domain: m.Domain, ModelVersion: m.ModelVersion, DocString: m.DocString})
	put(&e.first, &onnxpb.GraphProto{Node: g.Node, Name: g.Name})
	for _, t := range g.Initializer {
		c := w.raw[t]
		if c == nil {
			p := piece{}
			put(&p.before, t)
			e.tensors = append(e.tensors, p)
			continue
		}
		p := piece{t: c}
		put(&p.before, &onnxpb.TensorProto{Dims: t.Dims, DataType: t.DataType, Name: t.Name})
		rest := proto.Clone(t).(*onnxpb.TensorProto)
		rest.Dims, rest.DataType, rest.Name = nil, nil, nil
		put(&p.after, rest)
		e.tensors = append(e.tensors, p)
	}
	all := g.Initializer
	g.Node, g.Name, g.Initializer = nil, nil, nil
	put(&e.last, g)
	g.Initializer = all
	m.IrVersion, m.ProducerName, m.ProducerVersion, m.Domain, m.ModelVersion, m.DocString, m.Graph = nil, nil, nil, nil, nil, nil, nil
	put(&e.after, m)
	return e, err
}

// graphLen is the length of the graph.
func (e *layout) graphLen() int {
	n := len(e.first) + len(e.last)
	for i := range e.tensors {
		n += fieldLen(graphInitializer, e.tensors[i].len())
	}
	return n
}

func (e *layout) size() int64 {
	return int64(len(e.before) + len(e.after) + fieldLen(modelGraph, e.graphLen()))
}

// writeTo writes the bytes.
func (e *layout) writeTo(w io.Writer) error {
	var err error
	put := func(b []byte) {
		if err == nil {
			_, err = w.Write(b)
		}
	}
	open := func(num protowire.Number, n int) {
		put(protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.BytesType), uint64(n)))
	}
	put(e.before)
	open(modelGraph, e.graphLen())
	put(e.first)
	for i := range e.tensors {
		p := &e.tensors[i]
		open(graphInitializer, p.len())
		put(p.before)
		if p.t != nil {
			open(tensorRaw, p.t.Bytes())
			if err == nil {
				err = p.t.WriteRaw(w)
			}
		}
		put(p.after)
	}
	put(e.last)
	put(e.after)
	return err
}
