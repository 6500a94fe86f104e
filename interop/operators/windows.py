"""Convolution and pooling."""
import math

import torch
import torch.nn.functional as F

from registry import get, op


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
