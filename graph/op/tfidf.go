package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// TfIdfVectorizer counts the n-grams of a pool in rows of integers or strings.

// ngrams is the pool: the numbers of its n-grams by their tokens.
type ngrams struct {
	number          map[string]int
	width           int
	shortest, most  int // tokens of an n-gram
	skip            int
	weight          []float32
	counts, inverse bool // TF, IDF
}

const maxGram = 1 << 10

func ngramsOf(n *graph.Node) (*ngrams, error) {
	g := &ngrams{number: map[string]int{}, shortest: n.Int("min_gram_length", 1), most: n.Int("max_gram_length", 1), skip: n.Int("max_skip_count", 0)}
	if g.shortest < 1 || g.most < g.shortest || g.most > maxGram || g.skip < 0 || g.skip > 1<<20 {
		return nil, fmt.Errorf("n-grams of %d to %d tokens with %d left out", g.shortest, g.most, g.skip)
	}
	switch mode := n.Str("mode", ""); mode {
	case "TF":
		g.counts = true
	case "IDF":
		g.inverse = true
	case "TFIDF":
		g.counts, g.inverse = true, true
	default:
		return nil, fmt.Errorf("unknown mode %q", mode)
	}
	pool := []string{}
	if a := n.Attr("pool_strings"); a != nil {
		pool = a.Strings
	}
	for _, k := range n.Ints("pool_int64s") {
		pool = append(pool, fmt.Sprint(k))
	}
	if a := n.Attr("weights"); a != nil {
		g.weight = a.Floats
	}
	starts, places := n.Ints("ngram_counts"), n.Ints("ngram_indexes")
	id := 0
	for k, from := range starts {
		to := len(pool)
		if k+1 < len(starts) {
			to = starts[k+1]
		}
		if from < 0 || to < from || to > len(pool) || (to-from)%(k+1) != 0 {
			return nil, fmt.Errorf("the pool's %d-grams from %d to %d of %d tokens", k+1, from, to, len(pool))
		}
		for i := from; i < to; i += k + 1 {
			if id >= len(places) || places[id] < 0 || places[id] > 1<<28 {
				return nil, fmt.Errorf("n-gram %d of the pool has no place", id)
			}
			g.width = max(g.width, places[id]+1)
			if k+1 >= g.shortest && k+1 <= g.most {
				g.number[joined(pool[i:i+k+1])] = id
			}
			id++
		}
	}
	if g.inverse && g.weight != nil && id > len(g.weight) {
		return nil, fmt.Errorf("%d n-grams have %d weights", id, len(g.weight))
	}
	return g, nil
}

func joined(tokens []string) string {
	s := ""
	for _, t := range tokens {
		s += fmt.Sprintf("%d:%s", len(t), t)
	}
	return s
}

// count adds the n-grams of a row to a row of the result.
func (g *ngrams) count(tokens []string, places []int, out []float32) {
	hits := make([]int, len(places))
	for n := g.shortest; n <= g.most; n++ {
		for skip := range g.skip + 1 {
			for i := 0; i+(skip+1)*(n-1) < len(tokens); i++ {
				gram := make([]string, n)
				for k := range gram {
					gram[k] = tokens[i+k*(skip+1)]
				}
				if id, ok := g.number[joined(gram)]; ok {
					hits[id]++
				}
			}
			if n == 1 {
				break // there is nothing between
			}
		}
	}
	for id, h := range hits {
		if h == 0 {
			continue
		}
		v := float32(1)
		if g.counts {
			v = float32(h)
		}
		if g.inverse && g.weight != nil {
			v *= g.weight[id]
		}
		out[places[id]] += v
	}
}

var _ = register(Def{Name: "TfIdfVectorizer", Grad: noGrad,
	Infer: func(c *Infer) error {
		x, err := c.In(0)
		if err != nil {
			return err
		}
		g, err := ngramsOf(c.Node)
		if err != nil {
			return err
		}
		switch {
		case x.Shape == nil:
			c.Out(0, tensor.Float32, nil)
		case len(x.Shape) == 1:
			c.Out(0, tensor.Float32, graph.Dims(g.width))
		case len(x.Shape) == 2:
			c.Out(0, tensor.Float32, graph.Shape{x.Shape[0], graph.N(g.width)})
		default:
			return fmt.Errorf("input %v is neither a row nor rows", x.Shape)
		}
		return nil
	},
	Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		g, err := ngramsOf(n)
		if err != nil {
			return nil, err
		}
		tokens := tensor.Of[string](in[0])
		if in[0].DType != tensor.String {
			k, err := in[0].Int64s()
			if err != nil {
				return nil, err
			}
			tokens = make([]string, len(k))
			for i, v := range k {
				tokens[i] = fmt.Sprint(v)
			}
		}
		rows, shape := 1, []int{g.width}
		if in[0].Rank() == 2 {
			rows, shape = in[0].Shape[0], []int{in[0].Shape[0], g.width}
		} else if in[0].Rank() > 2 {
			return nil, fmt.Errorf("input %v is neither a row nor rows", in[0].Shape)
		}
		out, err := alloc(tensor.Float32, shape...)
		if err != nil {
			return nil, err
		}
		for r := range rows {
			k := len(tokens) / rows
			g.count(tokens[r*k:(r+1)*k], n.Ints("ngram_indexes"), out.F32()[r*g.width:(r+1)*g.width])
		}
		return single(out, nil)
	}})
