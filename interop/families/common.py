"""What the families share: inputs, variants of export, and narrowing."""
from dataclasses import dataclass, field

import torch
from torch import nn


@dataclass
class Input:
    name: str
    shape: tuple
    high: int = 0  # integers below it; 0: normal deviates
    low: int = 0
    dynamic: dict = field(default_factory=lambda: {0: "batch"})


@dataclass
class Net:
    model: nn.Module
    inputs: list


@dataclass(frozen=True)
class Variant:
    exporter: str  # "script" or "dynamo"
    opset: int
    dynamic: bool = True
    fused: bool = True

    def __str__(self):
        return f"{self.exporter}{self.opset}{'' if self.dynamic else '-static'}{'' if self.fused else '-unfused'}"


SCRIPT = Variant("script", 17)
OLD = Variant("script", 11, dynamic=False)
UNFUSED = Variant("script", 13, fused=False)
DYNAMO = Variant("dynamo", 18)
NEW = Variant("dynamo", 20, dynamic=False, fused=False)

ALL = (SCRIPT, OLD, UNFUSED, DYNAMO, NEW)
BOTH = (SCRIPT, DYNAMO)
PLAIN = (UNFUSED, DYNAMO)
FIXED = (OLD, DYNAMO)
ATTENTION = (SCRIPT, Variant("script", 14, dynamic=False, fused=False), DYNAMO, NEW)  # torch has no older form of it


def image(model, size, batch=2, channels=3):
    return Net(model, [Input("image", (batch, channels, size, size))])


def narrow(model, k, fixed=(3,)):
    """Divides the widths of a model's layers by k, but for those in fixed (the
    image's channels and the classes)."""
    less = lambda n: n if n in fixed else max(1, n // k)
    for m in model.modules():
        if isinstance(m, nn.Conv2d):
            i, o = m.in_channels, m.out_channels
            m.groups = m.groups if m.groups == 1 else less(m.groups)
            m.in_channels, m.out_channels = less(i), less(o)
            m.weight = nn.Parameter(torch.empty(m.out_channels, m.in_channels // m.groups, *m.kernel_size))
            nn.init.kaiming_normal_(m.weight)
            if m.bias is not None:
                m.bias = nn.Parameter(torch.zeros(m.out_channels))
        elif isinstance(m, nn.BatchNorm2d):
            m.num_features = less(m.num_features)
            m.weight, m.bias = (nn.Parameter(f(m.num_features)) for f in (torch.ones, torch.zeros))
            m.running_mean, m.running_var = torch.zeros(m.num_features), torch.ones(m.num_features)
        elif isinstance(m, nn.Linear):
            m.in_features, m.out_features = less(m.in_features), less(m.out_features)
            m.weight = nn.Parameter(torch.empty(m.out_features, m.in_features))
            nn.init.kaiming_normal_(m.weight)
            if m.bias is not None:
                m.bias = nn.Parameter(torch.zeros(m.out_features))
    return model


class Pick(nn.Module):
    """A model of which only some outputs are taken."""

    def __init__(self, model, pick):
        super().__init__()
        self.model, self.pick = model, pick

    def forward(self, x):
        return self.pick(self.model(x))
