package family

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Read reads a config.json. It returns an error that names what it does not understand:
// the type of the model, an entry, or the value of one.
func Read(b []byte) (*Config, error) {
	const largest = 16 << 20
	if len(b) > largest {
		return nil, fmt.Errorf("config.json has %d bytes, more than %d", len(b), largest)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	f := newFields(raw)
	c := &Config{Type: f.text("model_type", ""), EmbedScale: 1, raw: raw}
	fam, ok := families[c.Type]
	if !ok {
		return nil, fmt.Errorf("config.json: model_type %.40q is not known; there are %s", c.Type, strings.Join(Types(), ", "))
	}
	var classes []string
	if f.get("architectures", &classes); len(classes) > 0 {
		c.Class = classes[0]
	}
	if c.Class != "" && !slices.Contains(fam.classes, c.Class) {
		return nil, fmt.Errorf("config.json: a model of the class %.60q is not known among those of type %s; there are %s", c.Class, c.Type, strings.Join(fam.classes, ", "))
	}
	f.refuse("quantization_config")
	f.refuse("add_cross_attention")
	f.refuse("is_encoder_decoder")
	f.refuse("pruned_heads", "{}")
	fam.read(f, c)
	f.pare(c)
	if err := f.finish(); err != nil {
		return nil, fmt.Errorf("config.json of type %s: %w", c.Type, err)
	}
	if c.Heads%c.KVHeads != 0 {
		return nil, fmt.Errorf("config.json: %d heads do not share %d of keys and values evenly", c.Heads, c.KVHeads)
	}
	return c, nil
}

// Types lists the values of model_type that Read knows.
func Types() []string { return slices.Sorted(maps.Keys(families)) }

// pare reads the widths of layers that differ.
func (f *fields) pare(c *Config) {
	var p struct {
		Layers []Widths `json:"layers"`
	}
	if !f.get("pare", &p) {
		return
	}
	if len(p.Layers) != c.Layers {
		f.fail("\"pare\" lists %d of %d layers", len(p.Layers), c.Layers)
		return
	}
	for i, w := range p.Layers {
		if w.Heads < 0 || w.KVHeads < 0 || w.Intermediate < 0 || (w.Heads == 0) != (w.KVHeads == 0) || w.KVHeads > 0 && w.Heads%w.KVHeads != 0 {
			f.fail("\"pare\": layer %d has %d heads, %d of keys and values, and a width of %d", i, w.Heads, w.KVHeads, w.Intermediate)
		}
	}
	c.Pare = p.Layers
}

// What a config may ask for without weights that bear it out.
const (
	mostLayers    = 4096
	mostHead      = 1 << 16 // elements of a head
	mostPositions = 1 << 20 // for which frequencies hold
)

// sizes reads what nearly all families call by the same names.
func (f *fields) sizes(c *Config) {
	c.Vocab, c.Hidden, c.Layers = f.size("vocab_size", 0), f.size("hidden_size", 0), f.size("num_hidden_layers", 0)
	c.Heads = f.size("num_attention_heads", 0)
	c.KVHeads = c.Heads
	c.Intermediate = f.size("intermediate_size", 0)
	f.headDim(c)
}

// headDim reads the size of a head, which is the width's share where it is not stated.
func (f *fields) headDim(c *Config) {
	if c.Layers > mostLayers {
		f.fail("%d layers are more than %d", c.Layers, mostLayers)
		c.Layers = 1
	}
	share := c.Hidden / c.Heads
	if !f.has("head_dim") && c.Hidden%c.Heads != 0 {
		f.fail("a width of %d does not divide into %d heads", c.Hidden, c.Heads)
	}
	if c.HeadDim = f.size("head_dim", max(share, 1)); c.HeadDim > mostHead {
		f.fail("heads of %d elements are larger than %d", c.HeadDim, mostHead)
		c.HeadDim = 2
	}
	c.Scale = 1 / math.Sqrt(float64(c.HeadDim))
}

func (f *fields) activation(name, def string) Activation {
	text := f.text(name, def)
	a, ok := activations[text]
	if !ok {
		f.fail("%q: the activation %.40q is not understood; there are %s", name, text, strings.Join(slices.Sorted(maps.Keys(activations)), ", "))
	}
	return a
}

// everywhere gives all layers one rotary embedding.
func (c *Config) everywhere(r *Rotary) {
	for range c.Layers {
		c.Rotary = append(c.Rotary, r)
	}
}
