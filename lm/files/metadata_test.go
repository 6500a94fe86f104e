package files_test

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pare/gguf"
	"pare/internal/lmtest"
	"pare/lm/files"
	"pare/tensor"
)

// with copies a GGUF file with other values of some keys; nil takes a key out.
func with(t *testing.T, path string, values map[string]any) string {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var m gguf.Meta
	for _, x := range f.Meta {
		if v, ok := values[x.Key]; !ok || v != nil {
			m = append(m, x)
		}
	}
	for key, v := range values {
		if v != nil {
			m.Set(key, v)
		}
	}
	var out []gguf.Source
	for _, x := range f.Tensors {
		out = append(out, gguf.Source{Name: x.Name, Type: x.Type, Shape: x.Shape, Read: func() (*tensor.Tensor, error) { return f.Read(x.Name) }})
	}
	to := filepath.Join(t.TempDir(), "other.gguf")
	if err := gguf.Write(to, m, out); err != nil {
		t.Fatal(err)
	}
	return to
}

// What the metadata say of the function is read, is known to change nothing, or is named. The
// model has four heads of six elements, two of keys, and a context of 32.
func TestMetadata(t *testing.T) {
	path := lmtest.GGUF(t, lmtest.Llama2C(t))
	for _, c := range []struct {
		key   string
		value any
		says  string // "": it is read
	}{
		{"rope.dimension_count", uint32(6), ""},
		{"rope.dimension_count", uint32(4), "llama.rope.dimension_count = 4"},
		{"attention.value_length", uint32(6), ""},
		{"attention.value_length", uint32(12), "llama.attention.value_length = 12"},
		{"attention.sliding_window", uint32(8), "llama.attention.sliding_window = 8"},
		{"attention.sliding_window", uint32(1 << 20), ""},
		{"attention.causal", true, ""},
		{"attention.causal", false, "llama.attention.causal = false"},
		{"attention.scale", float32(.5), "llama.attention.scale = 0.5"},
		{"logit_scale", float32(2), "llama.logit_scale = 2"},
		{"expert_count", uint32(0), ""},
		{"expert_count", uint32(8), "llama.expert_count = 8"},
		{"use_parallel_residual", false, ""},
		{"use_parallel_residual", true, "llama.use_parallel_residual"},
		{"rope.scaling.attn_factor", float32(1), ""},
		{"rope.scaling.attn_factor", float32(2), "llama.rope.scaling.attn_factor = 2"},
		{"rope.scaling.type", "yarn", `"yarn"`},
		{"rope.scaling.type", "none", ""},
		{"rope.freq_base", "10000", "llama.rope.freq_base is of type string"},
		{"attention.head_count", []int32{4, 4}, "llama.attention.head_count is of type []int32"},
		{"block_count", nil, "llama.block_count"},
		{"attention.layer_norm_rms_epsilon", nil, "llama.attention.layer_norm_rms_epsilon"},
		{"vocab_size", uint32(320), ""},
		{"tensor_data_layout", "Meta AI original pth", ""},
	} {
		f, err := files.Open(with(t, path, map[string]any{"llama." + c.key: c.value}))
		switch {
		case err == nil && c.says != "":
			t.Errorf("%s = %v is read", c.key, c.value)
		case err != nil && (c.says == "" || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s = %v: %v, want something with %q", c.key, c.value, err, c.says)
		}
		if err == nil {
			f.Close()
		}
	}
}

// Positions are scaled by either key, and without a type linearly; "none" is none.
func TestLinear(t *testing.T) {
	path := lmtest.GGUF(t, lmtest.Llama2C(t))
	_, plain := opened(t, path)
	_, twice := opened(t, with(t, path, map[string]any{"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": float32(2)}))
	dense, want := logits(t, plain), logits(t, twice)
	if reflect.DeepEqual(dense, want) {
		t.Fatal("positions are not scaled")
	}
	for _, values := range []map[string]any{
		{"llama.rope.scaling.factor": float32(2)},
		{"llama.rope.scale_linear": float32(2)},
		{"llama.rope.scale_linear": float32(3), "llama.rope.scaling.factor": float32(2)},
	} {
		_, g := opened(t, with(t, path, values))
		near(t, "scaled", want, logits(t, g), 0)
	}
	for _, values := range []map[string]any{
		{"llama.rope.scaling.type": "none", "llama.rope.scaling.factor": float32(2)},
		{"llama.rope.scaling.factor": float32(0)},
		{"llama.rope.scaling.type": "linear"},
		{"llama.rope.freq_base": nil},
	} {
		_, g := opened(t, with(t, path, values))
		near(t, "not scaled", dense, logits(t, g), 0)
	}
}

// Rows of queries that are not those of the heads which the metadata state would be put in a
// wrong order.
func TestHeads(t *testing.T) {
	path := with(t, lmtest.GGUF(t, lmtest.Llama2C(t)), map[string]any{"llama.attention.head_count": uint32(2), "llama.attention.key_length": uint32(6)})
	f, err := files.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Graph(); err == nil || !strings.Contains(err.Error(), "2 heads of 6 rows") {
		t.Errorf("four heads where two are stated: %v", err)
	}
}
