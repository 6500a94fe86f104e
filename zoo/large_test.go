package zoo

import (
	"strings"
	"testing"
	"time"
)

// A network that is larger than it may be is refused before its memory is taken.
func TestTooLarge(t *testing.T) {
	begin := time.Now()
	for _, name := range []string{"wrn-10-99999999", "bert-999999-99999999-3", "mlp:64-99999999-99999999-10", "mlp:1-9223372036854775807-10", "mlp:1-4611686018427387904-10",
		"resnet9999998", "wrn-9999998-1", "bert-999999-3-3", "wrn-10-9223372036854775807", "bert-2-9223372036854775807-1"} {
		if _, err := New(name, Options{}); err == nil {
			t.Errorf("%s was built", name)
		} else if strings.Contains(err.Error(), "unknown") {
			t.Error(err)
		}
	}
	if d := time.Since(begin); d > 20*time.Second {
		t.Errorf("that took %v", d)
	}
	if _, err := New("mlp:64-100-10", Options{Most: 20_000}); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Error(err)
	}
	if _, err := New("mlp:64-100-10", Options{Most: 31_000}); err != nil {
		t.Error(err)
	}
}
