"""An ONNX file of a trained network as a PyTorch module that Torch-Pruning can look into:
convolutions, normalisations and linear layers are modules of PyTorch, the rest functions."""
import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper
from torch import nn


class Unrolled(nn.Module):
    def __init__(self, path):
        super().__init__()
        g = onnx.load(path).graph
        self.const = {i.name: torch.from_numpy(np.array(numpy_helper.to_array(i))) for i in g.initializer}
        self.nodes, self.input, self.output = [], g.input[0].name, g.output[0].name
        self.layers, self.loose = nn.ModuleDict(), nn.ParameterDict()
        nodes, skip = list(g.node), set()
        for k, n in enumerate(nodes):
            if k in skip:
                continue
            a = {x.name: helper.get_attribute_value(x) for x in n.attribute}
            if n.op_type == "Constant":
                self.const[n.output[0]] = torch.from_numpy(np.array(numpy_helper.to_array(a["value"])))
                continue
            make = getattr(self, n.op_type.lower(), None)
            layer, out = make(n, a) if make else None, n.output[0]
            if n.op_type == "MatMul" and layer is not None:  # with the bias that is added behind
                readers = [i for i, m in enumerate(nodes) if out in m.input]
                if len(readers) == 1 and nodes[readers[0]].op_type == "Add":
                    add = nodes[readers[0]]
                    bias = self.const.get(next(i for i in add.input if i != out))
                    if bias is not None and bias.dim() == 1:
                        layer.bias = nn.Parameter(bias)
                        skip.add(readers[0])
                        out = add.output[0]
            name = f"{n.op_type.lower()}_{k}"
            if layer is not None:
                self.layers[name] = layer
            for i in n.input:
                c = self.const.get(i)
                if layer is None and c is not None and c.is_floating_point() and c.dim() > 1:
                    self.loose[i.replace(".", "_")] = nn.Parameter(c)
            self.nodes.append((n.op_type, name if layer is not None else "", list(n.input), out, a))

    def conv(self, n, a):
        w = self.const[n.input[1]]
        p = a.get("pads", [0] * 4)
        even = p[:2] == p[2:]
        g = a.get("group", 1)
        c = nn.Conv2d(w.shape[1] * g, w.shape[0], tuple(w.shape[2:]), tuple(a.get("strides", [1, 1])), tuple(p[:2]) if even else 0, groups=g, bias=len(n.input) > 2)
        c.weight = nn.Parameter(w)
        if len(n.input) > 2:
            c.bias = nn.Parameter(self.const[n.input[2]])
        return c if even else nn.Sequential(nn.ZeroPad2d((p[1], p[3], p[0], p[2])), c)

    def batchnormalization(self, n, a):
        w, b, mean, var = (self.const[i] for i in n.input[1:])
        m = nn.BatchNorm2d(len(w), a.get("epsilon", 1e-5))
        m.weight, m.bias = nn.Parameter(w), nn.Parameter(b)
        m.running_mean, m.running_var = mean.clone(), var.clone()
        return m

    def layernormalization(self, n, a):
        m = nn.LayerNorm(len(self.const[n.input[1]]), a.get("epsilon", 1e-5))
        m.weight, m.bias = nn.Parameter(self.const[n.input[1]]), nn.Parameter(self.const[n.input[2]])
        return m

    def gemm(self, n, a):
        w = self.const[n.input[1]]
        return self.linear(w if a.get("transB", 0) else w.t(), self.const[n.input[2]])

    def matmul(self, n, a):
        w = self.const.get(n.input[1])
        return None if w is None else self.linear(w.t(), None)

    def linear(self, w, bias):
        m = nn.Linear(w.shape[1], w.shape[0], bias is not None)
        m.weight = nn.Parameter(w.contiguous())
        if bias is not None:
            m.bias = nn.Parameter(bias)
        return m

    def value(self, name, have):
        if name in have:
            return have[name]
        loose = name.replace(".", "_")
        return self.loose[loose] if loose in self.loose else self.const[name]

    def forward(self, x):
        have = {self.input: x}
        for op, layer, inputs, out, a in self.nodes:
            if layer:
                have[out] = self.layers[layer](self.value(inputs[0], have))
                continue
            v = [self.value(i, have) if i else None for i in inputs]
            have[out] = getattr(self, "do_" + op.lower())(a, *v)
        return have[self.output]

    def do_relu(self, a, x):
        return F.relu(x)

    def do_add(self, a, x, y):
        return x + y

    def do_mul(self, a, x, y):
        return x * y

    def do_div(self, a, x, y):
        return x / y

    def do_matmul(self, a, x, y):
        return x @ y

    def do_erf(self, a, x):
        return torch.erf(x)

    def do_gelu(self, a, x):
        return F.gelu(x, approximate=a.get("approximate", b"none").decode())

    def do_clip(self, a, x, low, high):
        return torch.clamp(x, float(low), float(high))

    def do_softmax(self, a, x):
        return torch.softmax(x, a.get("axis", -1))

    def do_globalaveragepool(self, a, x):
        return F.adaptive_avg_pool2d(x, 1)

    def do_flatten(self, a, x):
        return torch.flatten(x, a.get("axis", 1))

    def do_reducemean(self, a, x, axes=None):
        return x.mean(a.get("axes") or axes.tolist(), keepdim=bool(a.get("keepdims", 1)))

    def do_transpose(self, a, x):
        return x.permute(*a["perm"])

    def do_reshape(self, a, x, shape):
        """The last size is free where no other is, for it may have become smaller."""
        s = [x.shape[k] if n == 0 else n for k, n in enumerate(shape.tolist())]
        if -1 not in s:
            s[1 if len(s) == 3 and s[2] != x.shape[-1] and x.dim() == 4 and x.shape[1] == s[1] else -1] = -1
        return x.reshape(s)

    def do_slice(self, a, x, starts, ends, axes=None, steps=None):
        axes = list(range(len(starts))) if axes is None else axes.tolist()
        steps = [1] * len(axes) if steps is None else steps.tolist()
        at = [slice(None)] * x.dim()
        for d, b, e, s in zip(axes, starts.tolist(), ends.tolist(), steps):
            at[d] = slice(b, min(e, x.shape[d]), s)
        return x[tuple(at)]

    def do_pad(self, a, x, pads, value=None, axes=None):
        n = len(pads) // 2
        flat = []
        for d in reversed(range(n)):
            flat += [int(pads[d]), int(pads[n + d])]
        return F.pad(x, flat)
