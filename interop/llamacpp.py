"""Reads, writes and quantises GGUF files with llama.cpp's own package, gguf.

A job is one of
    {"do": "read", "path": a file}: says what its keys and tensors are, and the SHA-256 of each
        tensor as float32, where gguf decodes its type;
    {"do": "write", "path": a file, "split": tensors in a file, or 0, "align": bytes}: writes
        tensors of every type that gguf decodes, of random blocks, and says the same of them;
    {"do": "quantize", "file": little-endian float32, "shape": ..., "type": a name}: says the SHA-256 of
        the blocks."""

import hashlib

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import quants

from jobs import serve

TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
# Where the halves of a block lie that must be finite numbers.
HALVES = {"F16": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def digest(x):
    return hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()


def said(name, kind, shape, blocks):
    out = {"name": name, "type": kind.name, "shape": [int(d) for d in shape]}
    if kind.name in TYPES:
        out["sha256"] = digest(quants.dequantize(blocks, kind).astype("<f4"))
    return out


def read(path):
    r = gguf.GGUFReader(path)
    keys = {k: f.contents() for k, f in r.fields.items() if not k.startswith("GGUF.")}
    tensors = [said(t.name, t.tensor_type, reversed(t.shape.tolist()), t.data) for t in r.tensors]
    return {"keys": keys, "tensors": tensors}


def blocks(rng, name, shape):
    kind = Type[name]
    if name == "F32":
        return rng.standard_normal(shape).astype("<f4")
    block, size = gguf.GGML_QUANT_SIZES[kind]
    b = rng.integers(0, 256, (*shape[:-1], shape[-1] // block, size), dtype=np.uint8)
    for at in HALVES.get(name, []):
        b[..., at:at + 2] = rng.standard_normal(b.shape[:-1]).astype("<f2")[..., None].view(np.uint8)
    if name == "BF16":
        b[..., 1] &= 0xBF  # no infinities
    b = b.reshape(*shape[:-1], -1)
    return b.view("<f2") if name == "F16" else b


def write(path, split, align):
    rng = np.random.default_rng(3)
    w = gguf.GGUFWriter(path, "llama", split_max_tensors=split)
    w.add_custom_alignment(align)
    w.add_uint32("llama.block_count", 3)
    w.add_float32("llama.attention.layer_norm_rms_epsilon", 0.25)
    w.add_float64("f64", 1 / 3)
    w.add_uint64("u64", 2 ** 63)
    w.add_int8("i8", -7)
    w.add_bool("yes", True)
    w.add_string("text", "Straße\n")
    w.add_array("words", ["a", "", "ü"])
    w.add_array("numbers", [1, -2, 3])
    w.add_array("floats", [0.5, -2.0])
    tensors = []
    for name in TYPES:
        for shape in [(512,), (3, 256), (2, 3, 768)]:
            b, at = blocks(rng, name, shape), f"{name}.{len(shape)}"
            w.add_tensor(at, b, raw_dtype=Type[name])
            tensors.append(said(at, Type[name], shape, b))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return {"tensors": tensors}


def quantize(file, shape, kind):
    x = np.fromfile(file, "<f4").reshape(shape)
    return {"sha256": digest(quants.quantize(x, Type[kind]))}


def run(job):
    if job["do"] == "read":
        return read(job["path"])
    if job["do"] == "write":
        return write(job["path"], job["split"], job["align"])
    return quantize(job["file"], job["shape"], job["type"])


serve(run)
