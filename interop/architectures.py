"""Exports real architectures to ONNX, narrow and shallow, with random weights.

Usage: architectures.py FOLDER [PATTERN]. FOLDER gets NAME.VARIANT.onnx for each
architecture and each way to export it, and architectures.json: a list of
{name, family, file, exporter, opset, batch, inputs}, where inputs maps a name
to {shape, type, low, high}; shape is one that the network takes, and integers are
low <= x < high. What an exporter refuses is listed with its
{error}. Files that are there already are kept.

The models are the libraries' own classes. Random weights alone would make
outputs that hardly depend on the input, so normalisations get the statistics of
random samples, and parameters that begin as constants are moved.
"""
import contextlib
import io
import json
import logging
import os
import re
import sys
import time
import traceback
import warnings

import numpy as np
import onnx
import torch
from torch import nn

from families import convolutional, dense, language, library, sequence, transformer
from families.common import Net

FAMILIES = [convolutional, transformer, dense, library, language, sequence]


def enliven(net, seed):
    """Moves constant parameters and gives batch normalisation the statistics of
    random samples."""
    g = torch.Generator().manual_seed(seed)
    for p in net.model.parameters():
        spread = p.std().item() if p.numel() > 1 else 0.0
        with torch.no_grad():
            if p.dim() <= 1 or spread < 1e-3:
                if p.dim() <= 1 and p.abs().mean() > 0.5:  # scales
                    p.add_(0.2 * torch.randn(p.shape, generator=g))
                else:
                    p.copy_(0.3 * torch.randn(p.shape, generator=g) + (0.5 if p.abs().max() > 0 else 0.0))
    for m in net.model.modules():  # small beginnings leave the output to the biases
        if isinstance(m, nn.Linear) and m.weight.std() < 0.5 / m.in_features**0.5:
            with torch.no_grad():
                m.weight.mul_(1 / m.in_features**0.5 / m.weight.std())
    norms = [m for m in net.model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    net.model.train()
    for m in net.model.modules():
        if isinstance(m, nn.modules.dropout._DropoutNd):
            m.eval()
    for m in norms:
        m.reset_running_stats()
        m.momentum = None
    with torch.no_grad():
        for k in range(3):
            net.model(*sample(net, k + 1, 4))
    for m in norms:
        m.momentum = 0.1
        with torch.no_grad():
            m.running_mean.add_(0.1 * torch.randn(m.running_mean.shape, generator=g) * m.running_var.sqrt())
            m.running_var.mul_(0.8 + 0.4 * torch.rand(m.running_var.shape, generator=g))
    net.model.eval()


def sample(net, seed, times=1):
    """Inputs of a model, for a multiple of its batch."""
    g = torch.Generator().manual_seed(seed)
    out = []
    for i in net.inputs:
        shape = (i.shape[0] * times, *i.shape[1:])
        out.append(torch.randint(i.low, i.high, shape, generator=g) if i.high else torch.randn(shape, generator=g))
    return tuple(out)


def export(net, variant, path):
    args = sample(net, 7)
    names = [i.name for i in net.inputs]
    dynamic = variant.dynamic
    axes = {i.name: {int(d): s for d, s in i.dynamic.items()} for i in net.inputs} if dynamic else {}
    quiet = io.StringIO()
    with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet), torch.no_grad():
        if variant.exporter == "script":
            torch.onnx.export(
                net.model, args, path, dynamo=False, opset_version=variant.opset, input_names=names,
                dynamic_axes=axes or None, do_constant_folding=variant.fused,
                training=torch.onnx.TrainingMode.EVAL if variant.fused else torch.onnx.TrainingMode.PRESERVE,
            )
        else:
            shapes = None
            if dynamic:
                dims = {}
                shapes = tuple(
                    {d: dims.setdefault(s, torch.export.Dim.DYNAMIC) for d, s in axes[i.name].items()} for i in net.inputs
                )
            torch.onnx.export(
                net.model, args, path, dynamo=True, opset_version=variant.opset, input_names=names,
                dynamic_shapes=shapes, optimize=variant.fused, external_data=False,
            )
    m = onnx.load(path)
    size = os.path.getsize(path)
    given = {i.name for i in m.graph.input}
    inputs = {}
    for i, x in zip(net.inputs, args):
        if i.name in given:
            inputs[i.name] = {"shape": list(x.shape), "type": "int64" if i.high else "float32", "low": i.low, "high": i.high}
    return inputs, size


def main():
    folder, pattern = sys.argv[1], re.compile(sys.argv[2] if len(sys.argv) > 2 else "")
    os.makedirs(folder, exist_ok=True)
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(2)
    torch.backends.mha.set_fastpath_enabled(False)  # attention as ordinary operators
    index = os.path.join(folder, "architectures.json")
    rows = {}
    if os.path.exists(index):
        rows = {r["file"]: r for r in json.load(open(index))}
    for family in FAMILIES:
        for name, (kind, make, variants) in family.NETS.items():
            for v in variants:
                file = f"{name}.{v}.onnx"
                if not pattern.search(file):
                    continue
                path = os.path.join(folder, file)
                if os.path.exists(path) and "error" not in rows.get(file, {"error": ""}):
                    continue
                began = time.time()
                row = {"name": name, "family": kind, "file": file, "exporter": v.exporter, "opset": v.opset,
                       "batch": "dynamic" if v.dynamic else "static", "norm": "fused" if v.fused else "unfused"}
                try:
                    torch.manual_seed(3)
                    np.random.seed(3)
                    net = make()
                    if not isinstance(net, Net):
                        raise TypeError(f"{name} is no Net")
                    net.model.eval()
                    enliven(net, 5)
                    row["inputs"], size = export(net, v, path)
                    print(f"{file}: {size / 1e6:.1f} MB, {time.time() - began:.1f} s", flush=True)
                except Exception as e:  # an exporter's refusal is a row of its own
                    row["error"] = f"{type(e).__name__}: {str(e).strip().splitlines()[0] if str(e).strip() else ''}"
                    print(f"{file}: {row['error']}", flush=True)
                    if os.environ.get("TRACE"):
                        traceback.print_exc()
                rows[file] = row
                json.dump(list(rows.values()), open(index, "w"), indent=1)


if __name__ == "__main__":
    main()
