"""Parts of language models."""
import torch

from registry import f32, get, op


@op()
def SwiGLU(x, a):
    return x[0] * torch.sigmoid(f32(a.get("alpha", 1)) * x[0]) * x[1]


@op()
def RotaryEmbedding(x, a):
    v, n = x[0], a.get("num_heads", 0)
    if v.dim() == 3:
        v = v.view(*v.shape[:2], n, -1).transpose(1, 2)
    cos, sin = (c if get(x, 3) is None else c[x[3]] for c in x[1:3])
    k = a.get("rotary_embedding_dim") or v.shape[-1]
    turned, rest = v[..., :k], v[..., k:]
    if not a.get("interleaved"):
        turned = turned.unflatten(-1, (2, k // 2)).transpose(-1, -2).flatten(-2)
    z = torch.view_as_complex(turned.unflatten(-1, (k // 2, 2)).contiguous()) * torch.complex(cos, sin).unsqueeze(1)
    y = torch.view_as_real(z)
    y = y.flatten(-2) if a.get("interleaved") else y.transpose(-1, -2).flatten(-2)
    y = torch.cat([y, rest], -1)
    return y.transpose(1, 2).reshape(x[0].shape) if x[0].dim() == 3 else y
