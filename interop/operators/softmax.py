"""Softmax, losses and attention."""
import math

import torch
import torch.nn.functional as F

from registry import OPS, f32, get, op


def soft(f):
    def g(x, a):
        if a["opset"] >= 13:
            return f(x[0], a.get("axis", -1))
        return f(x[0].flatten(a.get("axis", 1)), -1).view(x[0].shape)

    return g


OPS["Softmax"], OPS["LogSoftmax"] = soft(F.softmax), soft(F.log_softmax)


@op("pare.SoftmaxCrossEntropy")
def SoftmaxCrossEntropy(x, a):
    w = a.get("class_weights")
    if w is not None:
        w = torch.tensor([f32(v) for v in w], dtype=x[0].dtype)
    ignore = a.get("ignore_index", -(2**31))
    return F.cross_entropy(x[0], x[1], w, ignore_index=ignore, label_smoothing=f32(a.get("label_smoothing", 0)))


@op("pare.CTC")
def CTC(x, a):
    blank = a.get("blank", 0)
    marks = torch.where(x[1] < 0, (blank + 1) % x[0].shape[2], x[1])
    steps = torch.full((len(x[0]),), x[0].shape[1])
    logp = x[0].log_softmax(-1).transpose(0, 1)
    return F.ctc_loss(logp, marks, steps, (x[1] >= 0).sum(1), blank=blank, zero_infinity=bool(a.get("zero_infinity", 0)))


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
