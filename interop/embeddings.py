"""Makes small random models with tokenizers, and vectors for texts by transformers.

Usage: embeddings.py DIR

For each model there is a folder in DIR, as sentence-transformers writes them, and in
vectors.json what it gives for each text of texts.json.
"""
import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, LlamaConfig, LlamaModel, PreTrainedTokenizerFast

TEXTS = ["the cat sat on the mat", "a dog", "the cat sat on the mat , and a dog sat on the cat and the mat and the dog and a cat on a mat"]
WORDS = "the cat sat on mat a dog and ,".split()


def tokenizer():
    vocab = {w: i for i, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    t = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    t.normalizer, t.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return PreTrainedTokenizerFast(tokenizer_object=t, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]")


def pooled(states, way):
    return {"cls": lambda: states[0], "mean": lambda: states.mean(0), "max": lambda: states.max(0).values, "last": lambda: states[-1]}[way]()


def main():
    root = Path(sys.argv[1])
    torch.manual_seed(5)
    sizes = dict(vocab_size=13, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40, max_position_embeddings=48)
    bert, llama = BertModel(BertConfig(**sizes)), LlamaModel(LlamaConfig(**sizes, num_key_value_heads=3, tie_word_embeddings=True))
    for m in bert, llama:
        for p in m.parameters():
            p.data.normal_(0, 0.5)
        m.eval()
    t, modes = tokenizer(), {"cls": "cls_token", "mean": "mean_tokens", "max": "max_tokens", "last": "lasttoken"}
    cases = [("plain", bert, None, True), ("llama", llama, None, True)]
    cases += [(f"{way}-{unit}", bert, way, unit) for way in modes for unit in (False, True)]
    for name, model, way, unit in cases:
        at = root / name
        model.save_pretrained(at)
        t.save_pretrained(at)
        if model is llama:  # the class that generates is what a folder of a decoder states
            c = json.loads((at / "config.json").read_text())
            (at / "config.json").write_text(json.dumps(c | {"architectures": ["LlamaForCausalLM"]}))
            from safetensors.torch import load_file, save_file
            w = load_file(at / "model.safetensors")
            save_file({"model." + k: v for k, v in w.items()}, at / "model.safetensors")
        if way:
            kind = "sentence_transformers.models."
            modules = [{"idx": 0, "name": "0", "path": "", "type": kind + "Transformer"}, {"idx": 1, "name": "1", "path": "1_Pooling", "type": kind + "Pooling"}]
            if unit:
                modules.append({"idx": 2, "name": "2", "path": "2_Normalize", "type": kind + "Normalize"})
            (at / "modules.json").write_text(json.dumps(modules))
            (at / "1_Pooling").mkdir()
            (at / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 24} | {"pooling_mode_" + m: k == way for k, m in modes.items()}))
        out = []
        for text in TEXTS:
            with torch.no_grad():
                v = pooled(model(**{k: x for k, x in t(text, return_tensors="pt").items() if k in ("input_ids", "attention_mask")}).last_hidden_state[0], way or "mean")
            out.append((v / v.norm() if unit else v).tolist())
        (at / "vectors.json").write_text(json.dumps(out))
    (root / "texts.json").write_text(json.dumps(TEXTS))
    (root / "models.json").write_text(json.dumps([c[0] for c in cases]))


if __name__ == "__main__":
    main()
