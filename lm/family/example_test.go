package family_test

import (
	"fmt"

	"pare/lm/family"
	"pare/prune/structure"
)

// A model is built from its config, loses a head of keys with the queries that share it in
// its first layer, and goes back to a config and weights.
func Example() {
	cfg, err := family.Read([]byte(`{"model_type": "llama", "vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 2,
		"num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	model, err := family.Draw(cfg, 1, 0) // family.Load reads weights instead
	if err != nil {
		fmt.Println(err)
		return
	}
	g, err := model.Graph()
	if err != nil {
		fmt.Println(err)
		return
	}
	groups, _ := structure.Groups(g)
	for i, kind := range structure.Kinds(g, groups) {
		if kind != structure.GroupedHead {
			continue
		}
		heads := groups[i : i+1]
		s := structure.All(heads)
		s[0].Set(1, false)
		if g, err = structure.Cut(g, heads, s); err != nil {
			fmt.Println(err)
			return
		}
		break
	}
	pruned, weights, err := family.Weights(g)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(pruned.Pare)
	fmt.Println(weights["model.layers.0.self_attn.q_proj.weight"])
	fmt.Println(pruned.Loads())
	// Output:
	// [{2 1 64} {4 2 64}]
	// float32[16 32]
	// false transformers has layers of one width
}
