package oneshot

import (
	"testing"

	"pare/internal/modeltest"
	"pare/model"
	"pare/prune"
)

// What gradual cutting has cut stays cut, also where what is left decays fast enough to
// become smaller than what a cut weight was.
func TestGradualNested(t *testing.T) {
	magnitude := NewMagnitude()
	magnitude.Gradual = true
	for _, m := range []model.Method{&GlobalMP{Sparsity: .9, Gradual: true}, magnitude} {
		j := modeltest.Job(t, 4)
		j.Recipe.LR, j.Recipe.Decay = .1, .5
		ws, err := prune.Weights(j.Graph, prune.Scope{})
		if err != nil {
			t.Fatal(err)
		}
		cut := make([][]bool, len(ws))
		for l, w := range ws {
			cut[l] = make([]bool, w.Len())
		}
		back, gone := 0, 0
		j.OnStep = func(int, int, float64) {
			for l, w := range ws {
				for i, x := range w.Data() {
					if cut[l][i] && x != 0 {
						back++
					}
					if x == 0 && !cut[l][i] {
						cut[l][i] = true
						gone++
					}
				}
			}
		}
		modeltest.Run(t, m, j)
		if back > 0 || gone < 1300 {
			t.Errorf("%s: %d weights were cut, %d came back", m.Card().Name, gone, back)
		}
	}
}
