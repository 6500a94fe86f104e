"""Computes pruning scores and masks in PyTorch, in float64.

Usage: scores.py JOBS.json. JOBS is a list of {net, model, weights, input, label,
sparsity, iterations and mask (of synflow, bytes), gates, out}: net is mlp or resnetN, model the ONNX file of which only the
weights are read (by name), weights the names of the prunable ones in order, input
and label a batch as {type, shape, file}. RESULT.json beside JOBS holds for each
job {scores, masks, erk, taylor}: of each method the threshold that the scores of what
stays reach, of ERK the density by weight, and of each group of channels in gates, a list
of {weight, at} with the layers that read it and the positions of every channel there,
the first-order Taylor importance. Files OUT.METHOD.score (float64) and
OUT.METHOD.mask (bytes) hold those of all weights, one after another.

The methods are written here from their papers.
"""
import numpy as np
import onnx
import torch
import torch.nn.functional as F
from gradients import ResNet, mlp, read
from jobs import serve
from onnx import numpy_helper
from torch import nn


def network(job):
    """Gives forward(x) and the parameters by name, in training form."""
    weights = {
        i.name: torch.from_numpy(numpy_helper.to_array(i).astype("f8"))
        for i in onnx.load(job["model"]).graph.initializer
        if i.data_type == onnx.TensorProto.FLOAT
    }
    if job["net"].startswith("resnet"):
        net = ResNet(int(job["net"][len("resnet"):])).double().train()
        net.load_state_dict(weights, strict=False)
        return net, dict(net.named_parameters())
    params = {k: v.requires_grad_() for k, v in weights.items()}
    return lambda x: mlp(params, x), params


def snip(forward, ws, x, y):
    g = torch.autograd.grad(F.cross_entropy(forward(x), y), ws)
    return [(w * d).abs() for w, d in zip(ws, g)]


def grasp(forward, ws, x, y):
    g = torch.autograd.grad(F.cross_entropy(forward(x) / 200, y), ws)
    again = torch.autograd.grad(F.cross_entropy(forward(x) / 200, y), ws, create_graph=True)
    hg = torch.autograd.grad(sum((a.detach() * b).sum() for a, b in zip(g, again)), ws)
    return [w * h for w, h in zip(ws, hg)]  # Pare's sign: the highest stay


def flow(forward, ws, x):
    g = torch.autograd.grad(forward(torch.ones_like(x[:1])).sum(), ws)
    return [w.detach() * d for w, d in zip(ws, g)]


def synflow(forward, ws, params, x, density, iterations, pare):
    """Gives the scores of the dense network and of the one that Pare's masks
    leave (-1 for what is cut), and the masks of its own iteration."""
    if isinstance(forward, nn.Module):
        forward.eval()
        for m in forward.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.reset_running_stats()
    with torch.no_grad():
        for name, p in params.items():
            if p.dim() == 1:
                p.fill_(1.0 if "bn" in name and name.endswith("weight") else 0.0)
        for w in ws:
            w.abs_()
    whole = [w.detach().clone() for w in ws]

    def masked(masks):
        with torch.no_grad():
            for w, v, m in zip(ws, whole, masks):
                w.copy_(v * m)
        return [s.where(m > 0, -1.0) for s, m in zip(flow(forward, ws, x), masks)]

    masks = [torch.ones_like(w) for w in ws]
    n = sum(w.numel() for w in ws)
    dense, rest = masked(masks), masked(pare)
    for k in range(iterations):
        keep = n - round(n * (1 - density ** ((k + 1) / iterations)))
        masks, _ = best(masked(masks), keep)
    return dense, rest, masks


def best(scores, keep):
    flat = torch.cat([s.flatten() for s in scores])
    top = torch.topk(flat, keep).indices
    mask = torch.zeros_like(flat)
    mask[top] = 1
    out, at = [], 0
    for s in scores:
        out.append(mask[at : at + s.numel()].view_as(s))
        at += s.numel()
    return out, flat[top].min().item()


def erk(ws, density):
    """Densities of Evci et al. 2020, by the solver of their code."""
    dense = set()
    while True:
        raw, left, size = {}, 0.0, 0.0
        for k, w in enumerate(ws):
            if k in dense:
                left -= w.numel() * (1 - density)
            else:
                left += w.numel() * density
                raw[k] = sum(w.shape) / w.numel()
                size += raw[k] * w.numel()
        eps = left / size
        if eps * max(raw.values()) <= 1:
            return [1.0 if k in dense else eps * raw[k] for k in range(len(ws))]
        dense |= {k for k, r in raw.items() if r == max(raw.values())}


def taylor(net, groups, x, y):
    """Squares of the derivatives of the loss, in inference, by gates of 1 that multiply
    what layers read (Molchanov et al. 2019, with gates)."""
    net.eval()
    gates = {}

    def gated(name):
        def hook(module, inputs):
            shape = (1, -1) + (1,) * (inputs[0].dim() - 2)
            gates[name] = torch.ones(inputs[0].shape[1], dtype=torch.float64, requires_grad=True)
            return (inputs[0] * gates[name].view(shape),)
        return hook

    names = {p["weight"] for g in groups for p in g}
    hooks = [m.register_forward_pre_hook(gated(k + ".weight")) for k, m in net.named_modules() if k + ".weight" in names]
    loss = F.cross_entropy(net(x), y)
    slope = dict(zip(gates, torch.autograd.grad(loss, list(gates.values()))))
    for h in hooks:
        h.remove()
    net.train()
    out = []
    for g in groups:
        sums = [0.0] * len(g[0]["at"])
        for p in g:
            for c, at in enumerate(p["at"]):
                sums[c] += slope[p["weight"]][at].sum().item()
        out.append([s * s for s in sums])
    return out


def write(job, method, scores, masks):
    stem = f"{job['out']}.{method}"
    for ext, t, kind in (("score", scores, "<f8"), ("mask", masks, "u1")):
        flat = torch.cat([v.detach().flatten() for v in t])
        flat.numpy().astype(kind).tofile(f"{stem}.{ext}")


def run(job):
    forward, params = network(job)
    ws = [params[k] for k in job["weights"]]
    x, y = read(job["input"]).double(), read(job["label"])
    # first, as training passes move the running statistics
    rates = taylor(forward, job["gates"], x, y) if job["gates"] else []
    density = 1 - job["sparsity"]
    n = sum(w.numel() for w in ws)
    keep = n - round(n * job["sparsity"])
    thresholds = {}
    for method, scores in {
        "magnitude": [w.abs() for w in ws],
        "snip": snip(forward, ws, x, y),
        "grasp": grasp(forward, ws, x, y),
    }.items():
        masks, thresholds[method] = best(scores, keep)
        write(job, method, scores, masks)
    scores = [w.abs() for w in ws]
    masks = [best([s], int(s.numel() * density + 0.5 + 1e-9))[0][0] for s in scores]
    thresholds["uniform"] = 0
    write(job, "uniform", scores, masks)
    densities = erk(ws, density)
    flat = torch.from_numpy(np.fromfile(job["mask"], dtype="u1").astype("f8"))
    pare = [m.view_as(w) for m, w in zip(flat.split([w.numel() for w in ws]), ws)]
    dense, rest, masks = synflow(forward, ws, params, x, density, job["iterations"], pare)
    write(job, "synflow", dense, masks)
    write(job, "synflow-masked", rest, pare)
    return {"thresholds": thresholds, "erk": densities, "taylor": rates}


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve(run)
