package interop

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/onnx"
	"pare/onnx/onnxpb"
	"pare/tensor"

	"google.golang.org/protobuf/proto"
)

// kinds are the groups of ONNX's conformance cases.
var kinds = []string{"light", "simple", "pytorch-operator", "pytorch-converted", "node"}

// confCase is one case: a model, inputs, and the outputs that it must give.
type confCase struct {
	Kind, Name, Dir string
	RTol, ATol      float64
	model           *onnxpb.ModelProto
	bytes           []byte
}

// conformance finds the cases: in the folder that PARE_ONNX_CASES names, or
// written by the package onnx of PARE_PYTHON.
func conformance(t *testing.T) (cases []confCase, source string) {
	t.Helper()
	dir := os.Getenv("PARE_ONNX_CASES")
	source = dir
	if dir == "" {
		py := python(t, "onnx")
		dir = filepath.Join(t.TempDir(), "cases")
		out, err := exec.Command(py, "conformance.py", dir).Output()
		if err != nil {
			t.Fatalf("conformance.py: %v", err)
		}
		source = string(out[:len(out)-1])
	}
	for _, k := range kinds {
		found, err := os.ReadDir(filepath.Join(dir, k))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, f := range found {
			c := confCase{Kind: k, Name: f.Name(), Dir: filepath.Join(dir, k, f.Name()), RTol: 1e-3, ATol: 1e-7}
			b, err := os.ReadFile(filepath.Join(c.Dir, "model.onnx"))
			if err != nil {
				continue // not a case
			}
			c.bytes, c.model = b, &onnxpb.ModelProto{}
			if err := proto.Unmarshal(b, c.model); err != nil {
				t.Fatalf("%s: %v", c.Dir, err)
			}
			if b, err := os.ReadFile(filepath.Join(c.Dir, "data.json")); err == nil {
				if err := json.Unmarshal(b, &c); err != nil {
					t.Fatalf("%s: %v", c.Dir, err)
				}
			}
			cases = append(cases, c)
		}
	}
	if len(cases) == 0 {
		t.Fatalf("no conformance cases in %s", dir)
	}
	return cases, source
}

// leftOut says why a case is not Pare's to pass; "" where it is.
func (c *confCase) leftOut() string {
	ops := map[string]bool{}
	domains := map[string]bool{}
	collect(c.model.Graph, ops, domains)
	delete(domains, "")
	delete(domains, "ai.onnx")
	for _, f := range c.model.Functions {
		delete(domains, f.GetDomain())
	}
	for _, d := range []string{"ai.onnx.preview.training", "ai.onnx.preview"} {
		if domains[d] {
			return "domain " + d
		}
	}
	for _, why := range slices.Sorted(maps.Keys(notTensors)) { // a case may have several reasons
		for _, o := range notTensors[why] {
			if ops[o] {
				return why
			}
		}
	}
	for _, v := range append(append([]*onnxpb.ValueInfoProto{}, c.model.Graph.Input...), c.model.Graph.Output...) {
		switch x := v.GetType().GetValue().(type) {
		case *onnxpb.TypeProto_SequenceType:
			return "sequences"
		case *onnxpb.TypeProto_OptionalType:
			return "optional values"
		case *onnxpb.TypeProto_TensorType:
			switch e := x.TensorType.GetElemType(); {
			case e == int32(tensor.String):
				return "strings"
			case e == 14 || e == 15:
				return "complex numbers"
			case !tensor.DType(e).Valid():
				return "element types of 8 bits and less that Pare cannot hold"
			}
		}
	}
	return ""
}

// notTensors are operators on what is not a tensor of numbers.
var notTensors = map[string][]string{
	"sequences": {"SequenceConstruct", "SequenceEmpty", "SequenceInsert", "SequenceErase", "SequenceAt", "SequenceLength",
		"SplitToSequence", "ConcatFromSequence", "SequenceMap"},
	"optional values": {"Optional", "OptionalGetElement", "OptionalHasElement"},
	"strings":         {"StringNormalizer", "StringConcat", "StringSplit", "RegexFullMatch"},
	"images":          {"ImageDecoder"},
}

func collect(g *onnxpb.GraphProto, ops, domains map[string]bool) {
	for _, n := range g.GetNode() {
		ops[n.GetOpType()] = true
		domains[n.GetDomain()] = true
		for _, a := range n.Attribute {
			if a.G != nil {
				collect(a.G, ops, domains)
			}
			for _, s := range a.Graphs {
				collect(s, ops, domains)
			}
		}
	}
}

// dataSet is the inputs of a case, by name, and the outputs to expect, in order.
type dataSet struct {
	in   map[string]*tensor.Tensor
	want []*tensor.Tensor
}

func (c *confCase) dataSets(g *graph.Graph) ([]dataSet, error) {
	dirs, _ := filepath.Glob(filepath.Join(c.Dir, "test_data_set_*"))
	sort.Strings(dirs)
	var sets []dataSet
	for _, d := range dirs {
		s := dataSet{in: map[string]*tensor.Tensor{}}
		ins, err := tensors(d, "input")
		if err != nil {
			return nil, err
		}
		if len(ins) != len(g.Inputs) {
			return nil, fmt.Errorf("%d inputs for a graph that has %d", len(ins), len(g.Inputs))
		}
		for i, x := range ins {
			s.in[g.Inputs[i].Name] = x
		}
		if s.want, err = tensors(d, "output"); err != nil {
			return nil, err
		}
		sets = append(sets, s)
	}
	if len(sets) == 0 {
		return nil, fmt.Errorf("no data")
	}
	return sets, nil
}

func tensors(dir, name string) ([]*tensor.Tensor, error) {
	var out []*tensor.Tensor
	for i := 0; ; i++ {
		b, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%s_%d.pb", name, i)))
		if os.IsNotExist(err) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		x, err := onnx.DecodeTensor(b)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
}

// macsOf is the work of a network on the sizes of its inputs, 0 where it
// cannot be told.
func macsOf(g *graph.Graph) int64 {
	var sum int64
	for _, n := range g.Nodes {
		if d := op.Lookup(n.Domain, n.Op); d != nil && d.MACs != nil && n.Out(0) != nil && n.Out(0).Shape != nil {
			sum += d.MACs(n)
		}
	}
	return sum
}
