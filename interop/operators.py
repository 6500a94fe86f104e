"""Computes operators and their gradients in PyTorch, in float64.

Usage: operators.py JOBS.json. JOBS is a list of {op, opset, attrs, inputs,
fixed, seeds, out}: inputs are {type, shape, file} of raw little-endian values,
null where one is left out, fixed those without a gradient, seeds the weights of the outputs (null for outputs that
are not compared), out the stem of the files that results go to as float64:
OUT.y0 the first output, OUT.g0.2 the gradient of its weighed sum by input 2.
RESULT.json beside JOBS holds for each job {grads: [[inputs], ...]}, or
{missing: true} where PyTorch has no such operator, or {error}.

Every function below is named as the operator of ONNX that it computes by
PyTorch's own; x are the inputs, a the attributes.
"""
import json
import math
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

OPS = {}
OPSET = 0


def op(*names):
    def add(f):
        for n in names or [f.__name__]:
            OPS[n] = f
        return f

    return add


def get(x, i):
    return x[i] if i < len(x) else None


def ints(t):
    return [int(v) for v in t.flatten().tolist()]


# elementwise

UNARY = {
    "Abs": torch.abs, "Neg": torch.neg, "Exp": torch.exp, "Log": torch.log, "Sqrt": torch.sqrt,
    "Reciprocal": torch.reciprocal, "Sin": torch.sin, "Cos": torch.cos, "Tan": torch.tan, "Asin": torch.asin,
    "Acos": torch.acos, "Atan": torch.atan, "Sinh": torch.sinh, "Cosh": torch.cosh, "Asinh": torch.asinh,
    "Acosh": torch.acosh, "Atanh": torch.atanh, "Erf": torch.erf, "Tanh": torch.tanh, "Sigmoid": torch.sigmoid,
    "Softplus": F.softplus, "Softsign": F.softsign, "Relu": F.relu, "HardSwish": F.hardswish, "Mish": F.mish,
    "Identity": torch.clone,
}  # fmt: skip
for name, f in UNARY.items():
    OPS[name] = lambda x, a, f=f: f(x[0])

BINARY = {"Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div, "Pow": torch.pow, "MatMul": torch.matmul}
for name, f in BINARY.items():
    OPS[name] = lambda x, a, f=f: f(x[0], x[1])


def f32(v):
    """An attribute of floating point is a float32."""
    return float(np.float32(v))


@op()
def LeakyRelu(x, a):
    return F.leaky_relu(x[0], f32(a.get("alpha", 0.01)))


@op()
def Elu(x, a):
    return F.elu(x[0], f32(a.get("alpha", 1)))


@op()
def Celu(x, a):
    return F.celu(x[0], f32(a.get("alpha", 1)))


@op()
def Selu(x, a):
    gamma, alpha = a.get("gamma", 1.0507009873554805), a.get("alpha", 1.6732632423543772)
    return f32(gamma) * F.elu(x[0], f32(alpha))


@op()
def ThresholdedRelu(x, a):
    return F.threshold(x[0], f32(a.get("alpha", 1)), 0)


@op()
def HardSigmoid(x, a):
    return torch.clamp(f32(a.get("alpha", 0.2)) * x[0] + f32(a.get("beta", 0.5)), 0, 1)


@op()
def Gelu(x, a):
    return F.gelu(x[0], approximate=a.get("approximate", "none"))


@op()
def Swish(x, a):
    k = f32(a.get("alpha", 1))
    return F.silu(k * x[0]) / k


@op()
def Shrink(x, a):
    l, bias = f32(a.get("lambd", 0.5)), f32(a.get("bias", 0))
    if bias == l:
        return F.softshrink(x[0], l)
    return F.hardshrink(x[0], l) - bias * torch.sign(F.hardshrink(x[0], l))


@op()
def PRelu(x, a):
    return torch.where(x[0] > 0, x[0], x[1] * x[0])


@op()
def Clip(x, a):
    lo, hi = get(x, 1), get(x, 2)
    return torch.clamp(x[0], a.get("min", lo), a.get("max", hi))


@op()
def Mod(x, a):
    return (torch.fmod if a.get("fmod") else torch.remainder)(x[0], x[1])


@op()
def Sum(x, a):
    return sum(x[1:], x[0])


@op()
def Mean(x, a):
    return Sum(x, a) / len(x)


@op()
def Max(x, a):
    y = x[0]
    for z in x[1:]:
        y = torch.maximum(y, z)
    return y


@op()
def Min(x, a):
    y = x[0]
    for z in x[1:]:
        y = torch.minimum(y, z)
    return y


@op()
def Where(x, a):
    return torch.where(x[0], x[1], x[2])


# products


@op()
def Gemm(x, a):
    A = x[0].t() if a.get("transA") else x[0]
    B = x[1].t() if a.get("transB") else x[1]
    y = f32(a.get("alpha", 1)) * (A @ B)
    return y if get(x, 2) is None else y + f32(a.get("beta", 1)) * x[2]


@op()
def Det(x, a):
    y = torch.det(x[0])
    if (y == 0).any():
        raise NotImplementedError("PyTorch's gradient by a singular matrix is 0")
    return y


@op()
def Einsum(x, a):
    return torch.einsum(a["equation"], *x)


# windows


def window(a, kernel, size):
    """strides, dilations and pads (begin, end) by axis."""
    n = len(kernel)
    s, d = a.get("strides") or [1] * n, a.get("dilations") or [1] * n
    p = a.get("pads") or [0] * 2 * n
    auto = a.get("auto_pad", "NOTSET")
    if auto.startswith("SAME"):
        b, e = [], []
        for i in range(n):
            total = max(0, (-(-size[i] // s[i]) - 1) * s[i] + d[i] * (kernel[i] - 1) + 1 - size[i])
            lo, hi = total // 2, total - total // 2
            if auto == "SAME_LOWER":
                lo, hi = hi, lo
            b.append(lo), e.append(hi)
        p = b + e
    return s, d, list(zip(p[:n], p[n:]))


def padded(x, p, value=0.0):
    flat = [v for pair in reversed(p) for v in pair]
    return F.pad(x, flat, value=value)


@op()
def Conv(x, a):
    s, d, p = window(a, x[1].shape[2:], x[0].shape[2:])
    f = [F.conv1d, F.conv2d, F.conv3d][x[0].dim() - 3]
    return f(padded(x[0], p), x[1], get(x, 2), s, 0, d, a.get("group", 1))


@op()
def ConvTranspose(x, a):
    size, k = x[0].shape[2:], x[1].shape[2:]
    n = len(k)
    s, d = a.get("strides") or [1] * n, a.get("dilations") or [1] * n
    op_ = a.get("output_padding") or [0] * n
    p = a.get("pads") or [0] * 2 * n
    full = [s[i] * (size[i] - 1) + d[i] * (k[i] - 1) + 1 for i in range(n)]
    auto, want = a.get("auto_pad", "NOTSET"), a.get("output_shape")
    if want or auto.startswith("SAME"):
        want = (want or [size[i] * s[i] for i in range(n)])[-n:]
        total = [full[i] + op_[i] - want[i] for i in range(n)]
        b = [t // 2 if auto == "SAME_UPPER" else t - t // 2 for t in total]
        p = b + [t - v for t, v in zip(total, b)]
    f = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][n - 1]
    y = f(x[0], x[1], get(x, 2), s, 0, 0, a.get("group", 1), d)
    # the pads cut; the output padding is more room at the end
    more = [op_[i] - p[n + i] for i in range(n)]
    y0 = y if get(x, 2) is None else y - x[2].view(-1, *[1] * n)
    y0 = padded(y0, [(-p[i], more[i]) for i in range(n)])
    return y0 if get(x, 2) is None else y0 + x[2].view(-1, *[1] * n)


def grown(a, x, s, d, p, kernel):
    """What ceil_mode lets a window reach beyond the pads."""
    more = []
    for i, k in enumerate(kernel):
        size = x.shape[2 + i] + sum(p[i])
        free = size - d[i] * (k - 1) - 1
        out = free // s[i] + 1
        if a.get("ceil_mode") and free % s[i] and out * s[i] < x.shape[2 + i] + p[i][0]:
            out += 1
        more.append(max(0, (out - 1) * s[i] + d[i] * (k - 1) + 1 - size))
    return more


@op()
def MaxPool(x, a):
    k = a["kernel_shape"]
    s, d, p = window(a, k, x[0].shape[2:])
    more = grown(a, x[0], s, d, p, k)
    y = padded(x[0], [(b, e + m) for (b, e), m in zip(p, more)], -math.inf)
    return [F.max_pool1d, F.max_pool2d, F.max_pool3d][len(k) - 1](y, k, s, 0, d), None


def sums(y, k, s, d):
    """The sum over each window."""
    for i in range(len(k)):
        y = y.unfold(2 + i, d[i] * (k[i] - 1) + 1, s[i])[..., :: d[i]]
    return y.flatten(2 + len(k)).sum(-1)


@op()
def AveragePool(x, a):
    k = a["kernel_shape"]
    s, d, p = window(a, k, x[0].shape[2:])
    more = grown(a, x[0], s, d, p, k)
    one = torch.ones_like(x[0])
    end = [(0, m) for m in more]
    count = padded(padded(one, p, 1.0 if a.get("count_include_pad") else 0.0), end)
    return sums(padded(padded(x[0], p), end), k, s, d) / sums(count, k, s, d)


@op()
def LpPool(x, a):
    k, p = a["kernel_shape"], a.get("p", 2)
    s, d, pads = window(a, k, x[0].shape[2:])
    more = grown(a, x[0], s, d, pads, k)
    y = padded(x[0].abs() ** p, [(b, e + m) for (b, e), m in zip(pads, more)])
    return sums(y, k, s, d) ** (1 / p)


def spatial(x):
    return tuple(range(2, x.dim()))


@op()
def GlobalAveragePool(x, a):
    return x[0].mean(spatial(x[0]), keepdim=True)


@op()
def GlobalMaxPool(x, a):
    return x[0].amax(spatial(x[0]), keepdim=True)


@op()
def GlobalLpPool(x, a):
    p = a.get("p", 2)
    return (x[0].abs() ** p).sum(spatial(x[0]), keepdim=True) ** (1 / p)


# normalisations


@op()
def BatchNormalization(x, a):
    eps = f32(a.get("epsilon", 1e-5))
    if not a.get("training_mode"):
        if not x[3].requires_grad:
            return F.batch_norm(x[0], x[3], x[4], x[1], x[2], eps=eps)
        w, b, mean, var = (v.view(-1, *[1] * (x[0].dim() - 2)) for v in x[1:])
        return (x[0] - mean) / torch.sqrt(var + eps) * w + b
    m, axes = f32(a.get("momentum", 0.9)), (0,) + spatial(x[0])
    y = F.batch_norm(x[0], None, None, x[1], x[2], training=True, eps=eps)
    mean, var = x[0].mean(axes), x[0].var(axes, unbiased=False)
    return y, m * x[3] + (1 - m) * mean, m * x[4] + (1 - m) * var


@op("pare.BatchNormTrain")
def BatchNormTrain(x, a):
    eps, axes = f32(a.get("epsilon", 1e-5)), (0,) + spatial(x[0])
    y = F.batch_norm(x[0], None, None, x[1], x[2], training=True, eps=eps)
    var = x[0].var(axes, unbiased=False)
    return y, x[0].mean(axes), (var + eps) ** -0.5, var


@op()
def LayerNormalization(x, a):
    eps, axis = f32(a.get("epsilon", 1e-5)), a.get("axis", -1) % x[0].dim()
    shape = x[0].shape[axis:]
    b = get(x, 2)
    y = F.layer_norm(x[0], shape, x[1].expand(shape), None if b is None else b.expand(shape), eps)
    axes = tuple(range(axis, x[0].dim()))
    var = x[0].var(axes, unbiased=False, keepdim=True)
    return y, x[0].mean(axes, keepdim=True), (var + eps) ** -0.5


@op()
def RMSNormalization(x, a):
    shape = x[0].shape[a.get("axis", -1) % x[0].dim():]
    return F.rms_norm(x[0], shape, None, f32(a.get("epsilon", 1e-5))) * x[1]


@op()
def InstanceNormalization(x, a):
    return F.instance_norm(x[0], None, None, x[1], x[2], eps=f32(a.get("epsilon", 1e-5)))


@op()
def GroupNormalization(x, a):
    g, c = a["num_groups"], x[0].shape[1]
    w, b = (v.repeat_interleave(c // len(v)) for v in x[1:3])
    return F.group_norm(x[0], g, w, b, f32(a.get("epsilon", 1e-5)))


@op()
def MeanVarianceNormalization(x, a):
    axes = a.get("axes", [0, 2, 3])
    return (x[0] - x[0].mean(axes, keepdim=True)) / (x[0].std(axes, unbiased=False, keepdim=True) + 1e-9)


@op()
def LpNormalization(x, a):
    return F.normalize(x[0], a.get("p", 2), a.get("axis", -1))


@op()
def LRN(x, a):
    n, c = a["size"], x[0].shape[1]
    sq = (x[0] ** 2).transpose(1, -1)
    sq = F.pad(sq, ((n - 1) // 2, n // 2)).unfold(-1, n, 1).sum(-1).transpose(1, -1)
    return x[0] / (f32(a.get("bias", 1)) + f32(a.get("alpha", 1e-4)) / n * sq) ** f32(a.get("beta", 0.75))


# softmax and losses


def soft(f):
    def g(x, a):
        if OPSET >= 13:
            return f(x[0], a.get("axis", -1))
        return f(x[0].flatten(a.get("axis", 1)), -1).view(x[0].shape)

    return g


OPS["Softmax"], OPS["LogSoftmax"] = soft(F.softmax), soft(F.log_softmax)


@op("pare.SoftmaxCrossEntropy")
def SoftmaxCrossEntropy(x, a):
    return F.cross_entropy(x[0], x[1], label_smoothing=f32(a.get("label_smoothing", 0)))


@op()
def NegativeLogLikelihoodLoss(x, a):
    return F.nll_loss(x[0], x[1], get(x, 2), ignore_index=a.get("ignore_index", -100), reduction=a.get("reduction", "mean"))


@op()
def SoftmaxCrossEntropyLoss(x, a):
    y = F.cross_entropy(x[0], x[1], get(x, 2), ignore_index=a.get("ignore_index", -100), reduction=a.get("reduction", "mean"))
    return y, F.log_softmax(x[0], 1)


@op()
def Attention(x, a):
    q, k, v = x[:3]
    packed = q.dim() == 3
    if packed:
        split = lambda t, h: t.view(*t.shape[:2], h, -1).transpose(1, 2)
        q, k, v = split(q, a["q_num_heads"]), split(k, a["kv_num_heads"]), split(v, a["kv_num_heads"])
    past = 0
    if get(x, 4) is not None:
        past = x[4].shape[2]
        k, v = torch.cat([x[4], k], 2), torch.cat([x[5], v], 2)
    group = q.shape[1] // k.shape[1]
    kk, vv = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    scale = f32(a["scale"]) if "scale" in a else 1 / math.sqrt(q.shape[-1])
    s = q @ kk.transpose(-1, -2) * scale
    cap = f32(a.get("softcap", 0))
    if cap:
        s = cap * torch.tanh(s / cap)
    i, j = torch.arange(q.shape[2])[:, None] + past, torch.arange(k.shape[2])[None]
    hide = torch.zeros(q.shape[2], k.shape[2], dtype=torch.bool)
    if a.get("is_causal"):
        hide |= j > i
    if a.get("left_window_size", -1) >= 0:
        hide |= j < i - a["left_window_size"]
    if a.get("right_window_size", -1) >= 0:
        hide |= j > i + a["right_window_size"]
    m = get(x, 3)
    if m is not None and m.dtype == torch.bool:
        hide = hide | ~m
    elif m is not None:
        s = s + m
    dead = hide.expand(s.shape).all(-1, keepdim=True)
    s = s.masked_fill(hide & ~dead, -math.inf)
    y = (F.softmax(s, -1) * ~dead) @ vv
    return y.transpose(1, 2).flatten(2) if packed else y, k, v


# reductions


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


# movements


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


# indices


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


# sampling


@op("Resize", "Upsample")
def Resize(x, a):
    mode, c = a.get("mode", "nearest"), a.get("coordinate_transformation_mode", "half_pixel")
    sizes = get(x, 3)
    if sizes is None or len(sizes) != x[0].dim() or "axes" in a or mode == "nearest" or a.get("exclude_outside") or a.get("antialias"):
        raise NotImplementedError("another resizing")
    if c not in ("half_pixel", "align_corners"):
        raise NotImplementedError("other coordinates")
    names = {"linear": "bilinear", "cubic": "bicubic"}
    return F.interpolate(x[0], size=ints(sizes)[2:], mode=names[mode], align_corners=c == "align_corners")


@op()
def GridSample(x, a):
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(a.get("mode", "linear"), "nearest")
    if mode == "bicubic" and a.get("padding_mode") == "border":
        raise NotImplementedError("ONNX moves the place to the border, PyTorch what is read around it")
    return F.grid_sample(x[0], x[1], mode, a.get("padding_mode", "zeros"), bool(a.get("align_corners")))


@op()
def AffineGrid(x, a):
    return F.affine_grid(x[0], ints(x[1]), bool(a.get("align_corners")))


@op()
def Col2Im(x, a):
    n = len(x[1])
    return F.fold(x[0], ints(x[1]), ints(x[2]), a.get("dilations") or [1] * n, 0, a.get("strides") or [1] * n)


@op()
def MaxUnpool(x, a):
    return F.max_unpool2d(x[0], x[1] % (x[0][0, 0].numel() * 4), a["kernel_shape"], a["strides"])


@op()
def CenterCropPad(x, a):
    y = x[0]
    for i, n in zip(a.get("axes") or range(y.dim()), ints(x[1])):
        d = y.shape[i] - n
        if d >= 0:
            y = y.narrow(i, d // 2, n)
        else:
            p = [(0, 0)] * y.dim()
            p[i] = (-d // 2, -d - -d // 2)
            y = padded(y, p)
    return y


# signals


@op()
def DFT(x, a):
    i = int(x[2]) if get(x, 2) is not None else a.get("axis", -2 if OPSET >= 20 else 1)
    i %= x[0].dim()
    n = int(x[1]) if get(x, 1) is not None else None
    y = torch.view_as_complex(x[0].contiguous()) if x[0].shape[-1] == 2 else x[0].squeeze(-1)
    if a.get("onesided"):
        if a.get("inverse"):
            return torch.fft.irfft(y, n, i).unsqueeze(-1)
        return torch.view_as_real(torch.fft.rfft(y, n, i))
    return torch.view_as_real((torch.fft.ifft if a.get("inverse") else torch.fft.fft)(y, n, i))


@op()
def STFT(x, a):
    n = int(x[3]) if get(x, 3) is not None else len(x[2])
    y = x[0].unfold(1, n, int(x[1]))
    if get(x, 2) is not None:
        y = y * x[2]
    y = y.transpose(2, 3)
    y = torch.view_as_complex(y.contiguous()) if y.shape[-1] == 2 else y.squeeze(-1)
    return torch.view_as_real(torch.fft.rfft(y, dim=2) if a.get("onesided", 1) else torch.fft.fft(y, dim=2))


# recurrence

ACTS = {"Sigmoid": torch.sigmoid, "Tanh": torch.tanh, "Softsign": F.softsign,
        "ScaledTanh": lambda v, p, q: p * torch.tanh(q * v), "Affine": lambda v, p, q: p * v + q}  # fmt: skip
CELLS = {"RNN": (1, ["Tanh"]), "GRU": (3, ["Sigmoid", "Tanh"]), "LSTM": (4, ["Sigmoid", "Tanh", "Tanh"])}


def recurrence(name):
    gates, default = CELLS[name]

    def run(x, a):
        first = bool(a.get("layout"))
        X = x[0].transpose(0, 1) if first else x[0]
        W, R, H = x[1], x[2], x[2].shape[2]
        dirs = W.shape[0]
        acts, al, be = list(a.get("activations") or default * dirs), list(a.get("activation_alpha") or []), list(a.get("activation_beta") or [])

        def act():
            f = acts.pop(0)
            if f in ("ScaledTanh", "Affine"):
                p, q = f32(al.pop(0)), f32(be.pop(0))
                f = (lambda g: lambda v: g(v, p, q))(ACTS[f])
            else:
                f = ACTS[f]
            return f

        def state(i, d):
            if get(x, i) is None:
                return torch.zeros(X.shape[1], H, dtype=X.dtype)
            return x[i][:, d] if first else x[i][d]

        ys, hs, cs = [], [], []
        for d in range(dirs):
            fs = [act() for _ in default]
            limit = f32(a["clip"]) if a.get("clip") else None

            def gate(k, v, fs=fs, limit=limit):
                return fs[k](v if limit is None else v.clamp(-limit, limit))

            wb, rb = x[3][d].split(gates * H) if get(x, 3) is not None else (0, 0)
            P = x[7][d].split(H) if get(x, 7) is not None else (0, 0, 0)
            h, c, out = state(5, d), state(6, d), []
            back = d == 1 or a.get("direction") == "reverse"
            for t in reversed(range(X.shape[0])) if back else range(X.shape[0]):
                w, r = (X[t] @ W[d].t() + wb).split(H, 1), (h @ R[d].t() + rb).split(H, 1)
                if name == "RNN":
                    h = gate(0, w[0] + r[0])
                elif name == "GRU":
                    z, k = gate(0, w[0] + r[0]), gate(0, w[1] + r[1])
                    if a.get("linear_before_reset"):
                        inner = k * r[2]
                    else:
                        inner = (k * h) @ R[d][2 * H:].t() + (rb[2 * H:] if torch.is_tensor(rb) else 0)
                    h = (1 - z) * gate(1, w[2] + inner) + z * h
                else:
                    i = gate(0, w[0] + r[0] + P[0] * c)
                    f = 1 - i if a.get("input_forget") else gate(0, w[2] + r[2] + P[2] * c)
                    c = f * c + i * gate(1, w[3] + r[3])
                    h = gate(0, w[1] + r[1] + P[1] * c) * fs[2](c)
                out.append(h)
            ys.append(torch.stack(out[::-1] if back else out))
            hs.append(h), cs.append(c)
        y = torch.stack(ys, 1)
        if first:
            y = y.permute(2, 0, 1, 3)
        return y, torch.stack(hs, int(first)), torch.stack(cs, int(first))

    return run


for name in CELLS:
    OPS[name] = recurrence(name)


# parts of language models


@op()
def SwiGLU(x, a):
    return x[0] * torch.sigmoid(f32(a.get("alpha", 1)) * x[0]) * x[1]


@op()
def RotaryEmbedding(x, a):
    v, n = x[0], a.get("num_heads", 0)
    if v.dim() == 3:
        v = v.view(*v.shape[:2], n, -1).transpose(1, 2)
    cos, sin = (c if get(x, 3) is None else c[x[3]] for c in x[1:3])
    k = a.get("rotary_embedding_dim") or v.shape[-1]
    turned, rest = v[..., :k], v[..., k:]
    if not a.get("interleaved"):
        turned = turned.unflatten(-1, (2, k // 2)).transpose(-1, -2).flatten(-2)
    z = torch.view_as_complex(turned.unflatten(-1, (k // 2, 2)).contiguous()) * torch.complex(cos, sin).unsqueeze(1)
    y = torch.view_as_real(z)
    y = y.flatten(-2) if a.get("interleaved") else y.transpose(-1, -2).flatten(-2)
    y = torch.cat([y, rest], -1)
    return y.transpose(1, 2).reshape(x[0].shape) if x[0].dim() == 3 else y


@op()
def Dropout(x, a):
    if get(x, 2) is not None:
        raise NotImplementedError("other random numbers")
    return x[0].clone()


@op()
def DequantizeLinear(x, a):
    s = x[1]
    z = get(x, 2) if get(x, 2) is not None else torch.zeros_like(s)
    if s.dim():
        shape = [1] * x[0].dim()
        shape[a.get("axis", 1)] = -1
        s, z = s.view(shape), z.view(shape)
    return (x[0].double() - z.double()) * s


# the runner


def read(i):
    return torch.from_numpy(np.fromfile(i["file"], dtype=i["type"]).reshape(i["shape"] or []))


def run(job):
    global OPSET
    OPSET = job["opset"]
    f = OPS.get(job["op"])
    if f is None:
        return {"missing": True}
    x = [None if i is None else read(i) for i in job["inputs"]]
    moved = [i for i, v in enumerate(x) if v is not None and v.dtype == torch.float64 and i not in job["fixed"]]
    for i in moved:
        x[i].requires_grad_()
    ys = f(x, job["attrs"])
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
