package family

import (
	"encoding/json"
	"fmt"
	"strings"
)

// JSON gives the config.json: the entries that were read, with those that pruning has
// changed.
func (c *Config) JSON() ([]byte, error) { return json.MarshalIndent(c.raw, "", "  ") }

// Loads says whether transformers loads the model as its config.json is, and why not.
func (c *Config) Loads() (bool, string) {
	if c.Pare == nil {
		return true, ""
	}
	uniform := true
	for _, w := range c.Pare {
		if w.Heads == 0 || w.Intermediate == 0 {
			return false, "transformers has no layers without attention or without feed-forward layers"
		}
		uniform = uniform && w == c.Pare[0]
	}
	if uniform {
		return false, fmt.Sprintf("transformers divides the width of a model of type %s into all its heads", c.Type)
	}
	return false, "transformers has layers of one width"
}

// entries are the names under which a family's config.json holds its sizes.
type entries struct{ layers, heads, kvHeads, intermediate, headDim string }

func (c *Config) entries() entries {
	switch c.Type {
	case "gpt2":
		return entries{layers: "n_layer", heads: "n_head", intermediate: "n_inner"}
	case "opt":
		return entries{layers: "num_hidden_layers", heads: "num_attention_heads", intermediate: "ffn_dim"}
	case "gpt_neox", "bert":
		return entries{layers: "num_hidden_layers", heads: "num_attention_heads", intermediate: "intermediate_size"}
	}
	e := entries{layers: "num_hidden_layers", heads: "num_attention_heads", kvHeads: "num_key_value_heads", intermediate: "intermediate_size"}
	long := c.Type == "phi3" && c.Rotary[0].Type == "longrope" // whose factors transformers counts by the width's share
	if c.Type != "phi" && !long {
		e.headDim = "head_dim"
	}
	return e
}

// state writes what the config's fields say into the entries, where they say otherwise.
func (w *writer) state(c *Config) error {
	raw := map[string]json.RawMessage{}
	for k, v := range c.raw {
		raw[k] = v
	}
	was, err := json.Marshal(raw)
	if err != nil {
		return err
	}
	old, err := Read(was)
	if err != nil {
		return err
	}
	set := func(name string, v any) {
		b, e := json.Marshal(v)
		if raw[name] = b; e != nil {
			err = e
		}
	}
	e := c.entries()
	if c.Hidden != old.Hidden {
		set("hidden_size", c.Hidden)
		set("rms_norm_eps", c.Eps)
		set(e.headDim, c.HeadDim)
	}
	if c.Layers != old.Layers {
		set(e.layers, c.Layers)
		c.stateLayers(raw, set)
	}
	if c.Pare == nil && e.headDim == "" && c.Heads != old.Heads { // a head is the width's share
		for range c.Layers {
			c.Pare = append(c.Pare, Widths{c.Heads, c.KVHeads, c.Intermediate})
		}
		c.Heads, c.KVHeads, c.Intermediate = old.Heads, old.KVHeads, old.Intermediate
	}
	if c.Pare != nil {
		set("pare", map[string]any{"layers": c.Pare})
	} else {
		delete(raw, "pare")
		if c.Heads != old.Heads || c.KVHeads != old.KVHeads {
			set(e.heads, c.Heads)
			if e.kvHeads != "" {
				set(e.kvHeads, c.KVHeads)
			}
			if e.headDim != "" {
				set(e.headDim, c.HeadDim)
			}
		}
		if c.Intermediate != old.Intermediate {
			set(e.intermediate, c.Intermediate)
		}
	}
	c.raw = raw
	return err
}

// stateLayers says which of the layers that are left have a window, where some have.
func (c *Config) stateLayers(raw map[string]json.RawMessage, set func(string, any)) {
	if !strings.HasPrefix(c.Type, "qwen") && c.Type != "gemma2" && c.Type != "gemma3_text" {
		return // all layers are alike
	}
	types := make([]string, c.Layers)
	for i, w := range c.Window {
		if types[i] = "full_attention"; w > 0 {
			types[i] = "sliding_attention"
		}
	}
	set("layer_types", types)
}
