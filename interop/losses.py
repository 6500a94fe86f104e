"""Computes losses and their gradients in PyTorch, in float64, and exports one.

Usage: losses.py JOBS.json. JOBS is a list of {loss, params, inputs, model, out}: loss
names a function below, params are its settings, inputs are {type, shape, file} of raw
little-endian values, of which the floating-point ones that are not targets are moved.
Where model is given, the loss is written there as ONNX by torch.onnx. RESULT.json
beside JOBS holds for each job {loss, names} of the gradients (files OUT.0, ...).
"""
import numpy as np
import torch
import torch.nn.functional as F
from jobs import serve


def cross_entropy(x, y, smoothing=0.0, ignore=-(2**31), weights=None):
    w = None if weights is None else torch.tensor(weights, dtype=x.dtype)
    return F.cross_entropy(x, y, w, ignore_index=ignore, label_smoothing=smoothing)


def nll(x, y, ignore=-(2**31), weights=None):
    w = None if weights is None else torch.tensor(weights, dtype=x.dtype)
    return F.nll_loss(x, y, w, ignore_index=ignore)


def mse_classes(x, y):
    return F.mse_loss(x, F.one_hot(y, x.shape[1]).to(x.dtype))


def bce(x, z, pos_weight=None, ignore=None):
    if pos_weight is not None:
        pos_weight = torch.tensor(pos_weight, dtype=x.dtype).reshape([-1] + [1] * (x.dim() - 2))
    loss = F.binary_cross_entropy_with_logits(x, z, pos_weight=pos_weight, reduction="none")
    return loss.mean() if ignore is None else loss[z != ignore].mean()


def dice(x, z, smooth=1.0, start=1):
    p = x.sigmoid().flatten(start) if start else x.sigmoid().flatten()
    z = z.flatten(start) if start else z.flatten()
    return 1 - ((2 * (p * z).sum(-1) + smooth) / (p.sum(-1) + z.sum(-1) + smooth)).mean()


def dice_classes(x, y, smooth=1.0):
    p, z = x.softmax(1), F.one_hot(y, x.shape[1]).to(x.dtype)
    return 1 - ((2 * (p * z).sum(0) + smooth) / (p.sum(0) + z.sum(0) + smooth)).mean()


def smooth_l1(x, y, beta=1.0):
    return F.smooth_l1_loss(x, y, beta=beta)


def huber(x, y, delta=1.0):
    return F.huber_loss(x, y, delta=delta)


def cosine(x, y):
    return 1 - F.cosine_similarity(x, y, dim=-1).mean()


def triplet(x, y, margin=0.2):
    losses = []
    for i in range(len(x)):
        near = [torch.linalg.vector_norm(x[i] - x[j]) for j in range(len(x)) if j != i and y[j] == y[i]]
        far = [torch.linalg.vector_norm(x[i] - x[j]) for j in range(len(x)) if y[j] != y[i]]
        if near and far:
            losses.append(F.relu(margin + torch.stack(near).max() - torch.stack(far).min()))
    return torch.stack(losses).mean()


def contrastive(x, y, temperature=0.1):
    s = F.normalize(x, dim=1) @ F.normalize(x, dim=1).t() / temperature
    losses = []
    for i in range(len(x)):
        others = [j for j in range(len(x)) if j != i]
        fellows = [j for j in others if y[j] == y[i]]
        if fellows:
            losses.append((torch.logsumexp(s[i, others], 0) - s[i, fellows]).mean())
    return torch.stack(losses).mean()


def next_token(x, y, ignore=-100, smoothing=0.0):
    return F.cross_entropy(x[:, :-1].flatten(0, 1), y[:, 1:].flatten(), ignore_index=ignore, label_smoothing=smoothing)


def ctc(x, y, blank=0, zero_infinity=0):
    logp = x.log_softmax(-1).transpose(0, 1)
    steps = torch.full((len(x),), x.shape[1])
    lengths = (y >= 0).sum(1)
    marks = torch.where(y < 0, (blank + 1) % x.shape[2], y)
    return F.ctc_loss(logp, marks, steps, lengths, blank=blank, zero_infinity=bool(zero_infinity))


def match_kl(x, t, temperature=4.0):
    soft = lambda v: (v / temperature).log_softmax(-1)
    return temperature**2 * F.kl_div(soft(x), soft(t), log_target=True, reduction="batchmean")


def match_bce(x, t, temperature=1.0):
    p = (t / temperature).sigmoid()
    of = lambda v: F.binary_cross_entropy_with_logits(v / temperature, p)
    return temperature**2 * (of(x) - of(t))


def match_mse(x, t):
    return F.mse_loss(x, t) / t.var(0, unbiased=False).mean()


class Detection(torch.nn.Module):
    """The loss of a single-shot detector (Liu et al. 2016) on its anchors."""

    def __init__(self, anchors):
        super().__init__()
        self.register_buffer("anchors", anchors)

    def forward(self, scores, boxes, box, label):
        a, t = self.anchors[None, :, None], box[:, None]
        side = (torch.minimum(a[..., 2:], t[..., 2:]) - torch.maximum(a[..., :2], t[..., :2])).clamp(min=0)
        both = side[..., 0] * side[..., 1]
        area = lambda b: (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])
        iou = both / (area(a) + area(t) - both)
        iou = torch.where((label > 0)[:, None], iou, torch.zeros_like(iou))
        top, best = iou.max(2)
        has = top > 1 / 3
        wanted = torch.where(has, label.gather(1, best), torch.zeros_like(best))
        place = box.gather(1, best[..., None].expand(-1, -1, 4))
        d = (boxes - place).abs()
        located = (torch.where(d < 1, d * d / 2, d - 0.5) * has[..., None]).sum()  # the exporter has no smooth_l1_loss
        nll = F.cross_entropy(scores.transpose(1, 2), wanted, reduction="none")
        others = nll.masked_fill(has, 0)
        order = others.sort(1, descending=True)[1]
        rank = order.sort(1)[1]
        worst = rank < 3 * has.sum(1, keepdim=True)
        chosen = (nll * has).sum() + (others * worst).sum()
        return (located + chosen) / has.sum().clamp(min=1)


def detection(scores, boxes, box, label, anchors):
    return Detection(anchors)(scores, boxes, box, label)


def read(i):
    x = torch.from_numpy(np.fromfile(i["file"], dtype=i["type"]).reshape(i["shape"]))
    return x.double() if x.is_floating_point() else x


def run(job):
    moved = {"detection": 2}.get(job["loss"], 1)
    inputs = [read(i) for i in job["inputs"]]
    for x in inputs[:moved]:
        x.requires_grad_()
    plain = {"mse": F.mse_loss, "l1": F.l1_loss, "match_cosine": cosine}
    loss = (plain.get(job["loss"]) or globals()[job["loss"]])(*inputs, **(job["params"] or {}))
    loss.backward()
    for k, x in enumerate(inputs[:moved]):
        x.grad.numpy().astype("<f8").tofile(f"{job['out']}.{k}")
    if job.get("model"):
        args = tuple(x.detach().float() if x.is_floating_point() else x for x in inputs[:4])
        names = ["scores", "boxes", "box", "label"]
        torch.onnx.export(Detection(inputs[4].float()), args, job["model"], input_names=names, output_names=["loss"],
                          dynamic_axes={n: {0: "batch"} for n in names}, opset_version=job["opset"], dynamo=False)
    return {"loss": loss.item()}


if __name__ == "__main__":
    torch.set_num_threads(2)
    serve(run)
