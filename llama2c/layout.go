package llama2c

import (
	"fmt"

	"pare/tensor"
)

// layout lays tensors into a file one after another.
type layout struct {
	file *File
	at   int  // the next byte
	size int  // of the file
	dry  bool // only the size is wanted
}

// all lays out every tensor in the order of the version, and sees that they take the file
// to its last byte.
func (l *layout) all() error {
	c := l.file.Config
	head := c.headSize()
	keys := c.KVHeads * head
	const (
		attnNorm, mlpNorm = "input_layernorm", "post_attention_layernorm"
		q, k, v, o        = "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"
		gate, down, up    = "mlp.gate_proj", "mlp.down_proj", "mlp.up_proj"
	)
	norm := func(name string) func() error {
		return func() error { return l.layers(name, false, 0, c.Dim) }
	}
	weight := func(name string, heads int, shape ...int) func() error {
		return func() error { return l.layers(name, true, heads, shape...) }
	}
	final := func() error { return l.add("model.norm.weight", false, 0, c.Dim) }
	embedding := func() error { return l.add("model.embed_tokens.weight", true, 0, c.Vocab, c.Dim) }
	classifier := func() error {
		if c.Tied {
			return nil
		}
		return l.add("lm_head.weight", true, 0, c.Vocab, c.Dim)
	}
	rotary := func() error { return l.skip(2*c.Context, head/2) } // tables of cosines and sines
	attention := []func() error{weight(q, c.Heads, c.Dim, c.Dim), weight(k, c.KVHeads, keys, c.Dim), weight(v, 0, keys, c.Dim), weight(o, 0, c.Dim, c.Dim)}
	mlp := []func() error{weight(gate, 0, c.Hidden, c.Dim), weight(down, 0, c.Dim, c.Hidden), weight(up, 0, c.Hidden, c.Dim)}
	var parts []func() error
	if l.file.Version == 0 {
		parts = append(append(append(append([]func() error{embedding, norm(attnNorm)}, attention...), norm(mlpNorm)), mlp...), final, rotary, classifier)
	} else {
		parts = append(append(append([]func() error{norm(attnNorm), norm(mlpNorm), final, embedding}, attention...), mlp...), classifier)
	}
	for _, part := range parts {
		if err := part(); err != nil {
			return err
		}
	}
	if l.at != l.size {
		return fmt.Errorf("a model of %+v has %d bytes, the file %d: it is no model of llama2.c, or too long", c, l.at, l.size)
	}
	return nil
}

// skip leaves out float32 numbers.
func (l *layout) skip(shape ...int) error {
	n, ok := tensor.Size(shape)
	if !ok || n > (l.size-l.at)/4 {
		return l.short()
	}
	l.at += 4 * n
	return nil
}

// layers adds a tensor of each layer.
func (l *layout) layers(name string, weight bool, heads int, shape ...int) error {
	layers := l.file.Config.Layers
	if l.dry {
		start := l.at
		if err := l.add(name, weight, heads, shape...); err != nil {
			return err
		}
		one := l.at - start
		if layers-1 > (l.size-l.at)/one {
			return l.short()
		}
		l.at += (layers - 1) * one
		return nil
	}
	for i := range layers {
		if err := l.add(fmt.Sprintf("model.layers.%d.%s.weight", i, name), weight, heads, shape...); err != nil {
			return err
		}
	}
	return nil
}

// add adds a tensor; a weight is quantised in version 2.
func (l *layout) add(name string, weight bool, heads int, shape ...int) error {
	n, ok := tensor.Size(shape)
	if !ok || n > l.size {
		return l.short()
	}
	f := l.file
	quantized := weight && f.Version == 2
	if quantized && n%f.Group != 0 {
		return fmt.Errorf("%s has %d elements, no multiple of a group's %d", name, n, f.Group)
	}
	bytes := f.bytes(n, quantized)
	if bytes > l.size-l.at {
		return l.short()
	}
	if !l.dry {
		f.names = append(f.names, name)
		f.at[name] = place{shape, l.at, quantized, heads}
	}
	l.at += bytes
	return nil
}

func (l *layout) short() error {
	return fmt.Errorf("a model of %+v does not fit into %d bytes: the file is cut short, or no model of llama2.c", l.file.Config, l.size)
}
