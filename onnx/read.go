// Package onnx reads and writes ONNX files as graphs.
//
// [Load] reads a model file and [Save] writes one; [Decode] and [Encode] do so
// in memory. Both keep what a graph has no place for (metadata, documentation,
// fields that are not known) and write it again. Files are not trusted: sizes,
// offsets and nesting are checked before memory is taken, and a file that is
// damaged gives an error. A file is written whole or not at all.
//
// Files named *.pare are in Pare's sparse form: the ONNX model with the zeros of
// its weights left out, and what is left compressed.
package onnx

import (
	"fmt"
	"math"
	"runtime"
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/onnx/onnxpb"

	"golang.org/x/sync/errgroup"
)

// maxDepth bounds the nesting of subgraphs.
const maxDepth = 32

// MinIR is the oldest version of the format that Pare reads. Graphs of opsets
// before 7 are rewritten (op.Upgrade).
const MinIR = 3

// Decode reads a model from memory; dir is the folder of its external data,
// "" where there is none.
func Decode(b []byte, dir string) (*graph.Graph, error) {
	m := &onnxpb.ModelProto{}
	if err := unmarshal(b, m, mostStructure(len(b))); err != nil {
		return nil, fmt.Errorf("not an ONNX file, or a damaged one: %w", err)
	}
	return (&reader{dir: dir, spread: mostSpread(len(b)), written: mostStructure(len(b))}).model(m)
}

func (r *reader) model(m *onnxpb.ModelProto) (*graph.Graph, error) {
	if m.Graph == nil {
		return nil, fmt.Errorf("not an ONNX file, or a damaged one: it has no graph")
	}
	if m.GetIrVersion() < MinIR {
		return nil, fmt.Errorf("IR version %d is older than %d", m.GetIrVersion(), MinIR)
	}
	if err := inline(m, r.written); err != nil {
		return nil, err
	}
	opset, err := opsetOf(m)
	if err != nil {
		return nil, err
	}
	r.names, r.next = map[string]int{}, map[string]int{}
	eachName(m.Graph, func(s string) { r.names[s]++ })
	if v, ok := opset[""]; ok && v < 7 {
		r.spread = 0 // there were no sparse weights yet
	}
	g, err := r.graph(m.Graph, opset, nil, 0)
	if err != nil {
		return nil, err
	}
	g.Meta = graph.Meta{IRVersion: m.GetIrVersion(), Producer: m.GetProducerName(), ProducerVersion: m.GetProducerVersion(),
		Domain: m.GetDomain(), ModelVersion: m.GetModelVersion(), Doc: m.GetDocString()}
	for _, p := range m.MetadataProps {
		g.Meta.Props = append(g.Meta.Props, graph.Prop{Key: p.GetKey(), Value: p.GetValue()})
	}
	if g.Meta.Unknown, err = restOfMessage(m, &onnxpb.ModelProto{}); err != nil {
		return nil, err
	}
	for _, fs := range [][]func() error{r.late, r.last} {
		if err := together(fs); err != nil {
			return nil, err
		}
	}
	if err := op.Upgrade(g); err != nil {
		return nil, err
	}
	op.Unsequence(g)
	return g, op.CheckTypes(g)
}

// together calls all of fs, as many at a time as there are cores, and gives the error of
// the first that has one.
func together(fs []func() error) error {
	errs := make([]error, len(fs))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, f := range fs {
		g.Go(func() error {
			errs[i] = f()
			return errs[i]
		})
	}
	if g.Wait() == nil {
		return nil
	}
	return errs[slices.IndexFunc(errs, func(err error) bool { return err != nil })]
}

// opsetOf is the version of each domain that a model uses.
func opsetOf(m *onnxpb.ModelProto) (map[string]int, error) {
	opset := map[string]int{}
	for _, o := range m.OpsetImport {
		d := domainOf(o.GetDomain())
		if o.GetVersion() < 1 || o.GetVersion() > math.MaxInt32 {
			return nil, fmt.Errorf("opset version %d of domain %q is not possible", o.GetVersion(), d)
		}
		opset[d] = int(o.GetVersion())
	}
	if len(opset) == 0 {
		return nil, fmt.Errorf("the model names no opset")
	}
	return opset, nil
}

// domainOf is a domain by the name that graphs have for it.
func domainOf(d string) string {
	if d == "ai.onnx" {
		return ""
	}
	return d
}
