"""Normalisations."""
import torch
import torch.nn.functional as F

from registry import f32, get, op
from windows import spatial


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
