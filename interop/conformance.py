"""Writes ONNX's own conformance cases into a folder, each in the form

    KIND/CASE/model.onnx
    KIND/CASE/test_data_set_0/input_0.pb, output_0.pb, ...
    KIND/CASE/data.json         where the tolerance is not the usual one

The kinds are node, simple, pytorch-operator, pytorch-converted and light.

    conformance.py FOLDER
"""

import json
import shutil
import sys
import warnings
from pathlib import Path

import numpy
import onnx
from onnx import numpy_helper
from onnx.backend.test import loader

USUAL = (1e-3, 1e-7)  # relative and absolute tolerance of ONNX's runner


def proto(value, declared):
    """The value as the message that its declared type asks for."""
    if not isinstance(value, (numpy.ndarray, numpy.generic, list, dict, type(None))):
        return value  # a message already
    if declared.type.HasField("sequence_type"):
        return numpy_helper.from_list(value, declared.name)
    if declared.type.HasField("optional_type"):
        return numpy_helper.from_optional(value, declared.name)
    if declared.type.HasField("map_type"):
        return numpy_helper.from_dict(value, declared.name)
    return numpy_helper.from_array(numpy.asarray(value), declared.name)


def write(folder, name, values, declared):
    folder.mkdir(parents=True, exist_ok=True)
    for i, value in enumerate(values):
        (folder / f"{name}_{i}.pb").write_bytes(proto(value, declared[i]).SerializeToString())


def tolerance(folder, rtol, atol):
    if (rtol, atol) != USUAL:
        (folder / "data.json").write_text(json.dumps({"rtol": rtol, "atol": atol}))


def node(out):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = loader.load_model_tests(kind="node")
    for case in cases:
        folder = out / "node" / case.name
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(case.model.SerializeToString())
        tolerance(folder, case.rtol, case.atol)
        for i, (inputs, outputs) in enumerate(case.data_sets):
            data = folder / f"test_data_set_{i}"
            write(data, "input", inputs, case.model.graph.input)
            write(data, "output", outputs, case.model.graph.output)


def light(out):
    """Large networks without their weights: the input is a ramp, as in ONNX's runner."""
    for case in loader.load_model_tests(kind="real"):
        source = Path(loader.DATA_DIR) / "light" / f"light_{case.model_name}.onnx"
        if not source.exists():
            continue
        folder = out / "light" / case.name
        data = folder / "test_data_set_0"
        data.mkdir(parents=True)
        shutil.copy(source, folder / "model.onnx")
        tolerance(folder, case.rtol, case.atol)
        graph = onnx.load(source).graph
        given = {i.name for i in graph.initializer}
        declared = [i for i in graph.input if i.name not in given]
        ramps = []
        for i in declared:
            shape = [d.dim_value or 1 for d in i.type.tensor_type.shape.dim]
            size = int(numpy.prod(shape))
            ramps.append((numpy.arange(size).reshape(shape) / size).astype(numpy.float32))
        write(data, "input", ramps, declared)
        for i in range(len(graph.output)):
            shutil.copy(source.with_name(f"{source.stem}_output_{i}.pb"), data / f"output_{i}.pb")


def main():
    out = Path(sys.argv[1])
    node(out)
    light(out)
    for kind in ("simple", "pytorch-operator", "pytorch-converted"):
        shutil.copytree(Path(loader.DATA_DIR) / kind, out / kind, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    print(f"onnx {onnx.__version__}")


if __name__ == "__main__":
    main()
