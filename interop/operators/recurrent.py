"""RNN, GRU and LSTM: by PyTorch's modules, or written out where these lack an option."""
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from registry import f32, get, ints, op

# the gates of PyTorch's order in ONNX's
ORDER = {"RNN": [0], "GRU": [1, 0, 2], "LSTM": [0, 2, 3, 1]}


def reordered(w, gates):
    """Rows of gates in another order."""
    parts = w.chunk(len(gates), 0)
    return torch.cat([parts[g] for g in gates])


def recurrent(kind):
    def run(x, a):
        acts = [v.lower() for v in a.get("activations") or []]
        if a.get("clip") or a.get("input_forget") or get(x, 7) is not None or acts not in ([], ["relu"]):
            raise NotImplementedError("an option that PyTorch does not have")
        if kind == "GRU" and not a.get("linear_before_reset"):
            raise NotImplementedError("the reset gate before the product")
        X, W, R, gates, h = x[0], x[1], x[2], ORDER[kind], a["hidden_size"]
        dirs, first = W.shape[0], bool(a.get("layout"))
        back = a.get("direction", "forward") == "reverse"
        net = getattr(nn, kind)(X.shape[-1], h, bidirectional=dirs == 2, **({"nonlinearity": acts[0]} if acts else {})).double()
        params = {}
        zero = torch.zeros(2 * len(gates) * h, dtype=X.dtype)
        for d in range(dirs):
            suffix = "_l0" + "_reverse" * d
            b = zero if get(x, 3) is None else x[3][d]
            params["weight_ih" + suffix], params["weight_hh" + suffix] = reordered(W[d], gates), reordered(R[d], gates)
            bx, bh = b.chunk(2)
            params["bias_ih" + suffix], params["bias_hh" + suffix] = reordered(bx, gates), reordered(bh, gates)
        state = [get(x, i) for i in (5, 6)]
        if first:
            X, state = X.transpose(0, 1), [s if s is None else s.transpose(0, 1) for s in state]
        lens, T = get(x, 4), X.shape[0]
        if lens is not None and back:
            raise NotImplementedError("lengths backwards")
        if back:
            X = X.flip(0)
        state = [torch.zeros(dirs, X.shape[1], h, dtype=X.dtype) if s is None else s.contiguous() for s in state]
        if lens is not None:
            X = pack_padded_sequence(X, ints(lens), enforce_sorted=False)
        y, last = torch.func.functional_call(net, params, (X, tuple(state) if kind == "LSTM" else state[0]))
        if lens is not None:
            y = pad_packed_sequence(y, total_length=T)[0]
        if back:
            y = y.flip(0)
        y = y.view(*y.shape[:2], dirs, h).transpose(1, 2)
        out = [y, *last] if kind == "LSTM" else [y, last]
        if first:
            out = [y.permute(2, 0, 1, 3)] + [v.transpose(0, 1) for v in out[1:]]
        return out

    return run


ACTS = {"Sigmoid": torch.sigmoid, "Tanh": torch.tanh, "Softsign": F.softsign,
        "ScaledTanh": lambda v, p, q: p * torch.tanh(q * v), "Affine": lambda v, p, q: p * v + q}  # fmt: skip
CELLS = {"RNN": (1, ["Tanh"]), "GRU": (3, ["Sigmoid", "Tanh"]), "LSTM": (4, ["Sigmoid", "Tanh", "Tanh"])}


def written(name):
    gates, default = CELLS[name]

    def run(x, a):
        first = bool(a.get("layout"))
        X = x[0].transpose(0, 1) if first else x[0]
        W, R, H = x[1], x[2], x[2].shape[2]
        dirs = W.shape[0]
        acts, al, be = list(a.get("activations") or default * dirs), list(a.get("activation_alpha") or []), list(a.get("activation_beta") or [])

        def act():
            f = acts.pop(0)
            if f in ("ScaledTanh", "Affine"):
                p, q = f32(al.pop(0)), f32(be.pop(0))
                f = (lambda g: lambda v: g(v, p, q))(ACTS[f])
            else:
                f = ACTS[f]
            return f

        def state(i, d):
            if get(x, i) is None:
                return torch.zeros(X.shape[1], H, dtype=X.dtype)
            return x[i][:, d] if first else x[i][d]

        ys, hs, cs = [], [], []
        for d in range(dirs):
            fs = [act() for _ in default]
            limit = f32(a["clip"]) if a.get("clip") else None

            def gate(k, v, fs=fs, limit=limit):
                return fs[k](v if limit is None else v.clamp(-limit, limit))

            wb, rb = x[3][d].split(gates * H) if get(x, 3) is not None else (0, 0)
            P = x[7][d].split(H) if get(x, 7) is not None else (0, 0, 0)
            h, c, out = state(5, d), state(6, d), []
            lens = get(x, 4)
            back = d == 1 or a.get("direction") == "reverse"
            for t in reversed(range(X.shape[0])) if back else range(X.shape[0]):
                h0, c0 = h, c
                w, r = (X[t] @ W[d].t() + wb).split(H, 1), (h @ R[d].t() + rb).split(H, 1)
                if name == "RNN":
                    h = gate(0, w[0] + r[0])
                elif name == "GRU":
                    z, k = gate(0, w[0] + r[0]), gate(0, w[1] + r[1])
                    if a.get("linear_before_reset"):
                        inner = k * r[2]
                    else:
                        inner = (k * h) @ R[d][2 * H:].t() + (rb[2 * H:] if torch.is_tensor(rb) else 0)
                    h = (1 - z) * gate(1, w[2] + inner) + z * h
                else:
                    i = gate(0, w[0] + r[0] + P[0] * c)
                    f = 1 - i if a.get("input_forget") else gate(0, w[2] + r[2] + P[2] * c)
                    c = f * c + i * gate(1, w[3] + r[3])
                    h = gate(0, w[1] + r[1] + P[1] * c) * fs[2](c)
                y = h
                if lens is not None:
                    going = (t < lens)[:, None]
                    y, h, c = torch.where(going, h, 0), torch.where(going, h, h0), torch.where(going, c, c0)
                out.append(y)
            ys.append(torch.stack(out[::-1] if back else out))
            hs.append(h), cs.append(c)
        y = torch.stack(ys, 1)
        if first:
            y = y.permute(2, 0, 1, 3)
        return y, torch.stack(hs, int(first)), torch.stack(cs, int(first))

    return run


def either(name):
    module, out = recurrent(name), written(name)

    def run(x, a):
        try:
            return module(x, a)
        except NotImplementedError:
            return out(x, a)

    return run


for name in ORDER:
    op(name)(either(name))
