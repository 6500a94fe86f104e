package op

import (
	"errors"
	"fmt"
	"strings"

	"pare/graph"
	"pare/tensor"
)

// operand is what may stand at an input.
type operand struct {
	group byte  // inputs of one group are of one type; 0: of its own
	types dtset // allowed
}

// signature is what an operator takes.
type signature struct {
	in   []operand
	more bool // the last one stands for all further inputs
}

// dtset is a set of types.
type dtset uint32

func (s dtset) has(d tensor.DType) bool { return s>>d&1 != 0 }

func (s dtset) String() string {
	var out []string
	for d := tensor.Undefined; d < 32; d++ {
		if s.has(d) {
			out = append(out, d.String())
		}
	}
	return strings.Join(out, ", ")
}

var signatures = parseOperands(typeTable)

func parseOperands(table string) map[string]signature {
	byName := map[string]dtset{}
	for d := tensor.Undefined; d < 32; d++ {
		if d.Valid() {
			byName[d.String()] = 1 << d
		}
	}
	var set func(class string) dtset
	set = func(class string) dtset {
		if s, ok := byName[class]; ok {
			return s
		}
		words := strings.Split(class, "|")
		if c, ok := classes[class]; ok {
			words = strings.Fields(c)
		} else if len(words) == 1 {
			panic("op: no class of types " + class)
		}
		s := dtset(0)
		for _, w := range words {
			s |= set(w)
		}
		byName[class] = s
		return s
	}
	out := map[string]signature{}
	for line := range strings.SplitSeq(strings.TrimSpace(table), "\n") {
		takes, ops, _ := strings.Cut(line, " = ")
		var s signature
		for _, f := range strings.Fields(takes) {
			f, s.more = strings.CutSuffix(f, "...")
			var o operand
			if len(f) > 2 && f[1] == ':' {
				o.group, f = f[0], f[2:]
			}
			o.types = set(f)
			s.in = append(s.in, o)
		}
		for _, name := range strings.Fields(ops) {
			out[name] = s
		}
	}
	return out
}

// Mismatch is the error for inputs of a node whose types ONNX does not allow.
type Mismatch struct{ why string }

func (e *Mismatch) Error() string { return e.why }

// checkTypes returns a *Mismatch where the inputs of a node, as far as their types
// are known, are not of those that its operator takes, or not of one type where they
// must be.
func checkTypes(n *graph.Node) error {
	s, ok := signatures[n.Op]
	if !ok || n.Domain != "" {
		return nil
	}
	var first [128]int // by group, the input that has set its type, from 1
	for i, v := range n.Inputs {
		if v == nil || v.DType == tensor.Undefined {
			continue
		}
		k := i
		if k >= len(s.in) {
			if k = len(s.in) - 1; !s.more {
				break // an input too many; its definition does not read it
			}
		}
		o := s.in[k]
		if !o.types.has(v.DType) {
			return &Mismatch{fmt.Sprintf("input %d, %q, is %v: the operator takes %v there", i, v.Name, v.DType, o.types)}
		}
		if o.group == 0 {
			continue
		}
		if f := first[o.group]; f == 0 {
			first[o.group] = i + 1
		} else if w := n.Inputs[f-1]; w.DType != v.DType {
			return &Mismatch{fmt.Sprintf("input %d, %q, is %v, and input %d, %q, is %v: they must be of one type", f-1, w.Name, w.DType, i, v.Name, v.DType)}
		}
	}
	return nil
}

// CheckTypes returns an error that wraps a *Mismatch where a node's inputs are of types
// that ONNX does not allow, as far as their types are known: those of operators that
// Pare does not know need not be. The graph stays as it is.
func CheckTypes(g *graph.Graph) error {
	c, _ := g.Clone(false)
	dims := map[*graph.Value][]graph.Dim{}
	for _, n := range c.Nodes {
		var m *Mismatch
		if err := inferNode(c, n, dims); errors.As(err, &m) {
			return err
		}
	}
	return nil
}
