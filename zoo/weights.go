package zoo

import (
	"fmt"
	"slices"
	"strings"

	"pare/graph"
	"pare/safetensors"
	"pare/tensor"
)

// Weights are a network's trained weights and statistics, by name.
func Weights(g *graph.Graph) *safetensors.File {
	f := &safetensors.File{Tensors: map[string]*tensor.Tensor{}, Meta: map[string]string{"format": "pare"}}
	for _, v := range g.Consts() {
		if v.Role == graph.Param || v.Role == graph.Stat {
			f.Names, f.Tensors[v.Name] = append(f.Names, v.Name), v.Const
		}
	}
	return f
}

// SetWeights puts the tensors of a file into a network of the same names. Files
// of PyTorch (metadata format: pt) hold the matrices of linear layers the other
// way round than MatMul takes them; they are turned. A prefix that all names
// share with none of the network's, such as "module.", is dropped, and counters
// of batches are left aside. It returns an error, before anything is changed,
// where a tensor is missing, does not fit, or has no place.
func SetWeights(g *graph.Graph, f *safetensors.File) error {
	given := map[string]*tensor.Tensor{}
	for name, t := range f.Tensors {
		if !strings.HasSuffix(name, ".num_batches_tracked") {
			given[name] = t
		}
	}
	given = unprefixed(g, given)
	right := multiplied(g)
	var vs []*graph.Value
	var data [][]float32
	for _, v := range g.Consts() {
		if v.Role != graph.Param && v.Role != graph.Stat {
			continue
		}
		t := given[v.Name]
		if t == nil {
			return fmt.Errorf("the file has no tensor %q of shape %v; it has %s", v.Name, v.Const.Shape, listed(f.Names))
		}
		delete(given, v.Name)
		if !t.DType.IsFloat() {
			return fmt.Errorf("tensor %q is %v, not a floating-point type", v.Name, t.DType)
		}
		w, err := t.ToFloat32()
		if err != nil {
			return fmt.Errorf("tensor %q: %w", v.Name, err)
		}
		if s := t.Shape; right[v] && len(s) == 2 && (f.Meta["format"] == "pt" || !slices.Equal(s, v.Const.Shape)) {
			w = turned(w)
		}
		if !slices.Equal(w.Shape, v.Const.Shape) {
			return fmt.Errorf("tensor %q has shape %v, the network's %v", v.Name, t.Shape, v.Const.Shape)
		}
		vs, data = append(vs, v), append(data, w.F32())
	}
	if len(given) > 0 {
		var left []string
		for name := range given {
			left = append(left, name)
		}
		slices.Sort(left)
		return fmt.Errorf("the network has no place for %s", listed(left))
	}
	for i, v := range vs {
		copy(v.Const.F32(), data[i])
	}
	return nil
}

// unprefixed drops what comes before the first point of all names, where the
// network does not know it.
func unprefixed(g *graph.Graph, given map[string]*tensor.Tensor) map[string]*tensor.Tensor {
	prefix := ""
	for name := range given {
		head, _, ok := strings.Cut(name, ".")
		if !ok || prefix != "" && head != prefix || g.Value(name) != nil {
			return given
		}
		prefix = head
	}
	out := map[string]*tensor.Tensor{}
	for name, t := range given {
		out[strings.TrimPrefix(name, prefix+".")] = t
	}
	return out
}

// multiplied marks the matrices on the right of a MatMul.
func multiplied(g *graph.Graph) map[*graph.Value]bool {
	out := map[*graph.Value]bool{}
	for _, n := range g.Nodes {
		if n.Is("MatMul") {
			out[n.In(1)] = true
		}
	}
	return out
}

// turned is a matrix, transposed.
func turned(t *tensor.Tensor) *tensor.Tensor {
	m, n := t.Shape[0], t.Shape[1]
	out := tensor.New(tensor.Float32, n, m)
	for i := range m {
		for j := range n {
			out.F32()[j*m+i] = t.F32()[i*n+j]
		}
	}
	return out
}

// listed names the first few.
func listed(names []string) string {
	s := strings.Join(names[:min(len(names), 8)], ", ")
	if n := len(names) - 8; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}
