"""Cuts the channels of networks, without training, by Pare, onnxsim and Torch-Pruning.

Usage: rivals.py PARE FOLDER [NAME...]
       rivals.py PARE FOLDER --cifar10 DIR NET.onnx:NORM...
       rivals.py --page PAGE.md [--note TEXT] RIVALS.json...

The networks are those of interop/families, with random weights, or files that were trained
on CIFAR-10, whose folder of binary files DIR is, and NORM how its images become an input,
imagenet or raw. FOLDER gets the files and rivals.json: of every network, tool and share of
the multiply-accumulates that may stay {network, tool, share, macs, error, accuracy,
seconds, time, spread, same, why}.

Each tool gets the network as it takes it: Pare the file; onnxsim the file, simplified
first, with fixed shapes where that lets it cut more; Torch-Pruning the PyTorch module. Of
those two the one number that says how much goes is bisected until the share is met, once
with all groups ranked together and once with the same share of each, and the nearer
result counts; both rank by the Euclidean norm, as Pare does here. A tool that does not
reach the share shows the least that it reaches.

error: |y - y'| / |y|, over all outputs, on random inputs; of a trained network accuracy
stands in its place. seconds: to cut once, with the settings that were found. time: of the
cut file in ONNX Runtime, one thread, over that of the file before, median and quartiles
of interleaved rounds. same: whether the file before with the missing channels' readers
zeroed computes what the cut file does; the channels are found by their values.
"""
import copy
import json
import os
import resource
import subprocess
import sys
import time
import traceback

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))

# One of each kind of network.
NAMES = """resnet18 resnet50 wide_resnet resnext50 regnet_x densenet vgg16_bn alexnet squeezenet1_1 googlenet inception_v3
mobilenet_v2 mobilenet_v3_small shufflenet_v2 efficientnet convnext vit swin deeplabv3_resnet50 unet yolo bert gpt2 llama
t5_encoder mixer""".split()
SHARES = [0.75, 0.5]
MOST = 10 << 30  # bytes that a tool may take


def session(model):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    source = model if isinstance(model, str) else model.SerializeToString()
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def outputs(model, feed):
    s = session(model)
    return s.run(None, {i.name: feed[i.name] for i in s.get_inputs()})


def distance(want, got):
    """|want - got| / |want| over all outputs of numbers."""
    if len(want) != len(got) or any(a.shape != b.shape for a, b in zip(want, got)):
        return None
    pairs = [(a.astype("f8"), b.astype("f8")) for a, b in zip(want, got) if a.dtype.kind == "f"]
    return float(np.sqrt(sum(((a - b) ** 2).sum() for a, b in pairs) / sum((a**2).sum() for a, _ in pairs)))


def ratios(before, after, feed, rounds=9):
    """Times of after over those of before, in turn."""
    s = [session(before), session(after)]
    feeds = [{i.name: feed[i.name] for i in x.get_inputs()} for x in s]

    def clock(k, times):
        start = time.perf_counter()
        for _ in range(times):
            s[k].run(None, feeds[k])
        return (time.perf_counter() - start) / times

    clock(0, 2), clock(1, 2)
    times = max(1, int(0.02 / clock(0, 1)))
    out = []
    for r in range(rounds):
        first = clock(r % 2, times)
        second = clock(1 - r % 2, times)
        out.append(first / second if r % 2 else second / first)
    return np.percentile(out, [25, 50, 75]).tolist()


def macs(pare, path):
    """Multiply-accumulates for one sample, by Pare's count, whoever made the file."""
    r = subprocess.run([pare, "model", "inspect", path, "--json"], capture_output=True, text=True)
    if r.returncode:
        raise RuntimeError(r.stderr.strip().splitlines()[0])
    return json.loads(r.stdout)["size"]["macs"]


# Where the channels that are left stood in the network before.


def kept(before, after):
    """For each axis of a weight that became shorter, the positions that are left; None
    where the numbers are not those of the weight before."""
    if before.ndim != after.ndim or any(a > b for a, b in zip(after.shape, before.shape)):
        return None
    flat = before.ravel()
    order = np.argsort(flat, kind="stable")
    at = np.searchsorted(flat[order], after.ravel())
    at = order[np.minimum(at, flat.size - 1)]
    if not np.array_equal(flat[at], after.ravel()):
        return None
    where = np.unravel_index(at, before.shape)
    out = {}
    for axis in range(before.ndim):
        if before.shape[axis] == after.shape[axis]:
            continue
        rows = np.moveaxis(where[axis].reshape(after.shape), axis, 0).reshape(after.shape[axis], -1)
        middle = np.median(rows, axis=1).astype(int)  # a number may stand twice
        if (rows == middle[:, None]).mean() < 0.9 or np.any(np.diff(middle) <= 0):
            return None
        out[axis] = middle
    return out


def masked(before, after):
    """The network before with what reads the missing channels at zero."""
    m = copy.deepcopy(before)
    new = {i.name: i for i in after.graph.initializer}
    found = 0
    scales = {n.input[1] for n in before.graph.node if n.op_type in ("LayerNormalization", "GroupNormalization", "RMSNormalization")}
    for i in before.graph.initializer:  # what is normalised over fewer numbers is another network than the masked one
        if i.name in scales and i.name in new and list(i.dims) != list(new[i.name].dims):
            return None, "what is normalised together became fewer"
    for node in m.graph.node:
        if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul") or len(node.input) < 2:
            continue
        for k in (0, 1):
            old = next((i for i in m.graph.initializer if i.name == node.input[k]), None)
            if old is None or old.name not in new or len(old.dims) < 2 or list(old.dims) == list(new[old.name].dims):
                continue
            w, v = numpy_helper.to_array(old), numpy_helper.to_array(new[old.name])
            axes = kept(w, v)
            if axes is None:
                return None, f"{old.name} has other numbers"
            group = next((a.i for a in node.attribute if a.name == "group"), 1)
            turned = next((a.i for a in node.attribute if a.name == "transB"), 0)
            reads = {"Conv": 1, "ConvTranspose": 0, "Gemm": 1 if turned else 0, "MatMul": w.ndim - 2 if k else w.ndim - 1}[node.op_type]
            if node.op_type == "Conv" and group > 1:
                if w.shape[1] > 1:
                    return None, f"{old.name} is of groups"
                continue
            found += 1
            w = w.copy()
            for axis, stay in axes.items():  # what is made too, which products of attention read
                if axis == reads or node.op_type in ("Gemm", "MatMul"):
                    zero = np.ones(w.shape[axis], bool)
                    zero[stay] = False
                    w[(slice(None),) * axis + (zero,)] = 0
            old.CopyFrom(numpy_helper.from_array(w, old.name))
    for node in m.graph.node:
        for name in node.input if node.op_type == "Add" else []:  # biases of linear layers
            old = next((i for i in m.graph.initializer if i.name == name and len(i.dims) == 1), None)
            if old is None or name not in new or list(old.dims) == list(new[name].dims):
                continue
            w = numpy_helper.to_array(old).copy()
            axes = kept(w, numpy_helper.to_array(new[name]))
            if axes is None:
                return None, f"{name} has other numbers"
            zero = np.ones(len(w), bool)
            zero[axes[0]] = False
            w[zero] = 0
            old.CopyFrom(numpy_helper.from_array(w, name))
    return (m, "") if found else (None, "no weight is found again")


def proof(before, after, feed):
    """Whether the cut file computes what the masked one does, else why that is not known."""
    m, why = masked(before, after)
    if m is None:
        return None, why
    d = distance(outputs(m, feed), outputs(after, feed))
    return d is not None and d < 1e-3, "" if d is not None and d < 1e-3 else f"they differ by {d:.2g}"


# The tools. Each gives the file that it starts from, and what cuts it.


class Pare:
    name = "Pare"

    how = ["--method", "channels", "--score", "norm"]

    def __init__(self, pare, path, net, folder):
        self.pare, self.base = pare, path

    def cut(self, share, out):
        start = time.time()
        r = subprocess.run([self.pare, "model", "prune", self.base, "-o", out, *self.how, "--macs", str(share), "--least", "0",
                            "--epochs", "0", "--no-bench", "--force"], capture_output=True, text=True)
        if r.returncode:
            raise RuntimeError(r.stderr)
        return time.time() - start


def bisect(cut, macs_of, whole, share, steps=9):
    """The least strength in (0, 1) at which cut meets the share, and what it gave: else
    the strongest cut that works."""
    lo, hi, best, last = 0.0, 1.0, None, None
    for _ in range(steps):
        mid = (lo + hi) / 2
        try:
            m = cut(mid)
            left = macs_of(m) / whole
        except Exception as e:
            last, hi = e, mid
            continue
        if best is None or (left <= share) >= (best[1] <= share):
            best = (mid, left, m) if best is None or left <= share or left < best[1] else best
        if left <= share:
            hi = mid
        else:
            lo = mid
    if best is None:
        raise last or RuntimeError("nothing is cut")
    return best


class PareNoise(Pare):
    """Layers reconstructed on noise, without data."""

    name = "Pare, OBSPA"
    how = ["--method", "obspa"]


class PareSolved(Pare):
    name = "Pare, solved"

    def __init__(self, pare, path, net, folder):
        super().__init__(pare, path, net, folder)
        self.how = ["--method", "channels", "--data", net.data, "--recover", "solve"]


class Onnxsim:
    name = "onnxsim"

    def __init__(self, pare, path, net, folder):
        import onnxsim

        self.sim, self.pare, self.folder = onnxsim, pare, folder
        raw = onnx.load(path)
        self.models = [onnxsim.simplify(raw)[0]]
        shapes = {i.name: list(x.shape) for i, x in zip(net.inputs, net.sample)} if net is not None else None
        if shapes:
            try:
                self.models.append(onnxsim.simplify(raw, overwrite_input_shapes=shapes)[0])
            except Exception:
                pass

    def write(self, m):
        path = os.path.join(self.folder, "onnxsim.onnx")
        onnx.save(m, path)
        return path

    def strength(self, model, s, everywhere):
        m = self.sim.apply_structured_pruning_cpp(model, s, "l2", everywhere)
        return self.sim.apply_attention_head_pruning_cpp(m, s, "l2")

    def cut(self, share, out):
        best = None
        for model in self.models:
            whole = macs(self.pare, self.write(model))
            for everywhere in (True, False):
                try:
                    b = bisect(lambda s: self.strength(model, s, everywhere), lambda m: macs(self.pare, self.write(m)), whole, share)
                except Exception as e:
                    error = e
                    continue
                if best is None or better(b[1], best[0][1], share):
                    best = b, model, everywhere
        if best is None:
            raise error
        (s, _, m), model, everywhere = best
        start = time.time()
        m = self.strength(model, s, everywhere)
        took = time.time() - start
        m, more = self.finish(model, m)
        onnx.save(m, out)
        self.base = out.replace(".onnx", "-before.onnx")
        onnx.save(model, self.base)
        return took + more

    def finish(self, before, after):
        return after, 0


class OnnxsimSolved(Onnxsim):
    name = "onnxsim, solved"

    def __init__(self, pare, path, net, folder):
        super().__init__(pare, path, net, folder)
        self.calibration = [{net.inputs[0].name: net.images[i : i + 64]} for i in range(0, 512, 64)]

    def finish(self, before, after):
        start = time.time()
        return self.sim.apply_pruning_finetune(before, after, self.calibration), time.time() - start


def better(a, b, share):
    """Whether a share is nearer to what is asked: below it, and then the larger."""
    if (a <= share) != (b <= share):
        return a <= share
    return a > b if a <= share else a < b


class TorchPruning:
    name = "Torch-Pruning"

    def __init__(self, pare, path, net, folder):
        import torch
        import torch_pruning

        if net is None:
            raise RuntimeError("there is no PyTorch module")
        self.torch, self.tp, self.net, self.pare, self.folder = torch, torch_pruning, net, pare, folder
        self.base = os.path.join(folder, "torch-before.onnx")
        self.export(net.model, self.base)
        with torch.no_grad():
            self.shapes = self.shape(net.model(*net.sample))

    def shape(self, y):
        if isinstance(y, dict):
            y = list(y.values())
        return [self.shape(v) for v in y] if isinstance(y, (list, tuple)) else list(getattr(y, "shape", []))

    def heads(self, model):
        """Layers whose outputs are the network's: those as wide as one of its outputs."""
        wide = {n for s in self.flat(self.shapes) for n in s}
        nn = self.torch.nn
        last = [m for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv2d, nn.Conv1d))]
        return [m for m in last[-8:] if getattr(m, "out_features", getattr(m, "out_channels", 0)) in wide]

    def flat(self, s):
        return [x for v in s for x in self.flat(v)] if s and isinstance(s[0], list) else [s]

    def strength(self, s, everywhere):
        model = copy.deepcopy(self.net.model)
        for p in model.parameters():
            p.requires_grad_(True)
        heads = {m: m.num_heads for m in model.modules() if isinstance(m, self.torch.nn.MultiheadAttention)}
        pruner = self.tp.pruner.BasePruner(
            model, self.net.sample, self.tp.importance.GroupMagnitudeImportance(p=2), pruning_ratio=s, max_pruning_ratio=0.95,
            global_pruning=everywhere, ignored_layers=self.heads(model), num_heads=heads)
        pruner.step()
        with self.torch.no_grad():
            got = self.shape(model(*self.net.sample))
        if got != self.shapes:
            raise RuntimeError(f"its outputs became {got}")
        return model

    def export(self, model, out):
        import architectures
        from families.common import SCRIPT, Net

        architectures.export(Net(model, self.net.inputs), SCRIPT, out)

    def count(self, model):
        path = os.path.join(self.folder, "torch.onnx")
        self.export(model, path)
        return macs(self.pare, path)

    def cut(self, share, out):
        whole, best, error = macs(self.pare, self.base), None, None
        for everywhere in (True, False):
            try:
                b = bisect(lambda s: self.strength(s, everywhere), self.count, whole, share, 7)
            except Exception as e:
                error = e
                continue
            if best is None or better(b[1], best[0][1], share):
                best = b, everywhere
        if best is None:
            raise error
        start = time.time()
        model = self.strength(best[0][0], best[1])
        took = time.time() - start
        self.export(model, out)
        return took


def build(name):
    import architectures
    import torch
    from families.common import SCRIPT

    for family in architectures.FAMILIES:
        if name in family.NETS:
            torch.manual_seed(3)
            np.random.seed(3)
            net = family.NETS[name][1]()
            net.model.eval()
            architectures.enliven(net, 5)
            net.sample = architectures.sample(net, 7)
            return net, SCRIPT
    raise KeyError(name)


def trained(path, folder, norm):
    """A trained network: as a module, with images, and what judges a file."""
    import torch
    from families.common import Input, Net
    from unroll import Unrolled

    images = np.frombuffer(open(os.path.join(folder, "data_batch_1.bin"), "rb").read(512 * 3073), np.uint8).reshape(512, 3073)[:, 1:]
    x = images.reshape(512, 3, 32, 32).astype(np.float32)
    if norm == "imagenet":
        x = (x / 255 - np.array([0.485, 0.456, 0.406], np.float32)[:, None, None]) / np.array([0.229, 0.224, 0.225], np.float32)[:, None, None]
    module = Unrolled(path).eval()
    net = Net(module, [Input(module.input, (2, 3, 32, 32))])
    net.sample, net.images, net.data = (torch.from_numpy(x[:2]),), x, f"cifar10:{folder}?norm={norm}"
    return net


def judge(pare, data):
    def accuracy(path):
        r = subprocess.run([pare, "model", "eval", path, "--data", data, "--json"], capture_output=True, text=True)
        if r.returncode:
            raise RuntimeError(r.stderr)
        return json.loads(r.stdout)["metrics"]["scores"][0]["value"]

    return accuracy


def apart(work, none):
    """What work gives, in a process of its own that may take so much memory and no more."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_AS, (MOST, MOST))
        with os.fdopen(w, "w") as f:
            f.write(json.dumps(work()))
        os._exit(0)
    os.close(w)
    with os.fdopen(r) as f:
        said = f.read()
    os.waitpid(pid, 0)
    return json.loads(said) if said else none


def line(text):
    return (str(text).strip().splitlines() or [""])[0][:160]


def rows(pare, name, path, net, feed, folder, tools, accuracy=None):
    for tool in tools:
        for share in SHARES:
            row = {"network": name, "tool": tool.name, "share": share}
            out = os.path.join(folder, f"{name}-{tool.name}-{int(100 * share)}.onnx")
            try:
                t = tool(pare, path, net, folder)
                row["seconds"] = t.cut(share, out)
                want = outputs(t.base, feed)
                row["macs"] = macs(pare, out) / macs(pare, t.base)
                if row["macs"] >= 0.999:
                    raise RuntimeError("nothing is cut")
                row["error"] = distance(want, outputs(out, feed))
                row["same"], row["why"] = proof(onnx.load(t.base), onnx.load(out), feed)
                low, row["time"], high = ratios(t.base, out, feed)
                row["spread"] = [low, high]
                if accuracy:
                    row["accuracy"] = accuracy(out)
            except Exception as e:
                row["why"] = line(e) or type(e).__name__
                if os.environ.get("TRACE"):
                    traceback.print_exc()
            print(json.dumps(row), flush=True)
            yield row


HEAD = """# Beside onnxsim and Torch-Pruning

Channels cut, and nothing trained, by Pare, onnxsim 0.8.1 and Torch-Pruning 1.6.1. Made by

```
bench/rivals.sh CIFAR10 MODELS
```

Each gets the network as it takes it: Pare the file; onnxsim the file, simplified first, with fixed shapes where it cuts
more so; Torch-Pruning the PyTorch module that was exported (of trained files, a module that is built from the file). All
rank channels by the Euclidean norm of their weights. Of onnxsim and Torch-Pruning the number that says how much goes is
bisected, ranking all channels together and in equal shares, until as much of the multiply-accumulates (Pare's count)
is gone as is asked for; the nearer of the two results stands here. *ORT*: time of one run in ONNX Runtime on one thread,
over that of the file before, median of nine interleaved rounds with its quartiles. *s*: to cut, once the number is found. *proof*: the
file before, with what reads the missing channels at zero, computes what the cut file does (yes), or something else (no);
empty where that cannot be asked: the channels are not found again by their numbers, as where weights were moved, or layer
normalisation is over fewer of them.
"""


def number(x, form):
    return "" if x is None else format(x, form)


def cell(r):
    if "macs" not in r or "time" not in r:
        return ["–"] * 2
    low, high = r["spread"]
    return [number(r["macs"], ".2f"), f"{r['time']:.2f} ({low:.2f}–{high:.2f})"]


def proved(r):
    return {True: "yes", False: "no", None: ""}[r.get("same")]


def reached(r):
    return r.get("macs", 1) <= r["share"] * 1.0005 and r.get("error") is not None


def page(path, note, files):
    all_ = [r for f in files for r in json.load(open(f))]
    out = [HEAD + (f"\n{note}\n" if note else "")]
    judged = [r for r in all_ if "accuracy" in r or any(s["network"] == r["network"] and s["tool"] == "as it is" for s in all_)]
    nets = list(dict.fromkeys(r["network"] for r in judged))
    if nets:
        out.append("""## Trained networks

Accuracy on the 10,000 test images of CIFAR-10. *Pare, OBSPA* reconstructs layers on noise that matches what batch
normalisation remembers, without data (`--method obspa`); *solved* is by 512 unlabelled images for onnxsim
(`apply_pruning_finetune`) and by the training images for Pare (`--method channels --recover solve`).

| network | tool | MACs | accuracy | ORT | s | proof | MACs | accuracy | ORT | s | proof |
|---|---|---|---|---|---|---|---|---|---|---|---|""")
        for n in nets:
            rows_ = [r for r in judged if r["network"] == n]
            out.append(f"| {n} | as it is | 1 | {100 * rows_[0]['accuracy']:.2f} % | 1 | | | | | | | |")
            for tool in dict.fromkeys(r["tool"] for r in rows_[1:]):
                line_ = [n, tool]
                for share in SHARES:
                    r = next(r for r in rows_ if r["tool"] == tool and r.get("share") == share)
                    m, t = cell(r)
                    line_ += [m, f"{100 * r['accuracy']:.2f} %" if "accuracy" in r else r["why"], t, number(r.get("seconds"), ".2g"), proved(r)]
                out.append("| " + " | ".join(line_) + " |")
    rest = [r for r in all_ if r not in judged]
    nets = list(dict.fromkeys(r["network"] for r in rest))
    if nets:
        tools = list(dict.fromkeys(r["tool"] for r in rest))
        out.append(f"""
## {len(nets)} architectures

As PyTorch exports them (`interop/architectures.sh`): the libraries' own classes, narrow and shallow, with random weights.
*error* is the distance of the outputs over their length, on random inputs.

| of {len(nets)} | {' | '.join(tools)} |
|---|{'---|' * len(tools)}""")
        for share in SHARES:
            out.append(f"| {100 * share:.0f} % of the multiply-accumulates reached | " + " | ".join(str(sum(reached(r) for r in rest if r["tool"] == t and r["share"] == share)) for t in tools) + " |")
        out.append("| of these, proved equal to the masked file, at 50 % | " + " | ".join(str(sum(reached(r) and r.get("same") is True for r in rest if r["tool"] == t and r["share"] == .5)) for t in tools) + " |")
        out.append("| of these, found unequal, at 50 % | " + " | ".join(str(sum(reached(r) and r.get("same") is False for r in rest if r["tool"] == t and r["share"] == .5)) for t in tools) + " |")
        out.append("\n| architecture | tool | MACs | error | ORT | s | proof | MACs | error | ORT | s | proof | said |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|")
        for n in nets:
            for tool in tools:
                line_, said = [n, tool], ""
                for share in SHARES:
                    r = next(r for r in rest if r["network"] == n and r["tool"] == tool and r["share"] == share)
                    m, t = cell(r)
                    line_ += [m, number(r.get("error"), ".2f"), t, number(r.get("seconds"), ".2g"), proved(r)]
                    said = r.get("why") or said
                out.append("| " + " | ".join(line_ + [said.replace("|", "/")]) + " |")
    with open(path, "w") as f:
        f.write("\n".join(out) + "\n")


def main():
    if sys.argv[1] == "--page":
        note = sys.argv[4] if sys.argv[3] == "--note" else ""
        return page(sys.argv[2], note, sys.argv[5 if note else 3 :])
    pare, folder, names = sys.argv[1], sys.argv[2], sys.argv[3:] or NAMES
    os.makedirs(folder, exist_ok=True)
    index = os.path.join(folder, "rivals.json")
    done = json.load(open(index)) if os.path.exists(index) else []
    import architectures
    import torch

    torch.set_num_threads(1)
    torch.backends.mha.set_fastpath_enabled(False)
    cifar = None
    if names[0] == "--cifar10":
        cifar, names = names[1], names[2:]
    for name in names:
        name, _, norm = name.partition(":")
        path, tools, accuracy, title = name, [Pare, Onnxsim, TorchPruning], None, os.path.splitext(os.path.basename(name))[0]
        if any(r["network"] == title for r in done):
            continue
        if cifar:
            net = trained(path, cifar, norm)
            accuracy = judge(pare, net.data)
            tools = [Pare, PareNoise, PareSolved, Onnxsim, OnnxsimSolved, TorchPruning]
            done.append({"network": title, "tool": "as it is", "accuracy": accuracy(path)})
        else:
            net, variant = build(name)
            path = os.path.join(folder, name + ".onnx")
            architectures.export(net, variant, path)
        feed = {i.name: x.numpy() for i, x in zip(net.inputs, net.sample)}
        for tool in tools:
            none = [{"network": title, "tool": tool.name, "share": s, "why": "it ended without an answer"} for s in SHARES]
            done += apart(lambda: list(rows(pare, title, path, net, feed, folder, [tool], accuracy)), none)
        with open(index + ".new", "w") as f:
            json.dump(done, f, indent=1)
        os.replace(index + ".new", index)


if __name__ == "__main__":
    main()
