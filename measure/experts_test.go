package measure

import (
	"math"
	"strings"
	"testing"

	"pare/zoo"
)

// An inspection lists the mixtures of experts, with what goes with an expert.
func TestInspectExperts(t *testing.T) {
	g, err := zoo.New("experts-2-16-4", zoo.Options{In: []int{16}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	x, err := Inspect(g)
	if err != nil {
		t.Fatal(err)
	}
	const each, all = 17 + 2*(16*16+16), 272 + 2*4*(17+2*(16*16+16)) + 170
	if len(x.Experts) != 2 || x.Experts[1].Name != "blocks.1.experts" || x.Experts[1].Experts != 4 || x.Experts[1].Chosen != 2 || math.Abs(x.Experts[1].Params-each/float64(all)) > 1e-12 {
		t.Errorf("%+v", x.Experts)
	}
	var b strings.Builder
	x.Report(3).Print(&b, 100)
	for _, want := range []string{"blocks.1.experts", "expert width"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
}
