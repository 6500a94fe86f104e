"""Writes small random transformers as ONNX Runtime's tools write them.

Usage: encoders.py FOLDER. It writes plain.onnx, an encoder like BERT's in operators of
ai.onnx; encoder.onnx, which onnxruntime.transformers has made of it; and decoder.onnx and
decoder16.onnx, decoders like those of onnxruntime-genai's builder, in float32 and float16.
"""
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto as T, helper, numpy_helper
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions

MS = "com.microsoft"


class Graph:
    """Nodes and initialisers under construction."""

    def __init__(self, seed, dtype=np.float32):
        self.nodes, self.consts, self.dtype = [], {}, dtype
        self.random = np.random.default_rng(seed)

    def const(self, name, value):
        self.consts[name] = np.asarray(value)
        return name

    def weight(self, name, *shape, scale=0.3):
        return self.const(name, (self.random.standard_normal(shape) * scale).astype(self.dtype))

    def op(self, op, inputs, out, domain="", **attrs):
        outs = [out] if isinstance(out, str) else out
        self.nodes.append(helper.make_node(op, inputs, outs, name="/" + outs[0] + "/" + op, domain=domain, **attrs))
        return outs[0]

    def save(self, path, inputs, outputs, opset):
        tensors = [numpy_helper.from_array(v, k) for k, v in self.consts.items()]
        info = [[helper.make_tensor_value_info(*v) for v in vs] for vs in (inputs, outputs)]
        graph = helper.make_graph(self.nodes, "main_graph", info[0], info[1], tensors)
        sets = [helper.make_opsetid("", opset), helper.make_opsetid(MS, 1)]
        onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=8, producer_name="pytorch"), path)


def encoder(folder, heads=4, size=32, layers=2, words=40):
    g = Graph(1)
    d = size // heads
    h = g.op("Gather", [g.weight("word_embeddings", words, size), "input_ids"], "words")
    segments = g.op("Gather", [g.weight("token_type_embeddings", 2, size), "token_type_ids"], "segments")
    h = g.op("Add", [h, segments], "words_segments")
    g.op("Shape", ["input_ids"], "shape")
    g.op("Gather", ["shape", g.const("one_index", np.int64(1))], "length", axis=0)
    g.op("Unsqueeze", ["length", g.const("axis0", np.array([0]))], "length1")
    g.const("positions", np.arange(16)[None, :])
    g.op("Slice", ["positions", g.const("start", np.array([0])), "length1", g.const("axis1", np.array([1])), g.const("step", np.array([1]))], "position_ids")
    places = g.op("Gather", [g.weight("position_embeddings", 16, size), "position_ids"], "places")
    h = g.op("Add", [h, places], "embedded")
    h = norm(g, "embeddings.LayerNorm", h, size)
    g.op("Unsqueeze", ["attention_mask", g.const("axes1", np.array([1]))], "mask1")
    g.op("Unsqueeze", ["mask1", g.const("axes2", np.array([2]))], "mask2")
    g.op("Cast", ["mask2"], "mask3", to=T.FLOAT)
    g.op("Sub", [g.const("one", np.float32(1)), "mask3"], "mask4")
    g.op("Mul", ["mask4", g.const("huge", np.float32(-10000))], "mask")
    for layer in range(layers):
        p = f"layer.{layer}."

        def project(name, x, n, m):
            y = g.op("MatMul", [x, g.weight(p + name + ".weight", n, m)], p + name + ".product")
            return g.op("Add", [g.weight(p + name + ".bias", m), y], p + name + ".sum")

        def by_heads(name, *perm):
            y = project(name, h, size, size)
            y = g.op("Reshape", [y, g.const(p + name + ".shape", np.array([0, 0, heads, d]))], p + name + ".split")
            return g.op("Transpose", [y], p + name + ".turned", perm=perm)

        q, k, v = by_heads("query", 0, 2, 1, 3), by_heads("key", 0, 2, 3, 1), by_heads("value", 0, 2, 1, 3)
        s = g.op("MatMul", [q, k], p + "qk")
        s = g.op("Div", [s, g.const(p + "root", np.float32(d**0.5))], p + "scaled")
        s = g.op("Add", [s, "mask"], p + "masked")
        s = g.op("Softmax", [s], p + "softmax", axis=3)
        y = g.op("MatMul", [s, v], p + "attended")
        y = g.op("Transpose", [y], p + "back", perm=[0, 2, 1, 3])
        y = g.op("Reshape", [y, g.const(p + "flat", np.array([0, 0, size]))], p + "joined")
        h = norm(g, p + "norm1", g.op("Add", [project("dense", y, size, size), h], p + "skip1"), size)
        y = project("fc1", h, size, 4 * size)
        e = g.op("Div", [y, g.const(p + "sqrt2", np.float32(2**0.5))], p + "over")
        e = g.op("Add", [g.op("Erf", [e], p + "erf"), g.const(p + "1", np.float32(1))], p + "plus")
        y = g.op("Mul", [g.op("Mul", [y, e], p + "times"), g.const(p + "half", np.float32(0.5))], p + "gelu")
        h = norm(g, p + "norm2", g.op("Add", [project("fc2", y, 4 * size, size), h], p + "skip2"), size)
    g.op("Gather", [h, g.const("first", np.int64(0))], "pooled", axis=1)
    g.op("MatMul", ["pooled", g.weight("classifier", size, 5)], "logits")
    ids = [(n, T.INT64, ["batch", "length"]) for n in ("input_ids", "attention_mask", "token_type_ids")]
    plain = os.path.join(folder, "plain.onnx")
    g.save(plain, ids, [("logits", T.FLOAT, ["batch", 5])], 17)
    made = optimizer.optimize_model(plain, model_type="bert", num_heads=heads, hidden_size=size, opt_level=0, optimization_options=FusionOptions("bert"))
    made.save_model_to_file(os.path.join(folder, "encoder.onnx"))


def norm(g, name, x, size):
    scale = g.const(name + ".weight", (1 + 0.1 * g.random.standard_normal(size)).astype(g.dtype))
    return g.op("LayerNormalization", [x, scale, g.weight(name + ".bias", size)], name, axis=-1, epsilon=1e-5)


def decoder(path, dtype, heads=4, shared=2, d=16, wide=96, layers=2, words=64):
    g = Graph(2, dtype)
    size, of = heads * d, T.FLOAT if dtype == np.float32 else T.FLOAT16
    g.op("ReduceSum", ["attention_mask", g.const("axis1", np.array([1]))], "counted", keepdims=0)
    g.op("Cast", [g.op("Sub", ["counted", g.const("one", np.int64(1))], "counted_less")], "seqlens_k", to=T.INT32)
    g.op("Gather", [g.op("Shape", ["attention_mask"], "mask_shape"), g.const("index1", np.int64(1))], "total64", axis=0)
    g.op("Cast", ["total64"], "total", to=T.INT32)
    angle = np.arange(32)[:, None] / 100.0 ** (np.arange(d // 2) / (d // 2))
    g.const("cos_cache", np.cos(angle).astype(dtype))
    g.const("sin_cache", np.sin(angle).astype(dtype))

    def scale(name, n):
        return g.const(name, (1 + 0.1 * g.random.standard_normal(n)).astype(dtype))

    def nbits(name, x, k, n, bits=4, block=16):
        blocks = k // block
        g.const(name + ".qweight", g.random.integers(0, 256, (n, blocks, block * bits // 8)).astype(np.uint8))
        g.const(name + ".scales", (0.02 + 0.02 * g.random.random((n * blocks,))).astype(dtype))
        g.const(name + ".qzeros", g.random.integers(100, 150, (n * ((blocks * bits + 7) // 8),)).astype(np.uint8))
        inputs = [x, name + ".qweight", name + ".scales", name + ".qzeros"]
        return g.op("MatMulNBits", inputs, name, MS, K=k, N=n, bits=bits, block_size=block)

    h = g.op("Gather", [g.weight("embed", words, size), "input_ids"], "embedded")
    x = g.op("SimplifiedLayerNormalization", [h, scale("norm.in", size)], "x.0", axis=-1, epsilon=1e-6, stash_type=1)
    inputs = [("input_ids", T.INT64, ["batch", "length"]), ("attention_mask", T.INT64, ["batch", "total"])]
    outputs = [("logits", of, ["batch", "length", words])]
    for layer in range(layers):
        p = f"layers.{layer}."
        q, k, v = nbits(p + "q", x, size, size), nbits(p + "k", x, size, shared * d), nbits(p + "v", x, size, shared * d, 8)
        turned = layer == 0  # positions as a node of their own in one layer, in the attention in the other
        if turned:
            q, k = (g.op("RotaryEmbedding", [y, "position_ids", "cos_cache", "sin_cache"], y + ".turned", MS, num_heads=n, rotary_embedding_dim=d) for y, n in ((q, heads), (k, shared)))
        past, present = [f"past.{layer}.{s}" for s in ("key", "value")], [f"present.{layer}.{s}" for s in ("key", "value")]
        caches = ["", ""] if turned else ["cos_cache", "sin_cache"]
        g.op("GroupQueryAttention", [q, k, v, *past, "seqlens_k", "total", *caches], [p + "attn", *present], MS, num_heads=heads, kv_num_heads=shared, do_rotary=int(not turned))
        inputs += [(n, of, ["batch", shared, "past", d]) for n in past]
        outputs += [(n, of, ["batch", shared, "total", d]) for n in present]
        y = nbits(p + "o", p + "attn", size, size)
        g.op("SkipSimplifiedLayerNormalization", [h, y, scale(p + "norm1", size)], [p + "mlp_in", "", "", p + "skip1"], MS, epsilon=1e-6)
        y = p + "mlp_in"
        if turned:
            gate, up = (g.op("MatMul", [y, g.weight(p + n, size, wide, scale=0.1)], p + n + ".out") for n in ("gate", "up"))
        else:
            gate, up = nbits(p + "gate", y, size, wide), nbits(p + "up", y, size, wide)
        y = g.op("Mul", [gate, g.op("Sigmoid", [gate], p + "sigmoid")], p + "silu")
        y = g.op("Mul", [y, up], p + "gated")
        y = g.op("MatMul", [y, g.weight(p + "down", wide, size, scale=0.1)], p + "down.out") if turned else nbits(p + "down", y, wide, size)
        h = p + "skip2"
        x = f"x.{layer + 1}"
        g.op("SkipSimplifiedLayerNormalization", [p + "skip1", y, scale(p + "norm2", size)], [x, "", "", h if layer + 1 < layers else ""], MS, epsilon=1e-6)
    g.op("MatMul", [x, g.weight("lm_head", size, words)], "logits")
    inputs.append(("position_ids", T.INT64, ["batch", "length"]))
    g.save(path, inputs, outputs, 21)


folder = sys.argv[1]
encoder(folder)
decoder(os.path.join(folder, "decoder.onnx"), np.float32)
decoder(os.path.join(folder, "decoder16.onnx"), np.float16)
