"""Says how long a network takes for one sample in ONNX Runtime.

Usage: ortime.py FILE [--threads N] [--size NAME=N]... [--seconds S]

Random inputs of the network's shapes run through it, on the processor, first without being
timed, then for a second and 20 times at least. The last line is the median in
milliseconds, as `--latency-cmd` of Pare wants it. The batch and other free sizes are 1,
but for those that --size names.
"""
import argparse
import sys
import time

import numpy as np
import onnxruntime as ort

LEAST = 20  # runs that are timed at least
TYPES = {"float": "f4", "double": "f8", "float16": "f2", "int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8",
         "uint8": "u1", "uint16": "u2", "uint32": "u4", "uint64": "u8", "bool": "?"}


def sized(text):
    name, _, n = text.rpartition("=")
    if not name or not n.isdigit() or int(n) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=N with N of 1 at least")
    return name, int(n)


def draw(rng, i, sizes):
    """Normal numbers; whole ones are 0 or 1, which indices and masks may be."""
    kind = i.type.removeprefix("tensor(").removesuffix(")")
    if kind not in TYPES:
        sys.exit(f"input {i.name} is of {i.type}, which is not drawn here")
    shape = [d if isinstance(d, int) and d > 0 else sizes.get(d, 1) for d in i.shape]
    dtype = np.dtype(TYPES[kind])
    x = rng.standard_normal(shape) if dtype.kind == "f" else rng.integers(0, 2, shape)
    return np.asarray(x).astype(dtype)


def median(session, feed, seconds):
    """Seconds of one run."""
    session.run(None, feed)
    warm = time.perf_counter() + seconds / 4
    while time.perf_counter() < warm:
        session.run(None, feed)
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < LEAST:
        start = time.perf_counter()
        session.run(None, feed)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def main():
    p = argparse.ArgumentParser(description="How long a network takes for one sample in ONNX Runtime, in milliseconds.")
    p.add_argument("file")
    p.add_argument("--threads", type=int, default=1, help="threads of one run (default 1)")
    p.add_argument("--size", type=sized, action="append", default=[], metavar="NAME=N", help="a free size that is not 1")
    p.add_argument("--seconds", type=float, default=1, help="that are timed (default 1)")
    a = p.parse_args()
    options = ort.SessionOptions()
    options.intra_op_num_threads = a.threads
    options.log_severity_level = 3
    session = ort.InferenceSession(a.file, options, providers=["CPUExecutionProvider"])
    free = {d for i in session.get_inputs() for d in i.shape if isinstance(d, str)}
    for name in dict(a.size):
        if name not in free:
            sys.exit(f"no free size is called {name}; there are: {', '.join(sorted(free)) or 'none'}")
    rng = np.random.default_rng(1)
    feed = {i.name: draw(rng, i, dict(a.size)) for i in session.get_inputs()}
    print(f"{1000 * median(session, feed, a.seconds):.4f}")


if __name__ == "__main__":
    main()
