"""Writes a sentence encoder of BERT's kind, such as all-MiniLM-L6-v2, as ONNX.

It takes the folder as sentence-transformers saves it (config.json,
model.safetensors, tokenizer.json) and writes a network of opset 17 that takes
input_ids, attention_mask and token_type_ids, [batch, length], and gives the mean
of the last states over the tokens that the mask names, [batch, width]. It needs
numpy and onnx. Usage: minilm.py FOLDER OUT.onnx
"""
import json
import pathlib
import struct
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def tensors(path):
    """The float32 tensors of a safetensors file, by name."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    head = json.loads(data[8 : 8 + size])
    out = {}
    for name, t in head.items():
        if name != "__metadata__" and t["dtype"] == "F32":
            a, b = t["data_offsets"]
            out[name] = np.frombuffer(data[8 + size + a : 8 + size + b], np.float32).reshape(t["shape"])
    return out


class Encoder:
    """Builds the nodes of the network."""

    def __init__(self, config, weights):
        self.config, self.weights, self.nodes, self.constants = config, weights, [], {}

    def const(self, name, value):
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def ints(self, *values):
        return self.const("ints_" + "_".join(map(str, values)), np.array(values, np.int64))

    def number(self, value):
        return self.const(f"number_{value:.6g}", np.array(value, np.float32))

    def weight(self, name, turned=False):
        w = self.weights[name]
        return self.const(name, w.T if turned else w)

    def op(self, kind, *inputs, output=None, **attributes):
        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def linear(self, x, name):
        return self.op("Add", self.op("MatMul", x, self.weight(name + ".weight", True)), self.weight(name + ".bias"))

    def norm(self, x, name):
        return self.op("LayerNormalization", x, self.weight(name + ".weight"), self.weight(name + ".bias"),
                       axis=-1, epsilon=self.config["layer_norm_eps"])

    def embed(self):
        words = self.op("Gather", self.weight("embeddings.word_embeddings.weight"), "input_ids")
        kinds = self.op("Gather", self.weight("embeddings.token_type_embeddings.weight"), "token_type_ids")
        length = self.op("Shape", "input_ids", start=1, end=2)
        places = self.op("Slice", self.weight("embeddings.position_embeddings.weight"), self.ints(0), length)
        return self.norm(self.op("Add", self.op("Add", words, kinds), places), "embeddings.LayerNorm")

    def attention(self, x, bias, name):
        heads, width = self.config["num_attention_heads"], self.config["hidden_size"]
        q, k, v = (
            self.op("Transpose", self.op("Reshape", self.linear(x, f"{name}.self.{part}"), self.ints(0, 0, heads, width // heads)), perm=[0, 2, 1, 3])
            for part in ("query", "key", "value")
        )
        s = self.op("Div", self.op("MatMul", q, self.op("Transpose", k, perm=[0, 1, 3, 2])), self.number((width // heads) ** 0.5))
        y = self.op("MatMul", self.op("Softmax", self.op("Add", s, bias), axis=-1), v)
        y = self.op("Reshape", self.op("Transpose", y, perm=[0, 2, 1, 3]), self.ints(0, 0, width))
        return self.norm(self.op("Add", self.linear(y, name + ".output.dense"), x), name + ".output.LayerNorm")

    def feed_forward(self, x, name):
        h = self.linear(x, name + ".intermediate.dense")
        erf = self.op("Erf", self.op("Div", h, self.number(2**0.5)))
        h = self.op("Mul", self.op("Mul", h, self.op("Add", erf, self.number(1))), self.number(0.5))
        return self.norm(self.op("Add", self.linear(h, name + ".output.dense"), x), name + ".output.LayerNorm")

    def model(self):
        mask = self.op("Cast", "attention_mask", to=TensorProto.FLOAT)
        bias = self.op("Mul", self.op("Sub", self.number(1), self.op("Unsqueeze", mask, self.ints(1, 2))), self.number(-10000))
        x = self.embed()
        for i in range(self.config["num_hidden_layers"]):
            x = self.feed_forward(self.attention(x, bias, f"encoder.layer.{i}.attention"), f"encoder.layer.{i}")
        column = self.op("Unsqueeze", mask, self.ints(2))
        total = self.op("ReduceSum", self.op("Mul", x, column), self.ints(1), keepdims=0)
        self.op("Div", total, self.op("ReduceSum", column, self.ints(1), keepdims=0), output="embedding")
        inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "length"]) for n in ("input_ids", "attention_mask", "token_type_ids")]
        output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", self.config["hidden_size"]])
        graph = helper.make_graph(self.nodes, "encoder", inputs, [output], list(self.constants.values()))
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    config = json.loads((folder / "config.json").read_text())
    for key, want in (("model_type", "bert"), ("hidden_act", "gelu"), ("position_embedding_type", "absolute")):
        if config.get(key, want) != want:
            sys.exit(f"minilm.py: {key} is {config[key]}, and only {want} is understood")
    model = Encoder(config, tensors(folder / "model.safetensors")).model()
    onnx.checker.check_model(model)
    onnx.save(model, sys.argv[2])


main()
