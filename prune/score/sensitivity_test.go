package score

import (
	"math"
	"testing"

	"pare/prune"
)

// The sensitivity of a connection is |w g|: neither |g| nor with a sign (Lee, Ajanthan,
// Torr 2019, equation 5).
func TestSensitivity(t *testing.T) {
	_, ws := network(t, "mlp:64-12-10", 1, 8, 8)
	grad := make([][]float32, len(ws))
	for l, w := range ws {
		grad[l] = make([]float32, w.Len())
		for i := range grad[l] {
			grad[l][i] = float32(i%7 - 3)
		}
	}
	for l, s := range Sensitivity(ws, grad) {
		for i, x := range s {
			if want := float32(math.Abs(float64(ws[l].Data()[i]) * float64(i%7-3))); x != want {
				t.Fatalf("%s[%d] has %v, want %v", ws[l].Name, i, x, want)
			}
		}
	}
}

// A magnitude has no sign.
func TestMagnitude(t *testing.T) {
	_, ws := network(t, "mlp:64-12-10", 1, 8, 8)
	negative := 0
	for l, s := range Magnitude(ws) {
		for i, x := range s {
			w := ws[l].Data()[i]
			if w < 0 {
				negative++
				w = -w
			}
			if x != w {
				t.Fatalf("%s[%d] has %v, want %v", ws[l].Name, i, x, w)
			}
		}
	}
	if negative == 0 {
		t.Error("no weight is negative")
	}
}

// Within masks, what is cut ranks below all that is kept, whatever it scores.
func TestWithin(t *testing.T) {
	_, ws := network(t, "mlp:64-12-10", 1, 8, 8)
	m := prune.Dense(ws)
	m.Mask[0].Set(3, false)
	score := Magnitude(ws)
	score[0][3] = 1e9
	got := Within(m, score)
	for l := range got {
		for i, x := range got[l] {
			if want := score[l][i]; m.Mask[l].Kept(i) && x != want || !m.Mask[l].Kept(i) && !(x < -math.MaxFloat32) {
				t.Fatalf("%s[%d] ranks by %v, its score is %v", ws[l].Name, i, x, want)
			}
		}
	}
	if score[0][3] != 1e9 {
		t.Error("the scores themselves are changed")
	}
}
