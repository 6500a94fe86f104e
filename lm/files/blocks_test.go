package files

import (
	"strings"
	"testing"

	"pare/gguf"
)

// Floats are no blocks; each type of blocks is named once.
func TestBlocks(t *testing.T) {
	of := func(types ...gguf.Type) string {
		var ts []gguf.Tensor
		for _, x := range types {
			ts = append(ts, gguf.Tensor{Type: x})
		}
		return strings.Join(blocks(ts), " ")
	}
	if got := of(gguf.F32, gguf.F16, gguf.BF16, gguf.F64); got != "" {
		t.Errorf("floats: %s", got)
	}
	if got := of(gguf.F32, gguf.Q8_0, gguf.Q4_K, gguf.Q8_0); got != "Q8_0 Q4_K" {
		t.Errorf("blocks: %s", got)
	}
}
