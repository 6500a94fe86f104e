// Package family knows the language models that Hugging Face's transformers know: from
// a config.json and weights it builds a graph of ONNX operators that gives the same
// logits, and from such a graph, pruned or not, the config and the weights back.
//
// [Read] turns a config.json into a [Config] and refuses, by name, what would change the
// function and is not understood. [Load] finds the weights of a [Model]; the widths of
// every layer are those of its weights, so pruned models load too. [Build] writes the
// model as a graph. [Weights] goes back from the graph. The families are listed by
// [Types].
package family

import "encoding/json"

// Norm is a kind of normalisation.
type Norm string

// The normalisations.
const (
	RMS       Norm = "rms"   // x/sqrt(mean(x²)+ε)·w (Zhang, Sennrich 2019, arXiv 1910.07467)
	LayerNorm Norm = "layer" // (x-mean)/sqrt(var+ε)·w + b (Ba et al. 2016, arXiv 1607.06450)
)

// Order says where a block normalises and how its two branches meet the stream.
type Order string

// The orders. A is attention, F the feed-forward layers, N a normalisation.
const (
	PreNorm  Order = "pre"      // x += A(N(x)); x += F(N(x))
	PostNorm Order = "post"     // x = N(x+A(x)); x = N(x+F(x))
	Sandwich Order = "sandwich" // x += N(A(N(x))); x += N(F(N(x))) (Gemma 2 and 3)
	Parallel Order = "parallel" // x += A(N(x)) + F(N'(x)) (GPT-NeoX; Phi has one N for both)
)

// Config is what a config.json says of a model. Fields are those that change what the
// model computes; sizes are positive.
type Config struct {
	Type   string // model_type, such as llama
	Class  string // the first of architectures, such as LlamaForCausalLM; "": the family's own
	Vocab  int
	Hidden int // width of the residual stream
	Layers int

	// What every layer has where Pare says nothing else.
	Heads, KVHeads int // heads of queries; of keys and values
	HeadDim        int
	Intermediate   int // width between the feed-forward layers

	Positions int  // the longest text that the model was made for
	Learned   bool // positions are rows of a table
	Offset    int  // the row of the first position
	Segments  int  // rows of the table of segments; 0: there is none
	Encoder   bool // every token sees all others

	Norm       Norm
	Eps        float64
	OnePlus    bool // norms multiply by 1+w
	Order      Order
	OneNorm    bool // both branches read one norm
	Activation Activation
	Gated      bool // act(gate(x))·up(x) (Shazeer 2020, arXiv 2002.05202) in the place of act(up(x))
	Bias       Bias
	QKNorm     bool // queries and keys are normalised head by head
	Tied       bool // the output layer is the table of embeddings

	EmbedScale   float64   // of embeddings
	Scale        float64   // of the products of queries and keys
	ScoreSoftcap float64   // c·tanh(scores/c); 0: none
	LogitSoftcap float64   // the same of logits
	Window       []int     // of each layer, how many tokens a token sees, itself among them; 0: all before
	Rotary       []*Rotary // of each layer; nil: none

	// Pare holds the widths of each layer where they differ from layer to layer; it is
	// the entry "pare" of config.json. transformers does not know it.
	Pare []Widths

	raw map[string]json.RawMessage
}

// Bias says which layers have biases.
type Bias struct{ QKV, Out, MLP, Head bool }

// Widths are those of a layer.
type Widths struct {
	Heads        int `json:"heads"` // 0: the layer has no attention
	KVHeads      int `json:"kv_heads"`
	Intermediate int `json:"intermediate"` // 0: no feed-forward layers
}

// Activation is the function between the feed-forward layers.
type Activation string

// The activations.
const (
	SiLU     Activation = "silu"      // x·sigmoid(x)
	GELU     Activation = "gelu"      // x·Φ(x)
	GELUTanh Activation = "gelu_tanh" // its approximation by tanh (Hendrycks, Gimpel 2016, arXiv 1606.08415)
	ReLU     Activation = "relu"
)

// activations by transformers' names.
var activations = map[string]Activation{
	"silu": SiLU, "swish": SiLU, "gelu": GELU, "relu": ReLU,
	"gelu_new": GELUTanh, "gelu_fast": GELUTanh, "gelu_pytorch_tanh": GELUTanh, "gelu_python": GELU,
}

// Of gives the widths of layer i.
func (c *Config) Of(i int) Widths {
	if c.Pare != nil {
		return c.Pare[i]
	}
	return Widths{c.Heads, c.KVHeads, c.Intermediate}
}
