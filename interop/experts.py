"""Mixtures of experts as modules of PyTorch, exported to ONNX.

    python experts.py JOBS.json

A job names a form of a mixture, the exporter, the experts that stay, and where to write the
model, an input, and what the module gives for it where the router's logits of the other
experts are negative infinity.
"""
import importlib.util
import json
import os
import sys
import warnings

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

warnings.filterwarnings("ignore")
EXPERTS, CHOSEN, WIDTH, INNER, TOKENS = 5, 2, 8, 12, 9


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.gate, self.down = nn.Linear(WIDTH, INNER), nn.Linear(WIDTH, INNER, bias=False), nn.Linear(INNER, WIDTH)

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Mixture(nn.Module):
    """What all have: a router, experts as branches or as stacks, and layers around."""

    def __init__(self, form):
        super().__init__()
        self.form = getattr(self, form)
        self.embed, self.router, self.head = nn.Linear(4, WIDTH), nn.Linear(WIDTH, EXPERTS, bias=False), nn.Linear(WIDTH, 3)
        self.missing = None
        if form in ("soft", "masks", "indexed", "stacked_branches"):
            self.experts = nn.ModuleList(MLP() for _ in range(EXPERTS))
        else:
            self.w1 = nn.Parameter(torch.randn(EXPERTS, WIDTH, INNER) * 0.3)
            self.b1 = nn.Parameter(torch.randn(EXPERTS, INNER) * 0.3)
            self.w2 = nn.Parameter(torch.randn(EXPERTS, INNER, WIDTH) * 0.3)

    def forward(self, x):
        h = self.embed(x)
        return self.head(h + self.form(h))

    def logits(self, h):
        z = self.router(h)
        return z if self.missing is None else z + self.missing

    def top(self, h):
        w, at = torch.topk(F.softmax(self.logits(h), dim=-1), CHOSEN, dim=-1)
        return w / w.sum(dim=-1, keepdim=True), at

    def soft(self, h):
        p = F.softmax(self.logits(h), dim=-1)
        y = 0
        for e, expert in enumerate(self.experts):
            y = y + p[:, e : e + 1] * expert(h)
        return y

    def stacked_branches(self, h):
        p = F.softmax(self.logits(h), dim=-1)
        return (torch.stack([expert(h) for expert in self.experts], dim=1) * p.unsqueeze(-1)).sum(dim=1)

    def masks(self, h):
        w, at = self.top(h)
        y = torch.zeros_like(h)
        for e, expert in enumerate(self.experts):
            y = y + expert(h) * (w * (at == e)).sum(dim=-1, keepdim=True)
        return y

    def indexed(self, h):  # as transformers writes it: each expert reads the tokens that it is given
        w, at = self.top(h)
        mask = F.one_hot(at, EXPERTS).permute(2, 1, 0)
        y = torch.zeros_like(h)
        for e, expert in enumerate(self.experts):
            slot, token = torch.where(mask[e])
            y = y.index_add(0, token, expert(h[token]) * w[token, slot].unsqueeze(-1))
        return y

    def dense(self, h):  # [experts tokens width]
        return torch.bmm(F.gelu(torch.bmm(h.expand(EXPERTS, *h.shape), self.w1) + self.b1.unsqueeze(1)), self.w2)

    def scattered(self, h):
        w, at = self.top(h)
        p = torch.zeros(h.shape[0], EXPERTS).scatter(1, at, w)
        return (self.dense(h) * p.t().unsqueeze(-1)).sum(dim=0)

    def einsum(self, h):
        w, at = self.top(h)
        p = (F.one_hot(at, EXPERTS).to(w.dtype) * w.unsqueeze(-1)).sum(dim=1)
        y = F.gelu(torch.einsum("th,ehf->tef", h, self.w1) + self.b1)
        return torch.einsum("te,teh->th", p, torch.einsum("tef,efh->teh", y, self.w2))

    def looked_up(self, h):
        w, at = self.top(h)
        y = F.relu(torch.einsum("th,tkhf->tkf", h, self.w1[at]) + self.b1[at])
        return (torch.einsum("tkf,tkfh->tkh", y, self.w2[at]) * w.unsqueeze(-1)).sum(dim=1)


def main():
    out = []
    for j in json.load(open(sys.argv[1])):
        torch.manual_seed(j["seed"])
        m = Mixture(j["form"]).eval()
        x = torch.randn(TOKENS, 4)
        answer = {"error": "", "without": False, "experts": EXPERTS, "chosen": CHOSEN}
        try:
            if j["exporter"] == "dynamo":
                torch.onnx.export(m, (x,), j["model"], dynamo=True, verbose=False, external_data=False, input_names=["x"], output_names=["y"])
            else:
                torch.onnx.export(m, (x,), j["model"], dynamo=False, opset_version=17, input_names=["x"], output_names=["y"])
        except (ImportError, torch.onnx.errors.OnnxExporterError) as e:
            answer["without"] = importlib.util.find_spec("onnxscript") is None
            answer["error"] = "" if answer["without"] else str(e)[:200]
        except Exception as e:
            answer["error"] = type(e).__name__ + ": " + str(e)[:200]
        m.missing = torch.tensor([0.0 if e in j["keep"] else -1e9 for e in range(EXPERTS)])
        with torch.no_grad():
            x.numpy().astype(np.float32).tofile(j["model"] + ".x")
            m(x).numpy().astype(np.float32).tofile(j["model"] + ".y")
        out.append(answer)
    json.dump(out, open(os.path.join(os.path.dirname(sys.argv[1]), "RESULT.json"), "w"))


main()
