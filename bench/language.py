"""Prunes a language model by Pare and by onnxsim, without training, on the same samples.

Usage: language.py PARE NET.onnx TEXT [--page PAGE.md] [--rounds N]
       language.py --onnxsim METHOD NET.onnx SAMPLES.npz SPARSITY PATTERN OUT.onnx

NET takes bytes, "tokens" [N, T], and gives logits [N, T, 256]. TEXT (plain or .gz) is split as
Pare does: the last tenth is held out. SAMPLES windows of T bytes from the rest, at equal
distances, are what both tools calibrate on. Perplexity is of all windows of the tenth that
is held out, by ONNX Runtime, whoever made the file. The table goes to standard output, as
Markdown, and with --page into the page, between its marks.

onnxsim gets the file twice: as it is, and with the inputs of its linear layers flattened to
[N T, width] and back, which computes the same. In three dimensions its Wanda measures
nothing and goes by size. CPU s: processor time of all threads, the least of the rounds; for
Pare of the whole command, for onnxsim of the call that prunes alone. MB: most memory of
the process, for onnxsim with Python and ONNX Runtime in it.
"""
import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

SAMPLES = 128
MOST = 6 << 30  # bytes of address space that a tool may take
TARGETS = [("50 %", 0.5, ""), ("70 %", 0.7, ""), ("2:4", 0.5, "2:4")]
PARE = [("magnitude", []), ("wanda", []), ("wanda, by layer", ["--inputs", "layer"]), ("ria", []), ("ria, by layer", ["--inputs", "layer"]), ("ria, permuted", ["--permute", "assignment"]), ("dsnot", []), ("dsnot, by layer", ["--inputs", "layer"]), ("dsnot, same sign", ["--same-sign"]), ("sparsegpt", [])]
ONNXSIM = ["magnitude", "wanda", "wanda, flattened", "sparsegpt"]


def windows(path, length):
    """Samples for calibration, and what is held out, [n, length]."""
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as f:
        text = np.frombuffer(f.read(), np.uint8).astype(np.int64)
    last = len(text) // 10
    cut = lambda x: x[: len(x) // length * length].reshape(-1, length)
    rest = cut(text[:-last])
    return rest[np.linspace(0, len(rest) - 1, SAMPLES).astype(int)], cut(text[-last:])


def session(path):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def perplexity(path, tokens):
    s, total, count = session(path), 0.0, 0
    for i in range(0, len(tokens), 64):
        x = tokens[i : i + 64]
        y = s.run(None, {s.get_inputs()[0].name: x})[0].astype("f8")[:, :-1]
        y -= y.max(-1, keepdims=True)
        at = np.take_along_axis(y, x[:, 1:, None], -1)[..., 0] - np.log(np.exp(y).sum(-1))
        total, count = total - at.sum(), count + at.size
    return float(np.exp(total / count))


def zeros(path):
    """Of the linear layers' weights, the share that is zero."""
    m = onnx.load(path)
    names = {n.input[1] for n, _ in linear(m)}
    ws = [numpy_helper.to_array(i) for i in m.graph.initializer if i.name in names]
    return sum(int((w == 0).sum()) for w in ws) / sum(w.size for w in ws)


def linear(model):
    """Nodes that multiply by a matrix of numbers, and its shape."""
    shape = {i.name: list(i.dims) for i in model.graph.initializer}
    return [(n, shape[n.input[1]]) for n in model.graph.node if n.op_type == "MatMul" and len(shape.get(n.input[1], [])) == 2]


def flattened(path, out):
    """The same network with two-dimensional inputs of its linear layers."""
    m = onnx.load(path)
    length = m.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    for n, (k, cols) in linear(m):
        at, x, y = list(m.graph.node).index(n), n.input[0], n.output[0]
        shapes = [numpy_helper.from_array(np.array(s, np.int64), y + end) for s, end in (([-1, k], "/flat"), ([-1, length, cols], "/back"))]
        m.graph.initializer.extend(shapes)
        n.input[0], n.output[0] = x + "/2d:" + y, y + "/2d"
        m.graph.node.insert(at, helper.make_node("Reshape", [x, shapes[0].name], [n.input[0]]))
        m.graph.node.insert(at + 2, helper.make_node("Reshape", [n.output[0], shapes[1].name], [y]))
    del m.graph.value_info[:]
    onnx.save(m, out)


def onnxsim(method, net, samples, sparsity, pattern, out):
    """In a process of its own."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST, MOST))
    import onnxsim as sim

    name, flat = method.split(",")[0], "flattened" in method
    if flat:
        flattened(net, out)
        net = out
    tokens = np.load(samples)["tokens"]
    model = onnx.load(net)
    with_ = {"n": 2, "m": 4} if pattern else {"sparsity": float(sparsity)}
    if name != "magnitude":
        with_["calibration_data"] = [{model.graph.input[0].name: tokens[i : i + 16]} for i in range(0, len(tokens), 16)]
    start = time.process_time()
    model = getattr(sim, f"apply_{name}_pruning")(model, **with_)
    took = time.process_time() - start
    onnx.save(model, out)
    print(json.dumps({"seconds": took}))


def run(command):
    """The output of a command, its processor time, and the most memory in MB."""
    with tempfile.TemporaryFile() as said:
        p = subprocess.Popen(command, stdout=said, stderr=said, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MOST, MOST)))
        _, status, use = os.wait4(p.pid, 0)
        p.returncode = status
        said.seek(0)
        text = said.read().decode(errors="replace")
    if status:
        raise RuntimeError((text.strip().splitlines() or ["it ended without a word"])[-1])
    return text, use.ru_utime + use.ru_stime, use.ru_maxrss / 1024


def row(tool, method, target, make, net, held, rounds):
    out = os.path.join(os.path.dirname(net), "pruned.onnx")
    try:
        best = min((make(out) for _ in range(rounds)), key=lambda r: r[0])
    except RuntimeError as e:
        return f"| {target} | {tool} | {method} | | | | {str(e)[:200]} |"
    seconds, most = best
    return f"| {target} | {tool} | {method} | {zeros(out):.1%} | {perplexity(out, held):.3f} | {seconds:.2f} | {most:.0f} |"


def table(pare, net, text, rounds):
    length = onnx.load(net).graph.input[0].type.tensor_type.shape.dim[1].dim_value
    samples, held = windows(text, length)
    lines = ["| cut | tool | method | zeros | perplexity | CPU s | MB |", "|---|---|---|---|---|---|---|"]
    lines.append(f"| nothing | | as it is | {zeros(net):.1%} | {perplexity(net, held):.3f} | | |")
    with tempfile.TemporaryDirectory() as dir:
        calib, flat = os.path.join(dir, "samples.npz"), os.path.join(dir, "flat.onnx")
        copy = os.path.join(dir, "net.onnx")
        onnx.save(onnx.load(net), copy)
        np.savez(calib, tokens=samples)
        flattened(net, flat)
        if abs(perplexity(flat, held) / perplexity(net, held) - 1) > 1e-5:
            raise SystemExit("the flattened network is another one")
        for target, sparsity, pattern in TARGETS:
            for method, more in PARE:
                if (pattern and "same sign" in method) or (not pattern and "permuted" in method):
                    continue  # which patterns are anyway; which is for patterns
                command = [pare, "model", "prune", copy, "--method", method.split(",")[0], *more, "--sparsity", str(sparsity), "--epochs", "0", "--no-bench", "--force"]
                command += ["--pattern", pattern] if pattern else []
                if method != "magnitude":
                    command += ["--data", f"npz:{calib},{calib}", "--samples", str(SAMPLES)]

                def make(out):
                    _, took, most = run([*command, "-o", out])
                    return took, most

                lines.append(row("Pare", method, target, make, copy, held, rounds))
                print(lines[-1], file=sys.stderr)
            for method in ONNXSIM:

                def make(out):
                    said, _, most = run([sys.executable, os.path.abspath(__file__), "--onnxsim", method, copy, calib, str(sparsity), pattern, out])
                    return json.loads(said.strip().splitlines()[-1])["seconds"], most

                lines.append(row("onnxsim", method, target, make, copy, held, rounds))
                print(lines[-1], file=sys.stderr)
    return "\n".join(lines)


def main():
    args = sys.argv[1:]
    if args[:1] == ["--onnxsim"]:
        return onnxsim(*args[1:])
    page, rounds = None, 3
    if "--page" in args:
        i = args.index("--page")
        page = args[i + 1]
        del args[i : i + 2]
    if "--rounds" in args:
        i = args.index("--rounds")
        rounds = int(args[i + 1])
        del args[i : i + 2]
    if len(args) != 3:
        raise SystemExit(__doc__)
    made = table(*args, rounds)
    print(made)
    if page:
        begin, end = "<!-- table -->\n", "<!-- end of the table -->"
        old = open(page).read()
        head, tail = old[: old.index(begin) + len(begin)], old[old.index(end) :]
        with open(page, "w") as f:
            f.write(head + made + "\n" + tail)


main()
