"""The table of operators, and what all of them need."""
import numpy as np

OPS = {}  # by ONNX's name


def op(*names):
    """Enters a function f(inputs, attributes) in the table, by its own name or these."""

    def add(f):
        for n in names or [f.__name__]:
            OPS[n] = f
        return f

    return add


def get(x, i):
    return x[i] if i < len(x) else None


def ints(t):
    return [int(v) for v in t.flatten().tolist()]


def f32(v):
    """An attribute of floating point is a float32."""
    return float(np.float32(v))
