"""Runs the peers' side of the benchmarks: PyTorch, ONNX Runtime, OpenBLAS.

It reads one JSON request a line from standard input and answers each with one
line. {"prepare": job} makes a job ready and answers {"id": n}; {"run": n,
"loops": k} runs it k times and answers {"seconds": s} of one run, of the process's
own where "cpu" is true; {"drop": n} forgets it. An answer may be {"error": text}. Usage: peers.py THREADS.

peers.py THREADS --solo JOB runs one job three times and prints the peak memory
of the process in bytes.
"""
import ctypes
import ctypes.util
import json
import os
import sys
import time

threads = int(sys.argv[1])
os.environ["OMP_NUM_THREADS"] = str(threads)
os.environ["OPENBLAS_NUM_THREADS"] = str(threads)

import numpy as np


def torch():
    import torch

    torch.set_num_threads(threads)
    return torch


def best(candidates):
    """The fastest of several ways, by the least of five runs."""
    least = []
    for f in candidates:
        f()
        f()
        times = []
        for _ in range(5):
            t = time.perf_counter()
            f()
            times.append(time.perf_counter() - t)
        least.append(min(times))
    return candidates[least.index(min(least))]


def gemm(job):
    lib = None
    for path in (
        "/usr/lib/x86_64-linux-gnu/openblas-openmp/libopenblas.so.0",
        ctypes.util.find_library("openblas"),
    ):
        try:
            lib = ctypes.CDLL(path)
            break
        except (OSError, TypeError):
            pass
    if lib is None:
        raise RuntimeError("no OpenBLAS: install libopenblas0-openmp")
    lib.openblas_set_num_threads(threads)
    m, n, k = job["m"], job["n"], job["k"]
    ta, tb = job.get("ta", False), job.get("tb", False)
    r = np.random.default_rng(1)
    a = r.standard_normal((k, m) if ta else (m, k), dtype="f4")
    b = r.standard_normal((n, k) if tb else (k, n), dtype="f4")
    c = np.zeros((m, n), "f4")
    p = lambda x: x.ctypes.data_as(ctypes.c_void_p)
    f = ctypes.c_float
    args = (101, 112 if ta else 111, 112 if tb else 111, m, n, k, f(1), p(a), a.shape[1], p(b), b.shape[1], f(0), p(c), n)
    keep = (a, b, c)

    def run():
        lib.cblas_sgemm(*args)
        return keep

    return run


def conv(job):
    t = torch()
    c = job["conv"]
    ways = []
    for form in (t.contiguous_format, t.channels_last):
        x = t.randn(c["N"], c["CI"], c["H"], c["W"]).to(memory_format=form)
        w = t.randn(c["CO"], c["CI"] // c["Groups"], c["KH"], c["KW"]).to(memory_format=form)
        stride, pad = [c["StrideH"], c["StrideW"]], [c["PadT"], c["PadL"]]
        y = t.nn.functional.conv2d(x, w, None, stride, pad, 1, c["Groups"])
        dy = t.randn_like(y)
        mask = {"dx": [True, False, False], "dw": [False, True, False]}.get(job["pass"])

        def run(x=x, w=w, dy=dy):
            with t.no_grad():
                if mask is None:
                    t.nn.functional.conv2d(x, w, None, stride, pad, 1, c["Groups"])
                else:
                    t.ops.aten.convolution_backward(dy, x, w, None, stride, pad, [1, 1], False, [0, 0], c["Groups"], mask)

        ways.append(run)
    return best(ways)


def train(job):
    t = torch()
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import networks

    ways = []
    for form in (t.contiguous_format, t.channels_last):
        t.manual_seed(1)
        net, x, classes = networks.make(job["net"], job["batch"])
        if x.dim() == 4:
            net, x = net.to(memory_format=form), x.to(memory_format=form)
        elif form is t.channels_last:
            continue
        net.train()
        opt = t.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
        count = x.shape[0] if x.is_floating_point() else x.numel()
        label = t.randint(classes, (count,))

        def run(net=net, x=x, opt=opt, label=label):
            opt.zero_grad()
            y = net(x)
            t.nn.functional.cross_entropy(y.reshape(-1, y.shape[-1]), label).backward()
            opt.step()

        ways.append(run)
        if job.get("solo") and form is t.contiguous_format and x.dim() == 4:
            ways.pop()
    return best(ways) if len(ways) > 1 else ways[0]


def infer(job):
    import onnxruntime as ort

    o = ort.SessionOptions()
    o.intra_op_num_threads = threads
    o.inter_op_num_threads = 1
    o.log_severity_level = 3
    s = ort.InferenceSession(job["file"], o, providers=["CPUExecutionProvider"])
    i = s.get_inputs()[0]
    shape = [job["batch"]] + list(i.shape[1:])
    r = np.random.default_rng(1)
    x = r.integers(0, 100, shape) if "int64" in i.type else r.standard_normal(shape, dtype="f4")
    bind = s.io_binding()
    bind.bind_cpu_input(i.name, x)
    for out in s.get_outputs():
        bind.bind_output(out.name)

    def run():
        s.run_with_iobinding(bind)
        return x

    return run


def opened(job):
    import onnxruntime as ort

    def run():
        o = ort.SessionOptions()
        o.intra_op_num_threads = threads
        o.inter_op_num_threads = 1
        o.log_severity_level = 3
        s = ort.InferenceSession(job["file"], o, providers=["CPUExecutionProvider"])
        x = {}
        for i in s.get_inputs():
            shape = [d if isinstance(d, int) else 1 for d in i.shape]
            x[i.name] = np.zeros(shape, "i8" if "int64" in i.type else "f4")
        return s.run(None, x)

    return run


kinds = {"gemm": gemm, "conv": conv, "train": train, "infer": infer, "open": opened}


def serve():
    jobs = {}
    for line in sys.stdin:
        q = json.loads(line)
        try:
            if "prepare" in q:
                run = kinds[q["prepare"]["kind"]](q["prepare"])
                run()
                jobs[len(jobs)] = run
                a = {"id": len(jobs) - 1}
            elif "drop" in q:
                jobs[q["drop"]] = None
                a = {}
            else:
                run, loops = jobs[q["run"]], q["loops"]
                if loops > 1:
                    run()  # awakens the threads
                clock = time.process_time if q.get("cpu") else time.perf_counter
                t = clock()
                for _ in range(loops):
                    run()
                a = {"seconds": (clock() - t) / loops}
        except Exception as e:  # the benchmark reports it
            a = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(a), flush=True)


def solo(job):
    job["solo"] = True
    run = kinds[job["kind"]](job)
    for _ in range(3):
        run()
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            print(int(line.split()[1]) * 1024)


if len(sys.argv) > 3 and sys.argv[2] == "--solo":
    solo(json.loads(sys.argv[3]))
else:
    serve()
