package family

// family is a type of models: how its config is read, and what its weights are called.
type family struct {
	read    func(f *fields, c *Config)
	classes []string
	names
}

// names are those of a family's weights. Those of a layer stand behind layer and its
// number; they lack the ending .weight or .bias.
type names struct {
	prefix string // of all weights but the output layer's; a file of the bare model leaves it out

	embed, positions, segments, embedNorm, final string
	head                                         string // of the output layer
	layer                                        string

	q, k, v, o, qkv          string
	qNorm, kNorm             string
	norm1, after1            string // before the attention and, of Sandwich, behind it
	norm2, after2            string // of the feed-forward layers
	gate, up, gateUp, down   string
	fused                    Fused
	turned                   bool     // matrices of layers are [in out]
	buffers                  []string // endings of what files hold that is no weight
	transform, transformNorm string   // of BERT's head for masked words
	pooler, classifier       string
}

var llamaNames = names{
	prefix: "model.", embed: "embed_tokens", final: "norm", head: "lm_head", layer: "layers.",
	q: "self_attn.q_proj", k: "self_attn.k_proj", v: "self_attn.v_proj", o: "self_attn.o_proj",
	qNorm: "self_attn.q_norm", kNorm: "self_attn.k_norm",
	norm1: "input_layernorm", norm2: "post_attention_layernorm",
	gate: "mlp.gate_proj", up: "mlp.up_proj", down: "mlp.down_proj",
	buffers: []string{"rotary_emb.inv_freq"},
}

func gemmaNames() names {
	n := llamaNames
	n.after1, n.norm2, n.after2 = "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"
	return n
}

func phi3Names() names {
	n := llamaNames
	n.q, n.k, n.v, n.qkv, n.fused = "", "", "", "self_attn.qkv_proj", Rows
	n.gate, n.up, n.gateUp = "", "", "mlp.gate_up_proj"
	return n
}

// families by model_type.
var families = map[string]family{
	"llama":       {readLlama, []string{"LlamaForCausalLM"}, llamaNames},
	"mistral":     {readMistral, []string{"MistralForCausalLM"}, llamaNames},
	"qwen2":       {readQwen2, []string{"Qwen2ForCausalLM"}, llamaNames},
	"qwen3":       {readQwen3, []string{"Qwen3ForCausalLM"}, llamaNames},
	"gemma":       {readGemma, []string{"GemmaForCausalLM"}, llamaNames},
	"gemma2":      {readGemma2, []string{"Gemma2ForCausalLM"}, gemmaNames()},
	"gemma3_text": {readGemma3, []string{"Gemma3ForCausalLM"}, gemmaNames()},
	"phi3":        {readPhi3, []string{"Phi3ForCausalLM"}, phi3Names()},
	"phi": {readPhi, []string{"PhiForCausalLM"}, names{
		prefix: "model.", embed: "embed_tokens", final: "final_layernorm", head: "lm_head", layer: "layers.",
		q: "self_attn.q_proj", k: "self_attn.k_proj", v: "self_attn.v_proj", o: "self_attn.dense",
		norm1: "input_layernorm", up: "mlp.fc1", down: "mlp.fc2", buffers: []string{"rotary_emb.inv_freq"},
	}},
	"gpt2": {readGPT2, []string{"GPT2LMHeadModel"}, names{
		prefix: "transformer.", embed: "wte", positions: "wpe", final: "ln_f", head: "lm_head", layer: "h.",
		qkv: "attn.c_attn", fused: Rows, o: "attn.c_proj", norm1: "ln_1", norm2: "ln_2", up: "mlp.c_fc", down: "mlp.c_proj",
		turned: true, buffers: []string{".attn.bias", ".attn.masked_bias"},
	}},
	"gpt_neox": {readNeoX, []string{"GPTNeoXForCausalLM"}, names{
		prefix: "gpt_neox.", embed: "embed_in", final: "final_layer_norm", head: "embed_out", layer: "layers.",
		qkv: "attention.query_key_value", fused: Heads, o: "attention.dense", norm1: "input_layernorm", norm2: "post_attention_layernorm",
		up: "mlp.dense_h_to_4h", down: "mlp.dense_4h_to_h",
		buffers: []string{".attention.bias", ".attention.masked_bias", ".attention.rotary_emb.inv_freq"},
	}},
	"opt": {readOPT, []string{"OPTForCausalLM"}, names{
		prefix: "model.decoder.", embed: "embed_tokens", positions: "embed_positions", final: "final_layer_norm", head: "lm_head", layer: "layers.",
		q: "self_attn.q_proj", k: "self_attn.k_proj", v: "self_attn.v_proj", o: "self_attn.out_proj",
		norm1: "self_attn_layer_norm", norm2: "final_layer_norm", up: "fc1", down: "fc2",
	}},
	"bert": {readBERT, []string{"BertModel", "BertForMaskedLM", "BertForSequenceClassification"}, names{
		prefix: "bert.", embed: "embeddings.word_embeddings", positions: "embeddings.position_embeddings",
		segments: "embeddings.token_type_embeddings", embedNorm: "embeddings.LayerNorm", layer: "encoder.layer.",
		q: "attention.self.query", k: "attention.self.key", v: "attention.self.value", o: "attention.output.dense",
		norm1: "attention.output.LayerNorm", norm2: "output.LayerNorm", up: "intermediate.dense", down: "output.dense",
		transform: "cls.predictions.transform.dense", transformNorm: "cls.predictions.transform.LayerNorm", head: "cls.predictions.decoder",
		pooler: "pooler.dense", classifier: "classifier", buffers: []string{"embeddings.position_ids"},
	}},
}
