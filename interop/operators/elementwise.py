"""Elementwise operators and products."""
from functools import reduce

import torch
import torch.nn.functional as F

from registry import OPS, f32, get, op

UNARY = {
    "Abs": torch.abs, "Neg": torch.neg, "Exp": torch.exp, "Log": torch.log, "Sqrt": torch.sqrt,
    "Reciprocal": torch.reciprocal, "Sin": torch.sin, "Cos": torch.cos, "Tan": torch.tan, "Asin": torch.asin,
    "Acos": torch.acos, "Atan": torch.atan, "Sinh": torch.sinh, "Cosh": torch.cosh, "Asinh": torch.asinh,
    "Acosh": torch.acosh, "Atanh": torch.atanh, "Erf": torch.erf, "Tanh": torch.tanh, "Sigmoid": torch.sigmoid,
    "Softplus": F.softplus, "Softsign": F.softsign, "Relu": F.relu, "HardSwish": F.hardswish, "Mish": F.mish,
    "Identity": torch.clone,
}  # fmt: skip
for name, f in UNARY.items():
    OPS[name] = lambda x, a, f=f: f(x[0])

BINARY = {"Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div, "Pow": torch.pow, "MatMul": torch.matmul}
for name, f in BINARY.items():
    OPS[name] = lambda x, a, f=f: f(x[0], x[1])


@op()
def LeakyRelu(x, a):
    return F.leaky_relu(x[0], f32(a.get("alpha", 0.01)))


@op()
def Elu(x, a):
    return F.elu(x[0], f32(a.get("alpha", 1)))


@op()
def Celu(x, a):
    return F.celu(x[0], f32(a.get("alpha", 1)))


@op()
def Selu(x, a):
    gamma, alpha = a.get("gamma", 1.0507009873554805), a.get("alpha", 1.6732632423543772)
    return f32(gamma) * F.elu(x[0], f32(alpha))


@op()
def ThresholdedRelu(x, a):
    return F.threshold(x[0], f32(a.get("alpha", 1)), 0)


@op()
def HardSigmoid(x, a):
    return torch.clamp(f32(a.get("alpha", 0.2)) * x[0] + f32(a.get("beta", 0.5)), 0, 1)


@op()
def Gelu(x, a):
    return F.gelu(x[0], approximate=a.get("approximate", "none"))


@op()
def Swish(x, a):
    k = f32(a.get("alpha", 1))
    return F.silu(k * x[0]) / k


@op()
def Shrink(x, a):
    l, bias = f32(a.get("lambd", 0.5)), f32(a.get("bias", 0))
    if bias == l:
        return F.softshrink(x[0], l)
    return F.hardshrink(x[0], l) - bias * torch.sign(F.hardshrink(x[0], l))


@op()
def PRelu(x, a):
    return torch.where(x[0] > 0, x[0], x[1] * x[0])


@op()
def Clip(x, a):
    lo, hi = get(x, 1), get(x, 2)
    return torch.clamp(x[0], a.get("min", lo), a.get("max", hi))


@op()
def Mod(x, a):
    return (torch.fmod if a.get("fmod") else torch.remainder)(x[0], x[1])


@op()
def Sum(x, a):
    return sum(x[1:], x[0])


@op()
def Mean(x, a):
    return Sum(x, a) / len(x)


@op()
def Max(x, a):
    return reduce(torch.maximum, x)


@op()
def Min(x, a):
    return reduce(torch.minimum, x)


@op()
def Where(x, a):
    return torch.where(x[0], x[1], x[2])


@op()
def Gemm(x, a):
    A = x[0].t() if a.get("transA") else x[0]
    B = x[1].t() if a.get("transB") else x[1]
    y = f32(a.get("alpha", 1)) * (A @ B)
    return y if get(x, 2) is None else y + f32(a.get("beta", 1)) * x[2]


@op()
def Einsum(x, a):
    return torch.einsum(a["equation"], *x)


@op()
def Det(x, a):
    if (torch.linalg.matrix_rank(x[0].detach()) < x[0].shape[-1]).any():
        raise NotImplementedError("PyTorch's gradient of a singular matrix is not the cofactors")
    return torch.det(x[0])
