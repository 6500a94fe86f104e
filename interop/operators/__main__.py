"""Computes operators and their gradients in PyTorch, in float64.

Usage: python operators JOBS.json. JOBS is a list of {op, opset, attrs, inputs,
fixed, seeds, out}: inputs are {type, shape, file} of raw little-endian values,
null where one is left out, fixed those without a gradient, seeds the weights of the outputs (null for outputs that
are not compared), out the stem of the files that results go to as float64:
OUT.y0 the first output, OUT.g0.2 the gradient of its weighed sum by input 2.
RESULT.json beside JOBS holds for each job {grads: [[inputs], ...]}, or
{missing: true} where PyTorch has no such operator, or {error}.

Every function of the modules beside is named as the operator of ONNX that it
computes by PyTorch's own; x are the inputs, a the attributes.
"""
import json
import os
import sys

import numpy as np
import torch

import elementwise, language, moves, norms, recurrent, reduce, sampling, softmax, windows  # noqa: E401, F401: they fill the table
from registry import OPS


def read(i):
    return torch.from_numpy(np.fromfile(i["file"], dtype=i["type"]).reshape(i["shape"] or []))


def run(job):
    f = OPS.get(job["op"])
    if f is None:
        return {"missing": True}
    x = [None if i is None else read(i) for i in job["inputs"]]
    moved = [i for i, v in enumerate(x) if v is not None and v.dtype == torch.float64 and i not in job["fixed"]]
    for i in moved:
        x[i].requires_grad_()
    ys = f(x, job["attrs"] | {"opset": job["opset"]})
    ys = [ys] if torch.is_tensor(ys) else list(ys)
    grads = []
    for k, s in enumerate(job["seeds"]):
        got = []
        if s is not None:
            y = ys[k]
            write(f"{job['out']}.y{k}", y)
            if y.requires_grad:
                d = torch.autograd.grad((y * read(s)).sum(), [x[i] for i in moved], retain_graph=True, allow_unused=True)
                for i, g in zip(moved, d):
                    if g is not None:
                        write(f"{job['out']}.g{k}.{i}", g)
                        got.append(i)
        grads.append(got)
    return {"grads": grads}


def write(path, t):
    t.detach().numpy().astype("<f8").tofile(path)


def main():
    torch.set_num_threads(2)
    results = []
    for job in json.load(open(sys.argv[1])):
        try:
            results.append(run(job))
        except NotImplementedError:
            results.append({"missing": True})
        except Exception as e:  # every failure is the test's to report
            results.append({"error": f"{type(e).__name__}: {e}"})
    json.dump(results, open(os.path.join(os.path.dirname(sys.argv[1]), "RESULT.json"), "w"))


main()
