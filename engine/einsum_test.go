package engine_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Random equations, with diagonals, axes that are repeated and such that one term alone
// has, are products that give what the definition says, forward and backward.
func TestEinsum(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 150 {
		size := map[byte]int{}
		for _, k := range []byte("abcdef") {
			size[k] = 1 + r.IntN(4)
		}
		var terms []string
		var shapes [][]int
		used := ""
		for range 1 + r.IntN(3) {
			term, shape := "", []int(nil)
			for range 1 + r.IntN(3) {
				k := "abcdef"[r.IntN(6)]
				if strings.IndexByte(term, k) >= 0 && r.IntN(4) > 0 {
					continue
				}
				d := size[k]
				if strings.IndexByte(term, k) < 0 && r.IntN(8) == 0 {
					d = 1 // repeated
				} else if i := strings.IndexByte(term, k); i >= 0 {
					d = shape[i]
				}
				term, shape = term+string(k), append(shape, d)
			}
			terms, shapes, used = append(terms, term), append(shapes, shape), used+term
		}
		out := ""
		for _, i := range r.Perm(len(used)) {
			if strings.IndexByte(out, used[i]) < 0 && r.IntN(3) > 0 {
				out += string(used[i])
			}
		}
		equation := strings.Join(terms, ",") + "->" + out
		g, feed := oneOperator(t, r, 0, "Einsum", []graph.Attr{graph.MakeAttr("equation", equation)}, shapes...)
		for _, line := range against(t, g, feed, true) {
			if strings.Contains(line, "Einsum): reference") {
				t.Fatalf("%s: %s", equation, line)
			}
		}
	}
}

// A weight that an equation reads as it lies has the sparse kernels.
func TestEinsumSparse(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	g, feed := oneOperator(t, r, .95, "Einsum", []graph.Attr{graph.MakeAttr("equation", "abc,cde->abde")}, []int{2, 30, 64}, []int{64, 4, 16})
	if k := strings.Join(against(t, g, feed, true), "\n"); !strings.Contains(k, "sparse product") {
		t.Error(k)
	}
}

// Blocks of pixels become channels and back, in either layout and order.
func TestDepth(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 4))
	for trial := range 24 {
		s := 1 + r.IntN(3)
		g := graph.New("depth", 17)
		c, h, w := s*s*(1+r.IntN(3)), s*(1+r.IntN(4)), s*(1+r.IntN(4))
		x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(2, c, h, w)}
		g.Inputs = []*graph.Value{x}
		b := op.NewBuilder(g, "v")
		v := x
		if trial%2 == 0 { // channels last
			v = b.Op("Conv", x, g.Const("w", noise(r, 0, c, c, 1, 1), graph.Param))
		}
		as := []graph.Attr{graph.MakeAttr("blocksize", s)}
		if trial%3 == 0 {
			v = b.Attr("SpaceToDepth", as, v)
		} else {
			v = b.Attr("DepthToSpace", append(as, graph.MakeAttr("mode", []string{"DCR", "CRD"}[trial%3-1])), v)
		}
		if b.Err() != nil {
			t.Fatal(b.Err())
		}
		v.Name = "y"
		g.Outputs = []*graph.Value{v}
		feed := map[string]*tensor.Tensor{"x": noise(r, 0, 2, c, h, w)}
		for _, line := range against(t, g, feed, true) {
			if strings.Contains(line, "reference") {
				t.Fatal(line)
			}
		}
	}
}
