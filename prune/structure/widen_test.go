package structure_test

import (
	"slices"
	"strings"
	"testing"

	"pare/graph"
	"pare/internal/answer"
	"pare/prune/structure"
	"pare/zoo"
)

// A network that is made twice as wide is the one that is built so, and cut back to its old
// channels it is what it was, number by number.
func TestWiden(t *testing.T) {
	for _, name := range []string{"conv-4", "resnet8-b", "mobilenetv2", "mlp:64-12-8-4"} {
		build := func(width float64) *graph.Graph {
			g, err := zoo.New(strings.ReplaceAll(name, "12-8", map[float64]string{.5: "12-8", 1: "24-16"}[width]), zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: width})
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		g := build(.5)
		groups, _ := structure.Groups(g)
		why := structure.Rigid(g, groups)
		width := make([]int, len(groups))
		for i, grp := range groups {
			width[i] = 2 * len(grp.Channels)
			if name == "conv-4" && strings.HasPrefix(grp.Name, "fc") { // of one width
				width[i] = len(grp.Channels)
			}
			if why[i] != "" {
				t.Fatalf("%s: %s: %s", name, grp.Name, why[i])
			}
		}
		wide, err := structure.Widen(g, groups, width)
		if err != nil {
			t.Fatal(name, err)
		}
		if name != "mobilenetv2" { // whose widths are rounded
			for _, p := range build(1).Params() {
				if v := wide.Value(p.Name); v == nil || !slices.Equal(v.Const.Shape, p.Const.Shape) {
					t.Errorf("%s: %s is %v, built %v", name, p.Name, v, p.Const.Shape)
				}
			}
			if a, b := structure.CostOf(wide), structure.CostOf(build(1)); a != b {
				t.Errorf("%s: %+v, built %+v", name, a, b)
			}
		}
		again, _ := structure.Groups(wide)
		if len(again) != len(groups) {
			t.Fatalf("%s: %d groups became %d", name, len(groups), len(again))
		}
		sel := structure.All(again)
		for i, grp := range again {
			if grp.Name != groups[i].Name || len(grp.Channels) != width[i] {
				t.Fatalf("%s: %v, of %s", name, grp, groups[i].Name)
			}
			for c := len(groups[i].Channels); c < width[i]; c++ {
				sel[i].Set(c, false)
			}
		}
		back, err := structure.Cut(wide, again, sel)
		if err != nil {
			t.Fatal(name, err)
		}
		for _, v := range g.Consts() {
			if w := back.Value(v.Name); v.Const.F32() != nil && !slices.Equal(w.Const.F32(), v.Const.F32()) {
				t.Errorf("%s: %s is not what it was", name, v.Name)
			}
		}
		answer.Same(t, name, answer.ToNoise(t, g), answer.ToNoise(t, back))
	}
}

// What has numbers of channels written into it does not grow, and says why.
func TestRigid(t *testing.T) {
	for name, want := range map[string]string{"vit-tiny": "it is not known how", "resnet8": "its channels lie apart", "unet-8": "has other channels beside them"} {
		g, err := zoo.New(name, zoo.Options{Seed: 1, Width: .5})
		if err != nil {
			t.Fatal(err)
		}
		groups, _ := structure.Groups(g)
		why := structure.Rigid(g, groups)
		if i := slices.IndexFunc(why, func(s string) bool { return strings.Contains(s, want) }); i < 0 {
			t.Errorf("%s: %q", name, why)
		} else {
			width := make([]int, len(groups))
			for k, grp := range groups {
				width[k] = len(grp.Channels)
			}
			width[i]++
			if _, err := structure.Widen(g, groups, width); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	g, err := zoo.New("mlp:6-4-2", zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	groups, _ := structure.Groups(g)
	if _, err := structure.Widen(g, groups, []int{3}); err == nil || !strings.Contains(err.Error(), "cut it") {
		t.Error(err)
	}
}
