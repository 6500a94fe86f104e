"""Exports networks of clips from PyTorch, and runs step networks of them in ONNX Runtime.

A job with "export" writes the network of that name to "file". One with "step" runs the step
network on frames, and the clip network on every window, and gives the largest difference.
"""
import json

import numpy as np

from jobs import serve


def networks():
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Causal(nn.Module):
        def __init__(self, i, o, d):
            super().__init__()
            self.pad = 2 * d
            self.conv = nn.Conv1d(i, o, 3, padding=2 * d, dilation=d)
            self.norm = nn.BatchNorm1d(o)
            self.skip = nn.Conv1d(i, o, 1)

        def forward(self, x):
            return F.relu(self.norm(self.conv(x)[:, :, : -self.pad]) + self.skip(x))

    class TCN(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.Sequential(Causal(4, 8, 1), Causal(8, 8, 2), Causal(8, 8, 4))
            self.head = nn.Linear(8, 5)

        def forward(self, x):
            return self.head(self.blocks(x)[:, :, -1])

    class Video(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv3d(3, 4, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)), nn.Conv3d(4, 4, (5, 1, 1), groups=4),
                nn.BatchNorm3d(4), nn.ReLU(), nn.MaxPool3d((2, 1, 1), stride=(2, 1, 1)), nn.Conv3d(4, 8, 3, padding=(0, 1, 1)),
                nn.Hardswish(), nn.AdaptiveAvgPool3d(1))
            self.head = nn.Linear(8, 5)

        def forward(self, x):
            return self.head(self.body(x).flatten(1))

    class Skeleton(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(3 * 7)
            self.edges = nn.Parameter(torch.rand(3, 7, 7) / 7)
            self.graph = nn.Conv2d(3, 8 * 3, 1)
            self.time = nn.Conv2d(8, 8, (9, 1))
            self.skip = nn.Conv2d(3, 8, 1)
            self.head = nn.Conv2d(8, 6, 1)

        def forward(self, x):
            n, c, t, v, m = x.size()
            x = self.norm(x.permute(0, 4, 3, 1, 2).contiguous().view(n * m, v * c, t))
            x = x.view(n, m, v, c, t).permute(0, 1, 3, 4, 2).contiguous().view(n * m, c, t, v)
            y = self.graph(x)
            y = y.view(y.size(0), 3, 8, t, v)
            y = torch.einsum("nkctv,kvw->nctw", (y, self.edges)).contiguous()
            x = F.relu(self.time(y) + self.skip(x)[:, :, 4:-4])
            x = F.avg_pool2d(x, (24, 7)).view(n, m, -1, 1, 1).mean(dim=1)
            return self.head(x).view(n, -1)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.LayerNorm(16), nn.LayerNorm(16)
            self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)
            self.mlp = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))

        def forward(self, x):
            b, t, d = x.shape
            q, k, v = self.qkv(self.first(x)).reshape(b, t, 3, 4, 4).permute(2, 0, 3, 1, 4).unbind(0)
            x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, d))
            return x + self.mlp(self.second(x))

    class Encoder(nn.Module):
        def __init__(self, layers):
            super().__init__()
            self.embed, self.head = nn.Linear(5, 16), nn.Linear(16, 4)
            self.layers = nn.ModuleList([Block() for _ in range(layers)])

        def forward(self, x):
            x = self.embed(x)
            for layer in self.layers:
                x = layer(x)
            return self.head(x[:, -1])

    class Torch(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.layer = nn.Linear(5, 16), nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)

        def forward(self, x):
            return self.layer(self.embed(x)).mean(1)

    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv1d(3, 8, 5), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 12, 4))
    return {"tcn": (TCN(), (1, 4, 40), 2), "video": (Video(), (1, 3, 16, 8, 8), 2), "skeleton": (Skeleton(), (1, 3, 32, 7, 2), 2),
            "encoder 1": (Encoder(1), (1, 24, 5), 1), "encoder 3": (Encoder(3), (1, 24, 5), 1), "torch": (Torch(), (1, 24, 5), 1),
            "plain": (plain, (1, 3, 32), 2)}


def export(job):
    import torch
    net, shape, axis = networks()[job["export"]]
    net.eval()
    torch.onnx.export(net, torch.randn(shape), job["file"], input_names=["x"], output_names=["y"], opset_version=17, dynamo=False,
                      dynamic_axes={"x": {0: "N"}, "y": {0: "N"}})
    return {"axis": axis}


def step(job):
    import onnx
    import onnxruntime as ort
    model = onnx.load(job["step"])
    onnx.checker.check_model(model, full_check=True)
    form = json.loads([p.value for p in model.metadata_props if p.key == "pare.continual"][0])
    session = ort.InferenceSession(job["step"], providers=["CPUExecutionProvider"])
    clip = ort.InferenceSession(job["file"], providers=["CPUExecutionProvider"])
    axis, frames, length = form["inputs"][0]["axis"], form["frames"], form["clip"]
    size = lambda d: d if isinstance(d, int) else int(d.split("*")[0]) if "*" in d else 1
    shape = [size(d) for d in clip.get_inputs()[0].shape]
    shape[axis] = 2 * length
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    ahead = list(shape)
    ahead[axis] = form["phase"]
    padded = np.concatenate([np.zeros(ahead, np.float32), x], axis)
    state = {i.name: np.zeros([size(d) for d in i.shape], np.float32) for i in session.get_inputs() if i.name != "x"}
    names = [o.name for o in session.get_outputs()]
    worst, count = 0.0, 0
    for c in range(padded.shape[axis] // frames):
        out = dict(zip(names, session.run(None, {"x": padded.take(range(c * frames, (c + 1) * frames), axis), **state})))
        state = {s["in"]: out[s["out"]] for s in form["states"]}
        if out[form["outputs"][0]["valid"]][0] < 0.5:
            continue
        want = clip.run(None, {"x": x.take(range(count * frames, count * frames + length), axis)})[0]
        worst, count = max(worst, float(np.abs(want - out["y"]).max())), count + 1
    return {"worst": worst, "count": count, "frames": frames}


def run(job):
    return export(job) if "export" in job else step(job)


if __name__ == "__main__":
    serve(run)
