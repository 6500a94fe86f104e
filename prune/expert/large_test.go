package expert_test

import (
	"testing"
	"time"

	"pare/prune/expert"
	"pare/zoo"
)

// Networks without experts have none, and it does not take long to see that.
func TestNoExperts(t *testing.T) {
	for _, name := range []string{"resnet110", "vit-tiny", "gpt-24-64-4", "bert-12-48-4", "mobilenetv2", "unet-8", "lstm-2-16", "residual-mlp-40-32", "ncf-8"} {
		g, err := zoo.New(name, zoo.Options{})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if ms, whole := expert.Find(g); len(ms)+len(whole) > 0 {
			t.Errorf("%s: %v, %v", name, ms, whole)
		}
		t.Logf("%s: %v", name, time.Since(start))
	}
}
