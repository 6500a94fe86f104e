package measure_test

import (
	"strings"
	"testing"

	"pare/engine"
	"pare/measure"
)

func steps(is ...engine.StepInfo) []measure.Step { return is }

// The rows of the table of layers add up to the whole, and no time counts
// twice.
func TestStepTable(t *testing.T) {
	old := steps(engine.StepInfo{Node: "a", Kernel: "direct", Time: 70}, engine.StepInfo{Node: "a", Kernel: "to NHWC", Time: 10}, engine.StepInfo{Node: "b", Kernel: "relu", Time: 5}, engine.StepInfo{Node: "gone", Kernel: "add", Time: 15})
	now := steps(engine.StepInfo{Node: "a", Kernel: "to NCHW", Time: 10}, engine.StepInfo{Node: "a", Kernel: "sparse", Why: "zeros", Time: 30}, engine.StepInfo{Node: "b", Kernel: "relu", Time: 4}, engine.StepInfo{Op: "output", Kernel: "to NCHW", Time: 6})
	for _, n := range []int{1, 2, 9} {
		tab := measure.StepTable([][]measure.Step{old, now}, n)
		var b strings.Builder
		tab.Print(&b, 0)
		var share, was float64
		for _, r := range tab.Rows {
			share += r[4].Value
			was += r[3].Value
		}
		if share < .999 || share > 1.001 || n < 9 && was*1e9 > 100.5 {
			t.Errorf("%d rows: shares %v, before %v\n%s", n, share, was*1e9, b.String())
		}
		if r := tab.Rows[0]; r[0].Text != "a" || !strings.HasPrefix(r[1].Text, "sparse (to NCHW)") || r[5].Text != "zeros" {
			t.Errorf("first row %+v", r)
		}
	}
}
