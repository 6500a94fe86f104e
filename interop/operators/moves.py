"""Operators that move elements."""
import math

import torch
import torch.nn.functional as F

from registry import OPS, f32, get, ints, op


@op()
def Reshape(x, a):
    return x[0].reshape([x[0].shape[i] if v == 0 else v for i, v in enumerate(ints(x[1]))])


@op()
def Flatten(x, a):
    k = a.get("axis", 1) % x[0].dim()
    return x[0].reshape(math.prod(x[0].shape[:k]), -1)


@op()
def Squeeze(x, a):
    axes = a.get("axes") or (ints(x[1]) if get(x, 1) is not None else range(x[0].dim()))
    return x[0].squeeze(tuple(v for v in axes if x[0].shape[v] == 1))


@op()
def Unsqueeze(x, a):
    y, axes = x[0], a.get("axes") or ints(x[1])
    for v in sorted(v % (x[0].dim() + len(axes)) for v in axes):
        y = y.unsqueeze(v)
    return y


@op()
def Transpose(x, a):
    return x[0].permute(a.get("perm") or list(range(x[0].dim()))[::-1])


@op()
def Expand(x, a):
    return x[0] * torch.ones(ints(x[1]), dtype=x[0].dtype)


@op()
def Concat(x, a):
    return torch.cat(x, a["axis"])


@op()
def Split(x, a):
    i = a.get("axis", 0)
    k = a.get("split") or (ints(x[1]) if get(x, 1) is not None else None)
    return torch.split(x[0], k or -(-x[0].shape[i] // a["num_outputs"]), i)


@op()
def Slice(x, a):
    if "starts" in a:
        s, e, i, step = a["starts"], a["ends"], a.get("axes"), None
    else:
        s, e, i, step = (None if get(x, k) is None else ints(x[k]) for k in range(1, 5))
    y = x[0]
    for k, axis in enumerate(i or range(len(s))):
        at = torch.arange(y.shape[axis])[slice(s[k], e[k], 1)] if not step or step[k] > 0 else None
        if at is None:  # PyTorch has no negative steps
            at = torch.tensor(range(y.shape[axis])[slice(s[k], e[k], step[k])])
        elif step:
            at = at[:: step[k]]
        y = y.index_select(axis, at)
    return y


@op()
def Pad(x, a):
    n, mode = x[0].dim(), a.get("mode", "constant")
    p = a.get("pads") or ints(x[1])
    axes = ints(x[3]) if get(x, 3) is not None else list(range(n))
    value = x[2] if get(x, 2) is not None else torch.tensor(f32(a.get("value", 0)), dtype=x[0].dtype)
    y = x[0]
    inside = torch.ones_like(x[0])
    for k, axis in enumerate(axes):
        size, lo, hi = y.shape[axis], p[k], p[k + len(axes)]
        at = torch.arange(-lo, size + hi)
        ok = (at >= 0) & (at < size)
        if mode == "edge":
            at, ok = at.clamp(0, size - 1), ok | True
        elif mode == "wrap":
            at, ok = at % size, ok | True
        elif mode == "reflect":
            at = at % (2 * size - 2)
            at, ok = torch.where(at < size, at, 2 * size - 2 - at), ok | True
        shape = [1] * n
        shape[axis] = -1
        y = y.index_select(axis, at.clamp(0, size - 1))
        inside = inside.index_select(axis, at.clamp(0, size - 1)) * ok.view(shape)
    return torch.where(inside > 0, y, value)


@op()
def Tile(x, a):
    return x[0].repeat(ints(x[1]))


@op()
def Trilu(x, a):
    k = int(x[1]) if get(x, 1) is not None else 0
    return (torch.triu if a.get("upper", 1) else torch.tril)(x[0], k)


@op()
def DepthToSpace(x, a):
    n, c, h, w = x[0].shape
    s = a["blocksize"]
    if a.get("mode", "DCR") == "CRD":
        return F.pixel_shuffle(x[0], s)
    y = x[0].view(n, s * s, c // s // s, h, w).transpose(1, 2).reshape(n, c, h, w)
    return F.pixel_shuffle(y, s)


@op()
def SpaceToDepth(x, a):
    y, s = F.pixel_unshuffle(x[0], a["blocksize"]), a["blocksize"]
    n, c, h, w = y.shape
    return y.view(n, c // s // s, s * s, h, w).transpose(1, 2).reshape(n, c, h, w)


def cumulative(f, first):
    def g(x, a):
        i, y = int(x[1]), x[0]
        if a.get("reverse"):
            y = y.flip(i)
        if a.get("exclusive"):
            n = y.shape[i]
            y = torch.cat([torch.full_like(y.narrow(i, 0, 1), first), y.narrow(i, 0, n - 1)], i)
        y = f(y, i)
        return y.flip(i) if a.get("reverse") else y

    return g


OPS["CumSum"], OPS["CumProd"] = cumulative(torch.cumsum, 0), cumulative(torch.cumprod, 1)


def wrapped(i, n):
    return torch.where(i < 0, i + n, i)


@op()
def Gather(x, a):
    i = a.get("axis", 0) % x[0].dim()
    at = wrapped(x[1], x[0].shape[i])
    y = x[0].index_select(i, at.flatten())
    return y.reshape(x[0].shape[:i] + at.shape + x[0].shape[i + 1:])


@op()
def GatherElements(x, a):
    i = a.get("axis", 0)
    return x[0].gather(i, wrapped(x[1], x[0].shape[i]))


def tuples(x, at):
    """Indices of PyTorch from index tuples of ONNX."""
    return tuple(wrapped(at[..., k], x.shape[k]) for k in range(at.shape[-1]))


@op()
def GatherND(x, a):
    def one(y, at, b):
        if b:
            return torch.stack([one(p, q, b - 1) for p, q in zip(y, at)])
        return y[tuples(y, at)]

    return one(x[0], x[1], a.get("batch_dims", 0))


REDUCE = {"mul": "prod", "max": "amax", "min": "amin"}


@op("ScatterElements", "Scatter")
def ScatterElements(x, a):
    i, r = a.get("axis", 0), a.get("reduction", "none")
    at = wrapped(x[1], x[0].shape[i])
    if r == "none":
        return x[0].scatter(i, at, x[2])
    if r == "add":
        return x[0].scatter_add(i, at, x[2])
    return x[0].scatter_reduce(i, at, x[2], REDUCE[r])


@op()
def ScatterND(x, a):
    r, at = a.get("reduction", "none"), tuples(x[0], x[1])
    if r in ("none", "add"):
        return x[0].index_put(at, x[2], accumulate=r == "add")
    if len(at) > 1:
        raise NotImplementedError("a reduction over index tuples")
    return x[0].index_reduce(0, at[0], x[2], REDUCE[r])


@op()
def TopK(x, a):
    k = a["k"] if "k" in a else int(x[1])
    y = torch.topk(x[0], k, a.get("axis", -1), bool(a.get("largest", 1)))
    return y.values, None


@op()
def Compress(x, a):
    if "axis" not in a:
        return x[0].flatten()[: len(x[1])][x[1]]
    return x[0].index_select(a["axis"], x[1].nonzero().flatten())


@op()
def OneHot(x, a):
    hot = F.one_hot(x[0] % int(x[1]), int(x[1]))
    inside = ((x[0] >= -int(x[1])) & (x[0] < int(x[1]))).unsqueeze(-1)
    return x[2][(hot * inside).movedim(-1, a.get("axis", -1))]


@op()
def ReverseSequence(x, a):
    t, b = a.get("time_axis", 0), a.get("batch_axis", 1)
    y = x[0].movedim((b, t), (0, 1))
    y = torch.stack([torch.cat([r[:n].flip(0), r[n:]]) for r, n in zip(y, ints(x[1]))])
    return y.movedim((0, 1), (b, t))
