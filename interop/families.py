"""Writes small random language models as transformers saves them, and what they give.

Usage: families.py FOLDER. For every model it writes a folder with config.json and
model.safetensors, inputs.json, and logits.bin: float32 of [batch, length, vocabulary].

families.py FOLDER MODEL... loads these models from FOLDER, wherever they come from, and
writes logits.bin for the inputs.json that lies there.
"""
import json
import os
import sys

import torch
import transformers as tf

BATCH, LENGTH = 2, 11
SIZES = dict(vocab_size=96, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48,
             max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=0)
GQA = dict(num_key_value_heads=2)


def rope(kind, **kw):
    return dict(rope_parameters=dict(rope_type=kind, rope_theta=10000.0, **kw))


MODELS = {
    "llama": ("Llama", GQA),
    "llama-tied": ("Llama", dict(tie_word_embeddings=True, head_dim=16, **GQA)),
    "llama-biases": ("Llama", dict(attention_bias=True, mlp_bias=True, num_key_value_heads=1)),
    "llama3": ("Llama", GQA | rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)),
    "llama-linear": ("Llama", GQA | rope("linear", factor=4.0)),
    "llama-dynamic": ("Llama", GQA | rope("dynamic", factor=4.0)),
    "llama-yarn": ("Llama", GQA | rope("yarn", factor=4.0, original_max_position_embeddings=16)),
    "llama-yarn-scales": ("Llama", GQA | rope("yarn", factor=4.0, original_max_position_embeddings=16, mscale=1.5, mscale_all_dim=0.7, beta_fast=8.0)),
    "mistral": ("Mistral", dict(sliding_window=4, **GQA)),
    "qwen2": ("Qwen2", dict(tie_word_embeddings=True, **GQA)),
    "qwen2-window": ("Qwen2", dict(use_sliding_window=True, sliding_window=3, max_window_layers=1, **GQA)),
    "qwen3": ("Qwen3", dict(head_dim=16, **GQA)),
    "gemma": ("Gemma", dict(head_dim=16, num_key_value_heads=1)),
    "gemma2": ("Gemma2", dict(head_dim=16, sliding_window=4, query_pre_attn_scalar=20, attn_logit_softcapping=2.0, final_logit_softcapping=3.0, **GQA)),
    "gemma3": ("Gemma3Text", dict(head_dim=16, sliding_window=4, query_pre_attn_scalar=20,
                                  layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                                  rope_parameters=dict(full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1e6),
                                                       sliding_attention=dict(rope_type="default", rope_theta=1e4)), **GQA)),
    "phi": ("Phi", dict(rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5))),
    "phi3": ("Phi3", dict(sliding_window=5, **GQA)),
    "phi3-long": ("Phi3", dict(original_max_position_embeddings=16, **GQA) | rope("longrope", original_max_position_embeddings=16, short_factor=[1.0, 1.1, 1.3, 2.0], long_factor=[2.0, 3.0, 4.0, 5.0])),
    "gpt2": ("GPT2", {}),
    "gpt2-untied": ("GPT2", dict(n_inner=80, tie_word_embeddings=False, activation_function="relu")),
    "gpt_neox": ("GPTNeoX", dict(rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5))),
    "gpt_neox-in-a-row": ("GPTNeoX", dict(use_parallel_residual=False)),
    "opt": ("OPT", dict(ffn_dim=48, word_embed_proj_dim=32)),
    "bert": ("Bert", {}),
    "bert-masked": ("Bert", {}),
    "bert-classifier": ("Bert", dict(num_labels=3)),
}
HEADS = {"bert": "Model", "bert-masked": "ForMaskedLM", "bert-classifier": "ForSequenceClassification", "gpt2": "LMHeadModel", "gpt2-untied": "LMHeadModel"}


def build(name, seed):
    base, given = MODELS[name]
    sizes = dict(vocab_size=96, n_embd=32, n_layer=3, n_head=4, n_positions=64, bos_token_id=1, eos_token_id=2) if base == "GPT2" else SIZES
    given = sizes | given
    if base == "OPT":
        del given["intermediate_size"]
    config = getattr(tf, base + "Config")(**given, attn_implementation="eager")
    model = getattr(tf, base.replace("3Text", "3") + HEADS.get(name, "ForCausalLM"))
    torch.manual_seed(seed)
    model = model(config).eval()
    with torch.no_grad():  # scales, shifts and biases that say something
        for p in model.parameters():
            p.add_(0.15 * torch.randn_like(p))
    return model


def answer(model, inputs, to):
    with torch.no_grad():
        out = model(**{k: torch.tensor(v) for k, v in inputs.items()})
    y = out.logits if hasattr(out, "logits") else torch.cat([out.last_hidden_state, out.pooler_output[:, None]], 1)
    y.numpy().astype("<f4").tofile(os.path.join(to, "logits.bin"))


def make(folder):
    for seed, name in enumerate(MODELS):
        model = build(name, seed)
        to = os.path.join(folder, name)
        model.save_pretrained(to)
        inputs = dict(input_ids=torch.randint(3, 96, (BATCH, LENGTH)).tolist())
        if name.startswith("bert"):
            inputs |= dict(attention_mask=[[1] * LENGTH, [1] * 8 + [0] * (LENGTH - 8)], token_type_ids=[[i // 6 for i in range(LENGTH)]] * BATCH)
        answer(model, inputs, to)
        with open(os.path.join(to, "inputs.json"), "w") as f:
            json.dump(inputs, f)
    with open(os.path.join(folder, "models.json"), "w") as f:
        json.dump(list(MODELS), f)


def load(folder, names):
    for name in names:
        to = os.path.join(folder, name)
        base = MODELS[name][0]
        model = getattr(tf, base.replace("3Text", "3") + HEADS.get(name, "ForCausalLM"))
        model, info = model.from_pretrained(to, attn_implementation="eager", dtype=torch.float32, output_loading_info=True)
        wrong = {k: v for k, v in info.items() if v}
        if wrong:
            raise SystemExit(f"{name}: {wrong}")
        with open(os.path.join(to, "inputs.json")) as f:
            answer(model.eval(), json.load(f), to)


if sys.argv[2:]:
    load(sys.argv[1], sys.argv[2:])
else:
    make(sys.argv[1])
