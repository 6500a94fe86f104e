package family

import (
	"fmt"
	"maps"
	"slices"

	"pare/tensor"
)

// Source is where weights are read from, by Hugging Face's names: a weights.Reader is one.
type Source interface {
	Names() []string
	Read(name string) (*tensor.Tensor, error)
}

// Tensors is a Source in memory, such as the Tensors of a safetensors.File.
type Tensors map[string]*tensor.Tensor

// Names lists the names in order.
func (t Tensors) Names() []string { return slices.Sorted(maps.Keys(t)) }

// Read gives the tensor of a name.
func (t Tensors) Read(name string) (*tensor.Tensor, error) {
	if x := t[name]; x != nil {
		return x, nil
	}
	return nil, fmt.Errorf("there is no weight %q", name)
}

// Model is a config with its weights, layer by layer. Its weights are float32.
type Model struct {
	*Config
	Embed, Positions, Segments *Weight // tables [rows Hidden]; nil: none
	EmbedNorm                  *Norms
	Layers                     []*Layer
	Final                      *Norms
	Head                       *Linear // nil where it is Embed
	HeadBias                   *Weight // of an output layer that is Embed

	// What BERT's classes have behind the layers.
	Transform     *Linear
	TransformNorm *Norms
	Pooler        *Linear
	Classifier    *Linear
}

// Weight is a tensor of float32.
type Weight struct {
	Name   string
	T      *tensor.Tensor
	Stored tensor.DType // in which it was read
}

// Linear is a layer y = W·x + b.
type Linear struct {
	Weight
	Out, In int
	Turned  bool    // T is [In Out], not [Out In]
	Bias    *Weight // [Out]; nil: none
}

// Norms is a normalisation with its scale and shift.
type Norms struct {
	W, B *Weight // B is nil for RMS
}

// Layer is a block. Attention or MLP is nil where it was removed.
type Layer struct {
	*Attention
	*MLP
	Norm1, After1 *Norms // of the attention
	Norm2, After2 *Norms // of the feed-forward layers; Norm2 is nil where both read Norm1
}

// Fused says how queries, keys and values lie in what one matrix gives.
type Fused uint8

// The ways.
const (
	Apart Fused = iota // three matrices
	Rows               // all queries, all keys, all values
	Heads              // queries, keys and values of a head, head after head
)

// Attention is the attention of a layer.
type Attention struct {
	Heads, KVHeads int
	Q, K, V        *Linear
	QKV            *Linear // in the place of the three
	Fused          Fused
	O              *Linear
	QNorm, KNorm   *Norms // of each head; nil: none
}

// MLP are the feed-forward layers of a block.
type MLP struct {
	Width    int
	Gate, Up *Linear // Gate is nil where there is none
	GateUp   *Linear // the rows of Gate, then those of Up, in their place
	Down     *Linear
}
