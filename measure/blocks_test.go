package measure

import (
	"math"
	"strings"
	"testing"

	"pare/zoo"
)

// An inspection lists the blocks that can go, with what goes with them.
func TestInspectBlocks(t *testing.T) {
	g, err := zoo.New("residual-mlp-3-16", zoo.Options{In: []int{16}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	x, err := Inspect(g)
	if err != nil {
		t.Fatal(err)
	}
	const each, all = 16*16 + 16, 4*(16*16+16) + 170
	if len(x.Blocks) != 3 || x.Blocks[1].Name != "blocks.1" || math.Abs(x.Blocks[1].Params-each/float64(all)) > 1e-12 || math.Abs(x.Blocks[1].MACs-256/float64(4*256+160)) > 1e-12 {
		t.Errorf("%+v", x.Blocks)
	}
	var b strings.Builder
	x.Report(3).Print(&b, 100)
	if !strings.Contains(b.String(), "blocks.2") || !strings.Contains(b.String(), "residual") {
		t.Error(b.String())
	}
}
