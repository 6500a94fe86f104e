"""The networks of the zoo as one writes them in PyTorch."""
import torch
import torch.nn.functional as F
from torch import nn


class Basic(nn.Module):
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
        if self.more or self.stride > 1:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))
        return F.relu(y + x)


def resnet(depth):
    layers = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    width = 16
    for s in range(3):
        for k in range((depth - 2) // 6):
            layers.append(Basic(width, 16 << s, 2 if s and not k else 1))
            width = 16 << s
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class Inverted(nn.Module):
    def __init__(self, cin, cout, t, stride):
        super().__init__()
        h = cin * t
        layers = []
        if t != 1:
            layers += [nn.Conv2d(cin, h, 1, bias=False), nn.BatchNorm2d(h), nn.ReLU6()]
        layers += [nn.Conv2d(h, h, 3, stride, 1, groups=h, bias=False), nn.BatchNorm2d(h), nn.ReLU6()]
        layers += [nn.Conv2d(h, cout, 1, bias=False), nn.BatchNorm2d(cout)]
        self.conv = nn.Sequential(*layers)
        self.add = stride == 1 and cin == cout

    def forward(self, x):
        return self.conv(x) + x if self.add else self.conv(x)


def mobilenetv2():
    """Strides for inputs of 32x32: the first two are 1."""
    layers = [nn.Conv2d(3, 32, 3, 1, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6()]
    width = 32
    for t, c, n, s in [(1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
        for k in range(n):
            layers.append(Inverted(width, c, t, s if k == 0 else 1))
            width = c
    layers += [nn.Conv2d(width, 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.ReLU6()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 10))


class Block(nn.Module):
    def __init__(self, d, heads, causal):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.fc1, self.fc2 = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
        self.heads, self.causal = heads, causal

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(self.ln1(x)).view(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        a = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.proj(a.transpose(1, 2).reshape(n, t, d))
        return x + self.fc2(F.gelu(self.fc1(self.ln2(x))))


class GPT(nn.Module):
    def __init__(self, vocabulary, length, d, layers, heads):
        super().__init__()
        self.token = nn.Embedding(vocabulary, d)
        self.position = nn.Parameter(0.02 * torch.randn(1, length, d))
        self.blocks = nn.Sequential(*[Block(d, heads, True) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, vocabulary, bias=False)

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.token(x) + self.position)))


class ViT(nn.Module):
    def __init__(self, patch, d, layers, heads):
        super().__init__()
        self.patch = nn.Conv2d(3, d, patch, patch)
        self.position = nn.Parameter(0.02 * torch.randn(1, (32 // patch) ** 2, d))
        self.blocks = nn.Sequential(*[Block(d, heads, False) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, 10)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2) + self.position
        return self.head(self.norm(self.blocks(x)).mean(1))


def make(name, batch):
    """A network, an input and the number of classes."""
    if name == "lenet-300-100":
        net = nn.Sequential(nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10))
        return net, torch.randn(batch, 784), 10
    if name == "gpt-tiny":
        return GPT(256, 64, 128, 4, 4), torch.randint(256, (batch, 64)), 256
    image = torch.randn(batch, 3, 32, 32)
    if name == "resnet20":
        return resnet(20), image, 10
    if name == "mobilenetv2":
        return mobilenetv2(), image, 10
    if name == "vit-tiny":
        return ViT(4, 96, 4, 3), image, 10
    raise ValueError(f"no network {name}")
