package block_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/answer"
	"pare/prune/block"
	"pare/prune/structure"
	"pare/tensor"
	"pare/zoo"
)

// network is one of the zoo's, whose biases, normalisations and statistics are those of
// no fresh one: a constant that is left would show.
func network(t *testing.T, name string, o zoo.Options) *graph.Graph {
	t.Helper()
	o.Seed = 1
	g, err := zoo.New(name, o)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, 7))
	for _, v := range g.Consts() {
		if v.Role == graph.Stat || v.Role == graph.Param && len(v.Shape) == 1 {
			for i := range v.Const.F32() {
				v.Const.F32()[i] = .5 + r.Float32()
			}
		}
	}
	return g
}

func namesOf(blocks []*block.Block) (out []string) {
	for _, b := range blocks {
		out = append(out, b.Name)
	}
	return out
}

// The blocks of the zoo's families: by name, as they follow each other.
var families = []struct {
	name   string
	in     []int
	width  float64
	o      block.Options
	blocks int
	first  string // names of the first blocks
	kinds  string // of the first blocks
	whole  string // part of what is said of those that cannot go
}{
	{"resnet32", []int{3, 8, 8}, .25, block.Options{}, 13, "layer1.0 layer1.1 layer1.2", "residual", "layer2.0"},
	{"resnet20-b", []int{3, 8, 8}, .25, block.Options{}, 7, "layer1.0", "residual", "shortcut is not the identity"},
	{"resnet50-imagenet", []int{3, 32, 32}, .0625, block.Options{}, 12, "layer1.1", "residual", "layer1.0"},
	{"wrn-16-1", []int{3, 16, 16}, .5, block.Options{}, 3, "block1.layer.1", "residual", "block2.layer.0"}, // pre-activation
	{"mobilenetv2", []int{3, 8, 8}, .25, block.Options{}, 10, "features.3.conv", "residual", ""},
	{"vit-tiny", []int{3, 16, 16}, 0, block.Options{}, 4, "blocks.0 blocks.1", "transformer", ""},
	{"vit-tiny", []int{3, 16, 16}, 0, block.Options{Sublayers: true}, 8, "blocks.0.attn blocks.0.feed-forward blocks.1.attn", "attention feed-forward", ""},
	{"gpt-tiny", []int{8}, 0, block.Options{}, 4, "blocks.0", "transformer", ""},
	{"bert-3-16-2", []int{8}, 0, block.Options{}, 3, "layers.0 layers.1", "transformer", ""},
	{"bert-3-16-2-classifier", []int{8}, 0, block.Options{Sublayers: true}, 6, "layers.0.attn layers.0.feed-forward", "attention feed-forward", ""},
	{"vgg11-bn", []int{3, 16, 16}, .25, block.Options{Plain: true}, 4, "features.11 features.18", "plain", ""},
	{"vgg11-bn", []int{3, 16, 16}, .25, block.Options{}, 0, "", "", ""},
	{"mlp:64-20-20-20-10", nil, 0, block.Options{Plain: true}, 2, "fc2 fc3", "plain", ""},
	{"unet-8", nil, 0, block.Options{}, 0, "", "", ""},
	{"lstm-2-8", nil, 0, block.Options{}, 0, "", "", ""},
}

func TestFamilies(t *testing.T) {
	for _, c := range families {
		g := network(t, c.name, zoo.Options{In: c.in, Width: c.width})
		blocks, whole := block.Find(g, c.o)
		names := strings.Join(namesOf(blocks), " ")
		if len(blocks) != c.blocks || !strings.HasPrefix(names, c.first) {
			t.Errorf("%s %+v: %d blocks %s, want %d %s…", c.name, c.o, len(blocks), names, c.blocks, c.first)
		}
		for i, k := range strings.Fields(c.kinds) {
			if i < len(blocks) && blocks[i].Kind.String() != k {
				t.Errorf("%s: block %s is %v, want %s", c.name, blocks[i].Name, blocks[i].Kind, k)
			}
		}
		if said := fmt.Sprint(whole); !strings.Contains(said, c.whole) {
			t.Errorf("%s: %s, want something with %q", c.name, said, c.whole)
		}
	}
}

// A block that is removed and one that is zeroed give the same outputs, and what is
// removed costs exactly what was said, one by one and together.
func TestRemovedIsZeroed(t *testing.T) {
	for _, c := range families {
		g := network(t, c.name, zoo.Options{In: c.in, Width: c.width})
		blocks, _ := block.Find(g, c.o)
		before, whole := structure.CostOf(g), answer.ToNoise(t, g)
		sets := [][]*block.Block{}
		for i, b := range blocks {
			if i < 3 || i == len(blocks)-1 { // the others are like them
				sets = append(sets, []*block.Block{b})
			}
		}
		r := rand.New(rand.NewPCG(3, 3))
		for range 2 {
			sets = append(sets, slices.DeleteFunc(slices.Clone(blocks), func(*block.Block) bool { return r.IntN(2) == 0 }))
		}
		sets = append(sets, blocks, nil)
		for _, set := range sets {
			what := fmt.Sprintf("%s without %v", c.name, namesOf(set))
			cut, err := block.Remove(g, set)
			if err != nil {
				t.Fatal(what, err)
			}
			left := structure.CostOf(cut)
			macs, params := before.MACs, before.Params
			norm, plain := false, false
			for _, b := range set {
				macs, params = macs-b.Cost.MACs, params-b.Cost.Params
				norm, plain = norm || b.Norm, plain || b.Kind == block.Plain
			}
			if left.MACs != macs || left.Params != params {
				t.Fatalf("%s: costs %+v, want %d and %d", what, left, macs, params)
			}
			got := answer.ToNoise(t, cut)
			if len(set) > 0 && answer.Far(whole, got) < 1e-4 {
				t.Errorf("%s: the outputs are those of the whole network", what)
			}
			zeroed, err := block.Zero(g, set)
			switch {
			case plain != (err != nil):
				t.Fatalf("%s: zeroing: %v", what, err)
			case norm || plain:
			default:
				if d := answer.Far(answer.ToNoise(t, zeroed), got); !(d <= 1e-6) {
					t.Errorf("%s: removed and zeroed differ by %v", what, d)
				}
			}
		}
		if answer.Far(whole, answer.ToNoise(t, g)) != 0 {
			t.Errorf("%s was changed", c.name)
		}
	}
}

// An encoder that normalises behind each sum loses whole layers: what is left is the
// encoder that never had them.
func TestPostNormLosesLayers(t *testing.T) {
	long := network(t, "bert-3-16-2", zoo.Options{In: []int{8}})
	short := network(t, "bert-2-16-2", zoo.Options{In: []int{8}})
	for _, v := range short.Consts() { // layers 0 and 2 of the long one
		from := strings.Replace(v.Name, "layers.1.", "layers.2.", 1)
		if v.Role == graph.Param || v.Role == graph.Stat {
			if err := v.Const.Copy(long.Value(from).Const); err != nil {
				t.Fatal(err)
			}
		}
	}
	blocks, _ := block.Find(long, block.Options{})
	cut, err := block.Remove(long, blocks[1:2])
	if err != nil {
		t.Fatal(err)
	}
	if d := answer.Far(answer.ToNoise(t, short), answer.ToNoise(t, cut)); d > 1e-6 {
		t.Errorf("without layer 1 the outputs differ by %v from those of an encoder of layers 0 and 2", d)
	}
}

// ResNet-32 at 32x32: every block is 6.82 % of the multiply-accumulates, as the paper
// says.
func TestResNet32Shares(t *testing.T) {
	g := network(t, "resnet32-b", zoo.Options{}) // its shortcuts to another size are convolutions
	blocks, whole := block.Find(g, block.Options{})
	if len(blocks) != 13 || len(whole) != 2 {
		t.Fatalf("%d blocks, %v", len(blocks), whole)
	}
	all := structure.CostOf(g)
	for _, b := range blocks {
		if share := 100 * float64(b.Cost.MACs) / float64(all.MACs); math.Abs(share-6.82) > .01 {
			t.Errorf("block %s is %.3f %% of the multiply-accumulates", b.Name, share)
		}
	}
	stages := map[int]int{}
	for _, b := range blocks {
		stages[b.Stage]++
	}
	if stages[0] != 5 || stages[1] != 4 || stages[2] != 4 {
		t.Errorf("stages %v", stages)
	}
}

// build makes a network of [2 6] float32 with the given body.
func build(t *testing.T, body func(b *op.Builder, x *graph.Value, w func(name string) *graph.Value) *graph.Value) *graph.Graph {
	t.Helper()
	g := graph.New("built", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(2, 6)}
	g.Inputs = []*graph.Value{x}
	b, r := op.NewBuilder(g, "n"), rand.New(rand.NewPCG(5, 5))
	y := body(b, x, func(name string) *graph.Value {
		w := tensor.New(tensor.Float32, 6, 6)
		for i := range w.F32() {
			w.F32()[i] = float32(r.NormFloat64())
		}
		return g.Const(name, w, graph.Param)
	})
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	g.Outputs = []*graph.Value{y}
	return g
}

// Shapes of sums that exporters write, and sums that are no blocks.
func TestSums(t *testing.T) {
	type weights = func(name string) *graph.Value
	for _, c := range []struct {
		name   string
		body   func(b *op.Builder, x *graph.Value, w weights) *graph.Value
		blocks string
		whole  string
	}{
		{"two branches beside one shortcut", func(b *op.Builder, x *graph.Value, w weights) *graph.Value {
			h := b.Op("Relu", b.Op("MatMul", x, w("stem")))
			return b.Op("Add", b.Op("Add", b.Op("MatMul", h, w("a")), b.Op("Tanh", b.Op("MatMul", h, w("c")))), h)
		}, "a c", ""},
		{"a sum of three", func(b *op.Builder, x *graph.Value, w weights) *graph.Value {
			h := b.Op("Relu", b.Op("MatMul", x, w("stem")))
			return b.Op("Relu", b.Op("Sum", b.Op("MatMul", h, w("a")), h, b.Op("MatMul", h, w("c"))))
		}, "a c", ""},
		{"two branches that share what they begin with", func(b *op.Builder, x *graph.Value, w weights) *graph.Value {
			h := b.Op("Relu", b.Op("MatMul", x, w("stem")))
			f := b.Op("Tanh", b.Op("MatMul", h, w("block.in")))
			return b.Op("Add", b.Op("Add", b.Op("MatMul", f, w("block.a")), b.Op("MatMul", f, w("block.c"))), h)
		}, "block", ""},
		{"two such branches whose beginning is read elsewhere", func(b *op.Builder, x *graph.Value, w weights) *graph.Value {
			h := b.Op("Relu", b.Op("MatMul", x, w("stem")))
			f := b.Op("Tanh", b.Op("MatMul", h, w("block.in")))
			return b.Op("Mul", b.Op("Add", b.Op("Add", b.Op("MatMul", f, w("block.a")), b.Op("MatMul", f, w("block.c"))), h), f)
		}, "", "used elsewhere"},
		{"a bias behind the branch", func(b *op.Builder, x *graph.Value, w weights) *graph.Value {
			h := b.Op("Relu", b.Op("MatMul", x, w("stem")))
			return b.Op("Add", h, b.Op("Add", b.Op("MatMul", h, w("a")), b.Const(tensor.From([]float32{1, 2, 3, 4, 5, 6}, 6))))
		}, "a", ""},
		{"a projection", func(b *op.Builder, x *graph.Value, w weights) *graph.Value {
			h := b.Op("Relu", b.Op("MatMul", x, w("stem")))
			return b.Op("Add", b.Op("MatMul", h, w("a")), b.Op("MatMul", h, w("c")))
		}, "", "shortcut is not the identity"},
		{"an activation's own sum", func(b *op.Builder, x *graph.Value, w weights) *graph.Value {
			h := b.Op("MatMul", x, w("stem"))
			h = b.Op("Add", h, b.Op("Mul", b.Op("Mul", h, h), b.Scalar(.04, h)))
			return b.Op("MatMul", h, w("a"))
		}, "", ""},
		{"blocks in a block", func(b *op.Builder, x *graph.Value, w weights) *graph.Value {
			h := b.Op("Relu", b.Op("MatMul", x, w("stem")))
			y := b.Op("Add", h, b.Op("MatMul", h, w("a")))
			y = b.Op("Add", y, b.Op("MatMul", y, w("c")))
			return b.Op("Add", h, b.Op("MatMul", y, w("end")))
		}, "a c", "it holds 2 blocks"},
		{"a branch that is read elsewhere", func(b *op.Builder, x *graph.Value, w weights) *graph.Value {
			h := b.Op("Relu", b.Op("MatMul", x, w("stem")))
			f := b.Op("MatMul", h, w("a"))
			return b.Op("Mul", b.Op("Add", h, b.Op("Relu", f)), f)
		}, "", "used elsewhere"},
		{"all there is", func(b *op.Builder, x *graph.Value, w weights) *graph.Value {
			return b.Op("Add", x, b.Op("MatMul", x, w("a")))
		}, "", "all that stands between"},
		{"a shortcut that is broadcast", func(b *op.Builder, x *graph.Value, w weights) *graph.Value {
			h := b.Attr("ReduceMean", []graph.Attr{graph.MakeAttr("axes", []int{0})}, x)
			return b.Op("Add", h, b.Op("Mul", x, b.Op("MatMul", h, w("a"))))
		}, "", ""},
		{"an activation that is not idempotent", func(b *op.Builder, x *graph.Value, w weights) *graph.Value {
			h := b.Op("Tanh", b.Op("MatMul", x, w("stem")))
			return b.Op("Tanh", b.Op("Add", h, b.Op("MatMul", h, w("a"))))
		}, "a", ""},
	} {
		g := build(t, c.body)
		blocks, whole := block.Find(g, block.Options{})
		if got := strings.Join(namesOf(blocks), " "); got != c.blocks {
			t.Errorf("%s: blocks %s, want %s", c.name, got, c.blocks)
		}
		if said := fmt.Sprint(whole); !strings.Contains(said, c.whole) || c.whole == "" && len(whole) > 0 {
			t.Errorf("%s: %s, want %q", c.name, said, c.whole)
		}
		for mask := range 1 << len(blocks) {
			var set []*block.Block
			for i, b := range blocks {
				if mask>>i&1 == 1 {
					set = append(set, b)
				}
			}
			cut, err := block.Remove(g, set)
			if err != nil {
				t.Fatal(c.name, err)
			}
			zeroed, err := block.Zero(g, set)
			if err != nil {
				t.Fatal(c.name, err)
			}
			if d := answer.Far(answer.ToNoise(t, zeroed), answer.ToNoise(t, cut)); !(d <= 1e-6) {
				t.Errorf("%s: without %v removed and zeroed differ by %v", c.name, namesOf(set), d)
			}
			if cut.Outputs[0].Name != g.Outputs[0].Name {
				t.Errorf("%s: the output is called %s", c.name, cut.Outputs[0].Name)
			}
		}
	}
}

// Where every block of a network without a first layer would go, nothing is left.
func TestNothingLeft(t *testing.T) {
	g := build(t, func(b *op.Builder, x *graph.Value, w func(string) *graph.Value) *graph.Value {
		h := b.Op("Add", x, b.Op("MatMul", x, w("a")))
		return b.Op("Add", h, b.Op("MatMul", h, w("c")))
	})
	blocks, _ := block.Find(g, block.Options{})
	if len(blocks) != 2 {
		t.Fatalf("blocks %v", namesOf(blocks))
	}
	if _, err := block.Remove(g, blocks); err == nil || !strings.Contains(err.Error(), "nothing would stand between") {
		t.Errorf("%v", err)
	}
	if _, err := block.Remove(g, blocks[:1]); err != nil {
		t.Error(err)
	}
}

// Weights that two blocks share go with neither alone.
func TestSharedWeights(t *testing.T) {
	g := build(t, func(b *op.Builder, x *graph.Value, w func(string) *graph.Value) *graph.Value {
		h := b.Op("Relu", b.Op("MatMul", x, w("stem")))
		a := w("shared")
		h = b.Op("Add", h, b.Op("MatMul", h, a))
		return b.Op("Add", h, b.Op("Relu", b.Op("MatMul", h, a)))
	})
	blocks, _ := block.Find(g, block.Options{})
	if len(blocks) != 2 || blocks[0].Cost.Params != 0 || blocks[0].Cost.MACs == 0 || blocks[0].Name == blocks[1].Name {
		t.Fatalf("blocks %+v", blocks)
	}
	for _, b := range blocks {
		cut, _ := block.Remove(g, []*block.Block{b})
		zeroed, err := block.Zero(g, []*block.Block{b})
		if err != nil {
			t.Fatal(err)
		}
		if d := answer.Far(answer.ToNoise(t, zeroed), answer.ToNoise(t, cut)); !(d <= 1e-6) {
			t.Errorf("without %s removed and zeroed differ by %v", b.Name, d)
		}
	}
}
