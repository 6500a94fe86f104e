"""A decoder with one transformer block in PyTorch, in float64, whose layers are pruned one
after the other by Wanda, SparseGPT, RIA and DSnoT, as their papers have them. What goes into
the layers of the block is taken before any of them is pruned ("inputs": "block"), or of each
behind the layers before it that are pruned ("layer").

    python block.py JOBS.json

A job names a folder of parameters, the tokens, a method, "" or "2:4", and where to write
each layer's weights and, for every weight, the gap of the decision that made it stay or go:
how far apart the two numbers were between which the line was drawn, as a share of them.
"""
import json
import os
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
INF = float("inf")


def read(folder):
    p = {}
    for name, shape in json.load(open(os.path.join(folder, "shapes.json"))).items():
        flat = torch.frombuffer(bytearray(open(os.path.join(folder, name), "rb").read()), dtype=torch.float32)
        p[name] = flat.double().reshape(shape)
    return p


class Stop(Exception):
    pass


def forward(p, tokens, heads, wanted=None):
    """The logits, or what goes into a layer, [rows, inputs]."""

    def linear(name, x):
        if name == wanted:
            raise Stop(x)
        y = x @ p[name + ".weight"]
        return y + p[name + ".bias"] if name + ".bias" in p else y

    def norm(name, x):
        return F.layer_norm(x, x.shape[-1:], p[name + ".weight"], p[name + ".bias"], 1e-5)

    try:
        h = F.embedding(tokens, p["token.weight"]) + p["position"]
        x = norm("blocks.0.ln1", h)
        q, k, v = (linear("blocks.0.attn." + s, x).unflatten(-1, (heads, -1)).transpose(1, 2) for s in "qkv")
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + linear("blocks.0.attn.proj", a.transpose(1, 2).flatten(2))
        x = linear("blocks.0.fc1", norm("blocks.0.ln2", h))
        h = h + linear("blocks.0.fc2", F.gelu(x))
        return linear("head", norm("norm", h))
    except Stop as s:
        return s.args[0].flatten(0, 1)


LAYERS = ["blocks.0.attn." + s for s in ("q", "k", "v", "proj")] + ["blocks.0.fc1", "blocks.0.fc2", "head"]


def lowest(score, n):
    """Where the n lowest of the last axis are, and the gap behind them."""
    s, i = score.sort(dim=-1, stable=True)
    gone = torch.zeros_like(score, dtype=torch.bool).scatter_(-1, i[..., :n], True)
    gap = (s[..., n] - s[..., n - 1]) / s[..., n].abs()
    return gone, gap.unsqueeze(-1).expand_as(score)


def choose(score, nm):
    """What goes of every row [outs, inputs]: half of it, or 2 of every 4."""
    if nm:
        gone, gap = lowest(score.unflatten(-1, (-1, 4)), 2)
        return gone.flatten(-2), gap.flatten(-2)
    return lowest(score, score.shape[-1] // 2)


def wanda(w, x, nm):
    gone, gap = choose(w.abs() * x.norm(dim=0), nm)
    return w.masked_fill(gone, 0), gap


def ria(w, x, nm):
    a = w.abs()
    score = (a / a.sum(0) + a / a.sum(1, keepdim=True)) * x.norm(dim=0) ** 0.5
    if nm:
        gone, gap = choose(score, nm)
    else:
        gone, gap = (t.view_as(w) for t in lowest(score.flatten(), w.numel() // 2))
    return w.masked_fill(gone, 0), gap


def sparsegpt(w, x, nm, size=16, damp=0.01):
    """Algorithm 1, with blocks of columns."""
    w, gap = w.clone(), torch.full_like(w, INF)
    h = x.T @ x
    h += damp * h.diagonal().mean() * torch.eye(len(h))
    u = torch.linalg.cholesky(torch.linalg.inv(h), upper=True)
    gone = torch.zeros_like(w, dtype=torch.bool)
    for i in range(w.shape[1]):
        if nm and i % 4 == 0:
            s = slice(i, i + 4)
            gone[:, s], gap[:, s] = lowest((w[:, s] / u.diagonal()[s]) ** 2, 2)
        elif not nm and i % size == 0:
            s = slice(i, i + size)
            score = (w[:, s] / u.diagonal()[s]) ** 2
            g, d = lowest(score.flatten(), score.numel() // 2)
            gone[:, s], gap[:, s] = g.view_as(score), d.view_as(score)
        e = torch.where(gone[:, i], w[:, i], 0) / u[i, i]
        w[:, i:] -= torch.outer(e, u[i, i:])
        w[gone[:, i], i] = 0
    return w, gap


def dsnot(w, x, nm, samples, cycles=50, threshold=0.1):
    """Growing by W E[X] / Var(X), pruning by Wanda's metric among what makes up for the error."""
    metrics = w.abs() * x.norm(dim=0)
    gone, gap = choose(metrics, nm)
    gap = gap.clone()
    means = w * x.sum(0) / samples
    worths = means / x.var(dim=0, unbiased=False)
    for r in range(len(w)):
        metric, brings, worth, out = metrics[r].tolist(), means[r].tolist(), worths[r].tolist(), gone[r].tolist()
        error = sum(b for b, o in zip(brings, out) if o)
        start, whole, closest = error, sum(map(abs, brings)), INF
        line = sorted((k for k, o in enumerate(out) if o), key=worth.__getitem__)
        stay = sorted((k for k, o in enumerate(out) if not o), key=metric.__getitem__)
        for order, by in (line, worth), (stay, metric):
            for a, b in zip(order, order[1:]):
                closest = min(closest, abs((by[b] - by[a]) / by[b]))
        for _ in range(cycles):
            closest = min(closest, abs(abs(error) - threshold) / whole)
            if abs(error) <= threshold:
                break
            right = [k for k in line if brings[k] * error > 0]
            if not right:
                break
            up = right[-1] if error > 0 else right[0]
            line.remove(up)
            if nm:
                partners = [k for k in stay if k // 4 == up // 4]
            else:
                partners = [k for k in stay if brings[k] * error < 0]
            if not partners:
                if nm:
                    continue
                break
            down = partners[0]
            then = error - brings[up] + brings[down]
            if nm:
                closest = min(closest, abs(then) / whole)
                if then * start <= 0:
                    break
            stay.remove(down)
            gone[r, up], gone[r, down] = False, True
            error = then
        gap[r] = gap[r].clamp(max=closest)
    return w.masked_fill(gone, 0), gap


def main():
    jobs = json.load(open(sys.argv[1]))
    out = []
    for j in jobs:
        p = read(j["folder"])
        tokens = torch.tensor(j["tokens"])
        answer = {"layers": LAYERS}
        seen = {}
        if j["inputs"] == "block":
            seen = {name: forward(p, tokens, j["heads"], name) for name in LAYERS if name.startswith("blocks.")}
        for name in LAYERS:
            x = seen[name] if name in seen else forward(p, tokens, j["heads"], name)
            w = p[name + ".weight"].T
            method = globals()[j["method"]]
            w, gap = method(w, x, j["nm"], len(tokens)) if method is dsnot else method(w, x, j["nm"])
            p[name + ".weight"] = w.T
            open(os.path.join(j["out"], name), "wb").write(w.T.contiguous().numpy().tobytes())
            open(os.path.join(j["out"], name + ".gap"), "wb").write(gap.T.contiguous().numpy().tobytes())
        logits = forward(p, tokens, j["heads"])
        open(os.path.join(j["out"], "logits"), "wb").write(logits.contiguous().numpy().tobytes())
        out.append(answer)
    json.dump(out, open(os.path.join(os.path.dirname(sys.argv[1]), "RESULT.json"), "w"))


main()
