"""Reads and writes folders of safetensors with Hugging Face's own package.

A job is one of
    {"do": "read", "dir": a folder}: says type, shape and SHA-256 of each tensor of its shards, as its index
        names them;
    {"do": "write", "dir": a folder, "shards": their number}: writes tensors of every type with an
        index, and says the same of them."""

import hashlib
import json
import os

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from jobs import serve

TYPES = {"float32": torch.float32, "float64": torch.float64, "float16": torch.float16, "bfloat16": torch.bfloat16, "int64": torch.int64, "int32": torch.int32,
         "int16": torch.int16, "int8": torch.int8, "uint8": torch.uint8, "bool": torch.bool}


def said(x):
    raw = x.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return {"dtype": str(x.dtype).removeprefix("torch."), "shape": list(x.shape), "sha256": hashlib.sha256(raw).hexdigest()}


def read(folder):
    index = os.path.join(folder, "model.safetensors.index.json")
    if os.path.exists(index):
        where = json.load(open(index))["weight_map"]
    else:
        with safe_open(os.path.join(folder, "model.safetensors"), "pt") as f:
            where = {k: "model.safetensors" for k in f.keys()}
    out, format = {}, set()
    for file in sorted(set(where.values())):
        with safe_open(os.path.join(folder, file), "pt") as f:
            format.add(f.metadata()["format"])
            for name in f.keys():
                assert where[name] == file, f"{name} is in {file}, the index says {where[name]}"
                out[name] = said(f.get_tensor(name))
    assert set(out) == set(where), "the index names other tensors than the files hold"
    return {"tensors": out, "format": sorted(format)}


def write(folder, shards):
    torch.manual_seed(1)
    tensors = {}
    for i, (name, kind) in enumerate(TYPES.items()):
        x = torch.randn(3, i + 1) * 50
        tensors["layer." + name] = x > 0 if kind == torch.bool else x.to(kind)
    where = {}
    for i in range(shards):
        file = f"model-{i + 1:05d}-of-{shards:05d}.safetensors" if shards > 1 else "model.safetensors"
        part = {k: v for j, (k, v) in enumerate(tensors.items()) if j % shards == i}
        save_file(part, os.path.join(folder, file), {"format": "pt"})
        where.update({k: file for k in part})
    if shards > 1:
        json.dump({"metadata": {"total_size": 1}, "weight_map": where}, open(os.path.join(folder, "model.safetensors.index.json"), "w"))
    return {"tensors": {k: said(v) for k, v in tensors.items()}}


serve(lambda job: read(job["dir"]) if job["do"] == "read" else write(job["dir"], job["shards"]))
