package family

import "math"

// llama reads what Llama and those that follow it have.
func (f *fields) llama(c *Config, act string) {
	f.sizes(c)
	c.KVHeads = f.size("num_key_value_heads", c.Heads)
	c.Positions = f.size("max_position_embeddings", 2048)
	c.Norm, c.Eps, c.Order = RMS, f.positive("rms_norm_eps", 1e-6), PreNorm
	c.Activation, c.Gated = f.activation("hidden_act", act), true
}

func readLlama(f *fields, c *Config) {
	f.llama(c, "silu")
	c.Bias.QKV = f.flag("attention_bias", false)
	c.Bias.Out, c.Bias.MLP = c.Bias.QKV, f.flag("mlp_bias", false)
	c.Tied = f.flag("tie_word_embeddings", false)
	f.refuse("rope_interleaved")
	c.everywhere(f.rotaryOf(c, 1e4, 1))
	c.Window = make([]int, c.Layers)
}

// windowed reads what Mistral and Phi-3 have: one window for all layers.
func (f *fields) windowed(c *Config, def int) {
	f.llama(c, "silu")
	c.Tied = f.flag("tie_word_embeddings", false)
	c.everywhere(f.rotaryOf(c, 1e4, 1))
	window := f.window("sliding_window", def)
	for range c.Layers {
		c.Window = append(c.Window, window)
	}
}

func readMistral(f *fields, c *Config) { f.windowed(c, 4096) }

func readPhi3(f *fields, c *Config) {
	f.windowed(c, 0)
	c.Eps = f.positive("rms_norm_eps", 1e-5)
}

// qwen reads the windows of Qwen, which layers from max_window_layers on have.
func (f *fields) qwen(c *Config) {
	f.llama(c, "silu")
	c.Tied = f.flag("tie_word_embeddings", false)
	c.everywhere(f.rotaryOf(c, 1e4, 1))
	f.refuse("use_mrope")
	window := f.window("sliding_window", 4096)
	if !f.flag("use_sliding_window", false) {
		window = 0
	}
	from := int(f.number("max_window_layers", 28))
	f.layerTypes(c, window, func(i int) bool { return i >= from })
}

func readQwen2(f *fields, c *Config) {
	f.qwen(c)
	c.Bias.QKV = true
}

func readQwen3(f *fields, c *Config) {
	f.qwen(c)
	c.Bias.QKV = f.flag("attention_bias", false)
	c.Bias.Out, c.QKNorm = c.Bias.QKV, true
}

// gemma reads what the three generations of Gemma have.
func (f *fields) gemma(c *Config) {
	c.Norm, c.OnePlus, c.EmbedScale = RMS, true, math.Sqrt(float64(c.Hidden))
	c.Tied = f.flag("tie_word_embeddings", true)
	c.Bias.QKV = f.flag("attention_bias", false)
	c.Bias.Out = c.Bias.QKV
	f.refuse("use_bidirectional_attention")
}

func readGemma(f *fields, c *Config) {
	f.llama(c, "gelu_pytorch_tanh")
	f.gemma(c)
	if f.has("hidden_activation") {
		c.Activation = f.activation("hidden_activation", "")
	} else if c.Activation == GELU { // the first files said so, and the models were trained with the approximation
		f.fail("hidden_act is \"gelu\", by which some files of Gemma mean gelu_pytorch_tanh: say which it is as hidden_activation")
	}
	c.everywhere(f.rotaryOf(c, 1e4, 1))
	c.Window = make([]int, c.Layers)
}

// gemmaNext reads what Gemma 2 and 3 have in addition.
func (f *fields) gemmaNext(c *Config) {
	f.llama(c, "gelu_pytorch_tanh")
	f.gemma(c)
	c.Activation = f.activation("hidden_activation", "gelu_pytorch_tanh")
	c.Order = Sandwich
	c.Scale = 1 / math.Sqrt(f.positive("query_pre_attn_scalar", 256))
}

// softcap reads the bound of scores or logits; 0: none.
func (f *fields) softcap(name string, def float64) float64 {
	if v, ok := f.raw[name]; ok && string(v) == "null" {
		f.has(name)
		return 0
	}
	if def == 0 && !f.has(name) {
		return 0
	}
	return f.positive(name, def)
}

func readGemma2(f *fields, c *Config) {
	f.gemmaNext(c)
	c.ScoreSoftcap, c.LogitSoftcap = f.softcap("attn_logit_softcapping", 50), f.softcap("final_logit_softcapping", 30)
	c.everywhere(f.rotaryOf(c, 1e4, 1))
	window := f.window("sliding_window", 4096)
	f.layerTypes(c, window, func(i int) bool { return i%2 == 0 })
}

func readGemma3(f *fields, c *Config) {
	f.gemmaNext(c)
	c.QKNorm = true
	c.ScoreSoftcap, c.LogitSoftcap = f.softcap("attn_logit_softcapping", 0), f.softcap("final_logit_softcapping", 0)
	every := f.size("sliding_window_pattern", f.size("_sliding_window_pattern", 6))
	window := f.window("sliding_window", 4096)
	f.rotaryByLayer(c, f.layerTypes(c, window, func(i int) bool { return (i+1)%every != 0 }))
}

func readPhi(f *fields, c *Config) {
	f.sizes(c)
	c.KVHeads = f.size("num_key_value_heads", c.Heads)
	c.Positions = f.size("max_position_embeddings", 2048)
	c.Norm, c.Eps, c.Order, c.OneNorm = LayerNorm, f.positive("layer_norm_eps", 1e-5), Parallel, true
	c.Activation = f.activation("hidden_act", "gelu_new")
	c.Bias = Bias{true, true, true, true}
	c.Tied = f.flag("tie_word_embeddings", false)
	f.refuse("qk_layernorm")
	c.everywhere(f.rotaryOf(c, 1e4, .5))
	c.Window = make([]int, c.Layers)
}

func readGPT2(f *fields, c *Config) {
	c.Vocab, c.Hidden, c.Layers, c.Heads = f.size("vocab_size", 50257), f.size("n_embd", 0), f.size("n_layer", 0), f.size("n_head", 0)
	c.KVHeads, c.Intermediate, c.Positions = c.Heads, f.size("n_inner", 4*c.Hidden), f.size("n_positions", 1024)
	f.headDim(c)
	c.Learned = true
	c.Norm, c.Eps, c.Order = LayerNorm, f.positive("layer_norm_epsilon", 1e-5), PreNorm
	c.Activation = f.activation("activation_function", "gelu_new")
	c.Bias = Bias{QKV: true, Out: true, MLP: true}
	c.Tied = f.flag("tie_word_embeddings", true)
	if !f.flag("scale_attn_weights", true) {
		c.Scale = 1
	}
	f.refuse("scale_attn_by_inverse_layer_idx")
	c.Window = make([]int, c.Layers)
}

func readNeoX(f *fields, c *Config) {
	f.sizes(c)
	c.Positions = f.size("max_position_embeddings", 2048)
	c.Norm, c.Eps, c.Order = LayerNorm, f.positive("layer_norm_eps", 1e-5), PreNorm
	if f.flag("use_parallel_residual", true) {
		c.Order = Parallel
	}
	c.Activation = f.activation("hidden_act", "gelu")
	c.Bias.QKV, c.Bias.MLP = f.flag("attention_bias", true), true
	c.Bias.Out = c.Bias.QKV
	c.Tied = f.flag("tie_word_embeddings", false)
	f.refuse("is_decoder", "true")
	c.everywhere(f.rotaryOf(c, f.positive("rotary_emb_base", 1e4), f.number("rotary_pct", .25)))
	c.Window = make([]int, c.Layers)
}

func readOPT(f *fields, c *Config) {
	c.Vocab, c.Hidden, c.Layers, c.Heads = f.size("vocab_size", 0), f.size("hidden_size", 0), f.size("num_hidden_layers", 0), f.size("num_attention_heads", 0)
	c.KVHeads, c.Intermediate, c.Positions = c.Heads, f.size("ffn_dim", 0), f.size("max_position_embeddings", 2048)
	f.headDim(c)
	c.Learned, c.Offset = true, 2
	c.Norm, c.Eps, c.Order = LayerNorm, 1e-5, PreNorm
	c.Activation = f.activation("activation_function", "relu")
	bias := f.flag("enable_bias", true)
	c.Bias = Bias{QKV: bias, Out: bias, MLP: bias}
	c.Tied = f.flag("tie_word_embeddings", true)
	if !f.flag("do_layer_norm_before", true) {
		f.fail("\"do_layer_norm_before\": false is not understood")
	}
	if !f.flag("layer_norm_elementwise_affine", true) {
		f.fail("\"layer_norm_elementwise_affine\": false is not understood")
	}
	f.refuse("_remove_final_layer_norm")
	if w := f.size("word_embed_proj_dim", c.Hidden); w != c.Hidden {
		f.fail("\"word_embed_proj_dim\": embeddings of width %d in a stream of %d are not understood", w, c.Hidden)
	}
	c.Window = make([]int, c.Layers)
}

func readBERT(f *fields, c *Config) {
	f.sizes(c)
	c.Positions, c.Segments = f.size("max_position_embeddings", 512), f.size("type_vocab_size", 2)
	c.Learned, c.Encoder = true, true
	c.Norm, c.Eps, c.Order = LayerNorm, f.positive("layer_norm_eps", 1e-12), PostNorm
	c.Activation = f.activation("hidden_act", "gelu")
	c.Bias = Bias{true, true, true, true}
	c.Tied = f.flag("tie_word_embeddings", true)
	f.refuse("is_decoder")
	if p := f.text("position_embedding_type", "absolute"); p != "absolute" {
		f.fail("\"position_embedding_type\": %.40q is not understood", p)
	}
	c.Window = make([]int, c.Layers)
}
