"""Reductions."""
import torch

from registry import OPS, get, ints


def reduction(f):
    def g(x, a):
        axes = a.get("axes")
        if axes is None and get(x, 1) is not None:
            axes = ints(x[1])
        if not axes:
            if a.get("noop_with_empty_axes"):
                return f(x[0].unsqueeze(0), (0,)).squeeze(0)
            axes = range(x[0].dim())
        axes = tuple(v % x[0].dim() for v in axes)
        y = f(x[0], axes)
        return y if a.get("keepdims", 1) else y.squeeze(axes)

    return g


def prod(x, axes):
    for i in axes:
        x = x.prod(i, keepdim=True)
    return x


REDUCTIONS = {
    "ReduceSum": lambda x, i: x.sum(i, keepdim=True), "ReduceMean": lambda x, i: x.mean(i, keepdim=True),
    "ReduceMax": lambda x, i: x.amax(i, keepdim=True), "ReduceMin": lambda x, i: x.amin(i, keepdim=True),
    "ReduceProd": prod, "ReduceL1": lambda x, i: x.abs().sum(i, keepdim=True),
    "ReduceL2": lambda x, i: torch.linalg.vector_norm(x, dim=i, keepdim=True),
    "ReduceSumSquare": lambda x, i: (x * x).sum(i, keepdim=True),
    "ReduceLogSum": lambda x, i: x.sum(i, keepdim=True).log(),
    "ReduceLogSumExp": lambda x, i: torch.logsumexp(x, i, keepdim=True),
}  # fmt: skip
for name, f in REDUCTIONS.items():
    OPS[name] = reduction(f)
