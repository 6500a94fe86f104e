"""Computes losses and gradients in PyTorch, in float64.

Usage: gradients.py JOBS.json. JOBS is a list of {net, model, input, label,
smoothing, out}: net names a network below, model is the ONNX file of which only
the weights are read (by name), input and label are {type, shape, file} of raw
little-endian values, out is the stem of the files that the results go to as
float64. RESULT.json beside JOBS holds for each job {loss, names} of the
gradients (files OUT.0, OUT.1, ...) and of running statistics after the step.

The networks are written here from their papers, not read from the file's
nodes, so that a wrong graph shows too.
"""
import numpy as np
import onnx
import torch
import torch.nn.functional as F
from jobs import serve
from onnx import numpy_helper
from torch import nn


class Block(nn.Module):
    """Basic block of ResNet for CIFAR with a parameter-free shortcut (kind A of
    He et al. 2016): every second pixel, zeros for the new channels."""

    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.stride, self.more = stride, cout - cin

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        x = x[:, :, :: self.stride, :: self.stride]
        x = F.pad(x, (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))
        return F.relu(y + x)


class ResNet(nn.Module):
    def __init__(self, depth):
        super().__init__()
        n = (depth - 2) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        width = 16
        for s in range(3):
            blocks = []
            for k in range(n):
                blocks.append(Block(width, 16 << s, 2 if s > 0 and k == 0 else 1))
                width = 16 << s
            setattr(self, f"layer{s + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def mlp(p, x):
    last = sum(name.endswith(".weight") for name in p)
    for k in range(1, last + 1):
        x = F.linear(x, p[f"fc{k}.weight"], p[f"fc{k}.bias"])
        if k < last:
            x = F.relu(x)
    return x


def norm(p, name, x):
    return F.layer_norm(x, x.shape[-1:], p[name + ".weight"], p[name + ".bias"], 1e-5)


def linear(p, name, x):
    """A layer whose weight is stored [in, out]."""
    return F.linear(x, p[name + ".weight"].t(), p[name + ".bias"])


def transformer(p, x, heads, causal):
    n, t, d = x.shape
    k = 0
    while f"blocks.{k}.ln1.weight" in p:
        b = f"blocks.{k}."
        h = norm(p, b + "ln1", x)
        q, key, v = (
            linear(p, b + "attn." + part, h).view(n, t, heads, d // heads).transpose(1, 2)
            for part in "qkv"
        )
        a = F.scaled_dot_product_attention(q, key, v, is_causal=causal)
        a = a.transpose(1, 2).reshape(n, t, d)
        x = x + linear(p, b + "attn.proj", a)
        h = F.gelu(linear(p, b + "fc1", norm(p, b + "ln2", x)))
        x = x + linear(p, b + "fc2", h)
        k += 1
    return norm(p, "norm", x)


def vit(p, x):
    w = p["patch.weight"]
    x = F.conv2d(x, w, p["patch.bias"], stride=w.shape[-1])
    x = x.flatten(2).transpose(1, 2) + p["position"]
    x = transformer(p, x, 3, causal=False).mean(1)
    return F.linear(x, p["head.weight"], p["head.bias"])


def gpt(p, x):
    x = F.embedding(x, p["token.weight"]) + p["position"]
    return transformer(p, x, 4, causal=True) @ p["head.weight"]


def read(i):
    return torch.from_numpy(np.fromfile(i["file"], dtype=i["type"]).reshape(i["shape"]))


def run(job):
    weights = {
        i.name: torch.from_numpy(numpy_helper.to_array(i).astype("f8"))
        for i in onnx.load(job["model"]).graph.initializer
        if i.data_type == onnx.TensorProto.FLOAT
    }
    x, label = read(job["input"]), read(job["label"])
    if x.is_floating_point():
        x = x.double()
    stats = {}
    if job["net"].startswith("resnet"):
        net = ResNet(int(job["net"][len("resnet"):])).double().train()
        missing, _ = net.load_state_dict(weights, strict=False)
        missing = [m for m in missing if not m.endswith(".num_batches_tracked")]
        if missing:
            raise ValueError(f"the file has no {missing}")
        params = dict(net.named_parameters())
        y = net(x)
        stats = {k: v for k, v in net.named_buffers() if not k.endswith(".num_batches_tracked")}
    else:
        forward = {"mlp": mlp, "vit-tiny": vit, "gpt-tiny": gpt}[job["net"]]
        named = lambda k: k.endswith((".weight", ".bias")) or k == "position"
        params = {k: v.requires_grad_() for k, v in weights.items() if named(k)}
        y = forward(params, x)
    loss = F.cross_entropy(y.flatten(0, -2), label, label_smoothing=job["smoothing"])
    loss.backward()
    results = {k: v.grad for k, v in params.items()} | stats
    for k, v in enumerate(results.values()):
        v.detach().numpy().astype("<f8").tofile(f"{job['out']}.{k}")
    return {"loss": loss.item(), "names": list(results)}


if __name__ == "__main__":
    torch.set_num_threads(2)
    serve(run)
