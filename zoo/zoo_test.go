package zoo

import (
	"strings"
	"testing"

	"pare/graph/op"
	"pare/tensor"
)

// Parameter counts as published or as the authors' code counts them.
func TestParameters(t *testing.T) {
	for _, c := range []struct {
		name string
		want int
	}{
		{"mlp:64-100-50-10", 12060}, {"lenet-300-100", 266610}, {"lenet-5", 431080},
		{"conv-2", 4301642}, {"conv-4", 2425930}, {"conv-6", 2262602},
		{"resnet20", 269722}, {"resnet32", 464154}, {"resnet44", 658586}, {"resnet56", 853018}, {"resnet110", 1727962},
		{"resnet20-b", 272474}, {"vgg16-bn", 14728266 - 4224}, {"wrn-16-4", 2748890}, {"wrn-28-10", 36479194},
		{"mobilenetv2", 2236682}, {"resnet50-imagenet", 25557032}, {"bert-12-768-12", 109482240 - 590592 - (512-128+1)*768},
		{"experts-2-20-4", 21*20 + 2*(21*4+4*2*21*20) + 21*10},
	} {
		g, err := New(c.name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, p := range g.Params() {
			n += p.Const.Len()
		}
		if n != c.want {
			t.Errorf("%s has %d parameters, want %d", c.name, n, c.want)
		}
	}
}

// Every family runs, and the same seed gives the same weights.
func TestRun(t *testing.T) {
	for _, name := range []string{"mlp:16-8-4", "lenet-300-100", "lenet-5", "resnet8", "resnet8-b", "wrn-10-1", "vit-tiny", "gpt-tiny", "experts-2-16-4"} {
		g, err := New(name, Options{Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		h, _ := New(name, Options{Seed: 3})
		for i, p := range g.Params() {
			if q := h.Params()[i]; q.Name != p.Name || q.Const.F32()[0] != p.Const.F32()[0] {
				t.Fatalf("%s: %s differs for one seed", name, p.Name)
			}
		}
		in := g.Inputs[0]
		s, _ := in.Shape.Bind(map[string]int{"N": 1}).Ints()
		res, err := op.Run(g, map[string]*tensor.Tensor{in.Name: tensor.New(in.DType, s...)})
		if err != nil {
			t.Fatal(name, err)
		}
		if y := res["logits"]; y == nil || y.Finite() >= 0 {
			t.Errorf("%s: output %v", name, y)
		}
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"", "resnet", "resnet21", "conv-3", "mlp:", "mlp:3", "vgg12-bn", "wrn-16", "nosuch"} {
		if _, err := New(name, Options{}); err == nil {
			t.Errorf("%q was built", name)
		}
	}
}

// Samples that a network cannot take are refused, whatever it is made of.
func TestSmallSamples(t *testing.T) {
	for _, f := range families {
		name := strings.TrimSuffix(strings.ReplaceAll(f.Name, "<n>", "16"), "-…")
		for _, alt := range []string{name, strings.ReplaceAll(f.Name, "<n>", "20"), strings.ReplaceAll(f.Name, "<n>", "50"), strings.ReplaceAll(f.Name, "<n>", "4")} {
			for _, in := range [][]int{nil, {1}, {3}, {1, 1}, {1, 1, 1}, {1, 2, 2}, {3, 5, 1}, {1, 8, 8}, {2, 2, 2, 2}} {
				New(alt, Options{In: in, Most: 1 << 18})
			}
		}
	}
	for _, name := range []string{"vgg11-bn", "lenet-5"} {
		if _, err := New(name, Options{In: []int{1, 8, 8}}); err == nil || !strings.Contains(err.Error(), "samples of [1 8 8]") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
