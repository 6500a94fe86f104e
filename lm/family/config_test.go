package family_test

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pare/internal/hostile"
	"pare/lm/family"
	"pare/tensor"
)

// with adds entries to a small config.
func with(model, entries string) string {
	return strings.TrimSuffix(configs[model], "}") + entries + "}"
}

// What changes the function and is not understood is refused by its name.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ config, want string }{
		{`{`, "config.json"},
		{`[]`, "config.json"},
		{`{}`, "model_type"},
		{`{"model_type":"mamba"}`, `"mamba"`},
		{with("mistral", `,"architectures":["MistralForSequenceClassification"]`), "MistralForSequenceClassification"},
		{`{"model_type":"llama"}`, `"vocab_size" is missing`},
		{strings.Replace(configs["mistral"], `"vocab_size":40`, `"vocab_size":-1`, 1), "vocab_size"},
		{strings.Replace(configs["mistral"], `"vocab_size":40`, `"vocab_size":1.5`, 1), "vocab_size"},
		{strings.Replace(configs["mistral"], `"num_hidden_layers":2`, `"num_hidden_layers":50000`, 1), "layers"},
		{strings.Replace(configs["mistral"], `"num_key_value_heads":3`, `"num_key_value_heads":4`, 1), "evenly"},
		{strings.Replace(configs["mistral"], `"hidden_size":24`, `"hidden_size":25`, 1), "divide"},
		{with("mistral", `,"attention_sinks":4,"other":"x"`), `"attention_sinks": 4, "other": "x"`},
		{with("mistral", `,"quantization_config":{"bits":4}`), "quantization_config"},
		{with("mistral", `,"hidden_act":"quick_gelu"`), "quick_gelu"},
		{with("mistral", `,"rms_norm_eps":0`), "rms_norm_eps"},
		{with("mistral", `,"rope_scaling":{"rope_type":"mrope","factor":2}`), `"mrope"`},
		{with("mistral", `,"rope_scaling":{"type":"linear"}`), "factor"},
		{with("mistral", `,"rope_scaling":{"rope_type":"linear","factor":2,"extra":1}`), `"extra"`},
		{with("mistral", `,"rope_scaling":{"rope_type":"llama3","factor":2,"low_freq_factor":4,"high_freq_factor":1}`), "high_freq_factor"},
		{with("mistral", `,"rope_scaling":{"rope_type":"longrope","short_factor":[1],"long_factor":[1]}`), "short_factor"},
		{with("mistral", `,"partial_rotary_factor":0.3`), "turn"},
		{with("mistral", `,"head_dim":60000000`), "heads of"},
		{strings.Replace(with("mistral", `,"rope_scaling":{"rope_type":"dynamic","factor":2}`), `"max_position_embeddings":32`, `"max_position_embeddings":60000000`, 1), "positions"},
		{with("qwen2", `,"use_mrope":true`), "use_mrope"},
		{with("qwen2", `,"layer_types":["full_attention"]`), "layer_types"},
		{with("qwen2", `,"layer_types":["full_attention","linear_attention"]`), `"linear_attention"`},
		{with("gemma", `,"hidden_act":"gelu"`), "hidden_activation"},
		{with("gemma2", `,"use_bidirectional_attention":true`), "use_bidirectional_attention"},
		{with("phi", `,"qk_layernorm":true`), "qk_layernorm"},
		{with("gpt2", `,"scale_attn_by_inverse_layer_idx":true`), "scale_attn_by_inverse_layer_idx"},
		{with("gpt2", `,"add_cross_attention":true`), "add_cross_attention"},
		{with("opt", `,"do_layer_norm_before":false`), "do_layer_norm_before"},
		{with("opt", `,"word_embed_proj_dim":12`), "word_embed_proj_dim"},
		{with("bert", `,"position_embedding_type":"relative_key"`), "relative_key"},
		{with("bert", `,"is_decoder":true`), "is_decoder"},
		{with("mistral", `,"pare":{"layers":[]}`), "lists 0 of 2"},
		{with("mistral", `,"pare":{"layers":[{"heads":3,"kv_heads":2,"intermediate":1},{"heads":1,"kv_heads":1,"intermediate":1}]}`), "layer 0"},
	} {
		err := hostile.Read(t, len(c.config), func() error { _, err := family.Read([]byte(c.config)); return err })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.300s: %v, want something with %s", c.config, err, c.want)
		}
	}
}

// Entries that say nothing new, are off or null change nothing.
func TestAccepted(t *testing.T) {
	for _, c := range []string{
		with("mistral", `,"attention_sinks":null,"rope_scaling":null,"torch_dtype":"bfloat16","use_cache":true,"_name_or_path":"x"`),
		with("qwen2", `,"use_mrope":false`),
		with("gemma", `,"hidden_act":"gelu","hidden_activation":"gelu_pytorch_tanh"`),
	} {
		if _, err := family.Read([]byte(c)); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
}

// An entry that is not there stands for what transformers takes then; a window that is null is
// none.
func TestDefaults(t *testing.T) {
	for name, want := range map[string]struct {
		window []int
		eps    float64
	}{"mistral": {[]int{4096, 4096}, 1e-6}, "qwen2": {[]int{0, 4096}, 1e-6}, "gemma2": {[]int{4096, 0}, 1e-6}, "gemma3": {[]int{4096, 0}, 1e-6}, "phi3": {[]int{0, 0}, 1e-5}, "llama": {[]int{0, 0}, 1e-6}} {
		plain := window.ReplaceAllString(configs[name], "")
		for text, windows := range map[string][]int{plain: want.window, strings.TrimSuffix(plain, "}") + `,"sliding_window":null}`: {0, 0}} {
			if c, err := family.Read([]byte(text)); err != nil || !slices.Equal(c.Window, windows) || c.Eps != want.eps {
				t.Errorf("%s: %v\n%+v", text, err, c)
			}
		}
	}
}

var window = regexp.MustCompile(`,"sliding_window":\d+`)

// Weights that are missing, left over, of another size or type are named.
func TestWeightsThatDoNotFit(t *testing.T) {
	for want, change := range map[string]func(w family.Tensors){
		`"model.layers.1.mlp.up_proj.weight" is missing`: func(w family.Tensors) { delete(w, "model.layers.1.mlp.up_proj.weight") },
		`1 weights have no place`:                        func(w family.Tensors) { w["model.layers.2.mlp.up_proj.weight"] = w["model.norm.weight"] },
		`"model.norm.weight" has shape [23]`:             func(w family.Tensors) { w["model.norm.weight"] = tensor.New(tensor.Float32, 23) },
		`"model.norm.weight" holds int32`:                func(w family.Tensors) { w["model.norm.weight"] = tensor.New(tensor.Int32, 24) },
		`heads of 4 elements`: func(w family.Tensors) {
			w["model.layers.0.self_attn.k_proj.weight"] = tensor.New(tensor.Float32, 10, 24)
		},
		`has shape [31 24]`: func(w family.Tensors) { w["model.layers.0.mlp.up_proj.weight"] = tensor.New(tensor.Float32, 31, 24) },
		`has shape [0 24]`: func(w family.Tensors) {
			w["model.layers.0.self_attn.k_proj.weight"] = tensor.New(tensor.Float32, 0, 24)
		},
	} {
		c, w := draw(t, configs["mistral"])
		change(w)
		if _, err := family.Load(c, w); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	// what is computed anew, or a copy of what is tied, is left out
	c, w := draw(t, configs["llama"])
	w["model.layers.0.self_attn.rotary_emb.inv_freq"] = tensor.New(tensor.Float32, 4)
	w["lm_head.weight"] = w["model.embed_tokens.weight"]
	if _, err := family.Load(c, w); err != nil {
		t.Error(err)
	}
	w["lm_head.weight"] = w["lm_head.weight"].Clone() // and what only has its name is not
	w["lm_head.weight"].F32()[7]++
	if _, err := family.Load(c, w); err == nil || !strings.Contains(err.Error(), `"lm_head.weight" should be a copy`) {
		t.Errorf("another output layer than the table to which it is tied: %v", err)
	}
	if _, err := family.Draw(c, 1, 1000); err == nil || !strings.Contains(err.Error(), "more bytes") {
		t.Errorf("%v for 1000 bytes", err)
	}
	// files of the bare model leave the prefix out
	c, w = draw(t, configs["gpt2"])
	bare := family.Tensors{}
	for name, x := range w {
		bare[strings.TrimPrefix(name, "transformer.")] = x
	}
	g, err := family.Build(c, bare)
	if err != nil {
		t.Fatal(err)
	}
	if _, back, err := family.Weights(g); err != nil || !slices.Equal(family.Tensors(back).Names(), bare.Names()) {
		t.Errorf("%v: %v", err, family.Tensors(back).Names())
	}
}

// Frequencies in closed form: of a plain embedding, of one that is stretched, and the
// bands of Llama 3.1, of which the first stays and the last is stretched whole.
func TestFrequencies(t *testing.T) {
	rotary := func(scaling string) *family.Rotary {
		c, err := family.Read([]byte(`{"model_type":"llama","vocab_size":8,"hidden_size":64,"num_hidden_layers":1,"num_attention_heads":1,"intermediate_size":8,
			"rope_theta":500000,"max_position_embeddings":64` + scaling + `}`))
		if err != nil {
			t.Fatal(err)
		}
		return c.Rotary[0]
	}
	plain, linear := rotary(""), rotary(`,"rope_scaling":{"type":"linear","factor":4}`)
	llama := rotary(`,"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":64}`)
	yarn := rotary(`,"rope_scaling":{"rope_type":"yarn","factor":4,"original_max_position_embeddings":64}`)
	for j := range 32 {
		f := math.Pow(500000, -float64(j)/32)
		if d := math.Abs(float64(plain.Freq[j])/f - 1); d > 1e-6 {
			t.Errorf("pair %d turns by %v, want %v", j, plain.Freq[j], f)
		}
		if linear.Freq[j] != plain.Freq[j]/4 {
			t.Errorf("pair %d turns by %v, want a quarter of %v", j, linear.Freq[j], plain.Freq[j])
		}
		turns, want := 64*f/(2*math.Pi), f
		if turns < 1 {
			want = f / 8
		} else if turns <= 4 {
			want = f * (1./8 + 7./8*(turns-1)/3)
		}
		if d := math.Abs(float64(llama.Freq[j])/want - 1); d > 1e-6 {
			t.Errorf("Llama 3: pair %d turns by %v, want %v", j, llama.Freq[j], want)
		}
	}
	if yarn.Freq[0] != plain.Freq[0] || yarn.Freq[31] != plain.Freq[31]/4 || math.Abs(yarn.Factor-(.1*math.Log(4)+1)) > 1e-12 {
		t.Errorf("YaRN: %v, factor %v", yarn.Freq, yarn.Factor)
	}
	cos, sin, err := plain.Table(3)
	if err != nil || math.Abs(float64(cos[2*32])-math.Cos(2)) > 1e-6 || math.Abs(float64(sin[2*32])-math.Sin(2)) > 1e-6 {
		t.Errorf("%v: position 2 has cosine %v, sine %v", err, cos[64], sin[64])
	}
	dynamic := rotary(`,"rope_scaling":{"rope_type":"dynamic","factor":4}`)
	if _, _, err := dynamic.Table(65); err == nil || !slices.Equal(dynamic.Freq, plain.Freq) {
		t.Errorf("positions beyond what dynamic frequencies hold for: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, c := range configs {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := family.Read([]byte(text))
		if err != nil {
			return
		}
		b, err := c.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := family.Read(b); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		if m, err := family.Draw(c, 1, 1<<18); err == nil && c.Layers < 4 {
			if _, err := m.Graph(); err != nil {
				t.Fatalf("%v: %s", err, b)
			}
		}
	})
}
