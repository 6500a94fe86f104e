package files

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"pare/gguf"
)

// elsewhere ends what is said of a GGUF file that is not read.
const elsewhere = "its folder of Hugging Face may be read"

// meta reads the hyperparameters of a GGUF file, whose keys begin with the architecture, and
// remembers which were asked for. The first error sticks.
type meta struct {
	gguf.Meta
	arch string
	seen []string
	err  error
}

// value reads one by f, Int, Float or Text of the metadata; false where there is none.
func value[T any](m *meta, key string, f func(key string) (T, error)) (v T, ok bool) {
	key = m.arch + "." + key
	m.seen = append(m.seen, key)
	v, err := f(key)
	if err != nil && !errors.Is(err, gguf.ErrNoKey) && m.err == nil {
		m.err = err
	}
	return v, err == nil
}

// must reads one that must be there.
func must[T any](m *meta, key string, f func(key string) (T, error)) T {
	v, ok := value(m, key, f)
	if !ok && m.err == nil {
		m.err = fmt.Errorf("%s.%s: %w", m.arch, key, gguf.ErrNoKey)
	}
	return v
}

// linear is what positions are divided by, as llama.cpp finds it: by an older key too, and
// linearly where no type is stated (llama_model::load_hparams).
func (m *meta) linear() (factor float64) {
	factor, ok := value(m, "rope.scaling.factor", m.Float)
	if old, is := value(m, "rope.scale_linear", m.Float); is && !ok {
		factor = old
	}
	kind, ok := value(m, "rope.scaling.type", m.Text)
	switch {
	case !ok || kind == "linear":
	case kind == "none":
		return 1
	case m.err == nil:
		m.err = fmt.Errorf("positions scaled by %.40q are not read of a GGUF file, only linear is: %s", kind, elsewhere)
	}
	if factor == 0 {
		return 1
	}
	return factor
}

// harmless are keys that change nothing of what a Llama, Qwen2 or Qwen3 computes.
var harmless = []string{"vocab_size", "tensor_data_layout", "rope.scaling.original_context_length", "rope.scaling.finetuned", "attention.layer_norm_epsilon", "pooling_type"}

// rest returns the first error, or one that names the keys which nobody asked for and which may
// change what the model computes. Keys that are 0, false or empty say that there is none.
func (m *meta) rest(head, positions int) error {
	if m.err != nil {
		return m.err
	}
	var unknown []string
	for _, f := range m.Meta {
		key, ok := strings.CutPrefix(f.Key, m.arch+".")
		if !ok || slices.Contains(m.seen, f.Key) || slices.Contains(harmless, key) {
			continue
		}
		n, notWhole := m.Int(f.Key)
		switch key {
		case "rope.dimension_count", "attention.value_length":
			ok = notWhole == nil && n == head
		case "attention.causal":
			ok = f.Value == true
		case "attention.sliding_window":
			ok = notWhole == nil && (n == 0 || n >= positions)
		case "rope.scaling.attn_factor":
			ok = f.Value == float32(1)
		default:
			x, notFloat := m.Float(f.Key)
			ok = notWhole == nil && n == 0 || notFloat == nil && x == 0 || f.Value == false || f.Value == ""
		}
		if !ok {
			unknown = append(unknown, fmt.Sprintf("%s = %.40s", f.Key, fmt.Sprint(f.Value)))
		}
	}
	if unknown != nil {
		return fmt.Errorf("what these of its metadata change is not known of a Llama, Qwen2 or Qwen3 with heads of %d elements: %s; %s", head, list(unknown[:min(5, len(unknown))]), elsewhere)
	}
	return nil
}
