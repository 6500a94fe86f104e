package pare_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"pare"
)

// Who has stopped waits for no file.
func TestOpenContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "net.onnx")
	if err := digitsNetwork().Save(path); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := pare.OpenContext(ctx, path); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := pare.OpenContext(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want a cancelled context", err)
	}
}
