"""Quantises a network to 8 bits with ONNX Runtime's own quantiser.

Usage: quantise.py IN.onnx OUT.onnx [linear]

Activations become uint8, weights int8 with a scale for each channel, by QuantizeLinear and
DequantizeLinear around the layers: what ONNX Runtime advises for x86 processors. Ranges are
those of random inputs, as the networks of the benchmark are. With `linear` only products of
matrices are quantised, as ONNX Runtime advises for transformers.
"""
import logging
import os
import sys
import tempfile

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

SAMPLES = 2


class Inputs(CalibrationDataReader):
    def __init__(self, path):
        rng = np.random.default_rng(1)
        x = onnx.load(path, load_external_data=False).graph.input[0]
        shape = [d.dim_value or 1 for d in x.type.tensor_type.shape.dim]
        whole = x.type.tensor_type.elem_type == onnx.TensorProto.INT64
        draw = (lambda: rng.integers(0, 100, shape)) if whole else (lambda: rng.standard_normal(shape, dtype="f4"))
        self.left = iter([{x.name: draw()} for _ in range(SAMPLES)])

    def get_next(self):
        return next(self.left, None)


def main():
    logging.disable(logging.WARNING)
    source, target = sys.argv[1:3]
    linear = sys.argv[3:] == ["linear"]
    with tempfile.TemporaryDirectory() as d:
        prepared = os.path.join(d, "prepared.onnx")
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(prepared, target, Inputs(source), quant_format=QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8,
                        weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"] if linear else None)


if __name__ == "__main__":
    main()
