"""Times two ONNX files against each other in ONNX Runtime.

Usage: speed.py JOBS.json. JOBS is a list of {dense, cut, inputs, rounds}: inputs as for
outputs.py. In every round both run, in turn, as often as takes about 20 ms. RESULT.json
beside JOBS holds for each job the {ratios} of the cut network's time to the dense one's,
one a round, and the least time of a run of each, {dense} and {cut}, in milliseconds, or
{error}.
"""
import time

import numpy as np
import onnxruntime as ort
from jobs import serve


def session(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def clock(s, feed, times):
    start = time.perf_counter()
    for _ in range(times):
        s.run(None, feed)
    return (time.perf_counter() - start) / times


def run(job):
    feed = {
        name: np.fromfile(i["file"], dtype=i["type"]).reshape(i["shape"])
        for name, i in job["inputs"].items()
    }
    dense, cut = session(job["dense"]), session(job["cut"])
    for s in (dense, cut):
        clock(s, feed, 2)  # memory is taken
    times = max(1, int(0.02 / clock(dense, feed, 1)))
    ratios, least = [], [float("inf")] * 2
    for r in range(job["rounds"]):
        if r % 2:
            c, d = clock(cut, feed, times), clock(dense, feed, times)
        else:
            d, c = clock(dense, feed, times), clock(cut, feed, times)
        ratios.append(c / d)
        least = [min(least[0], d), min(least[1], c)]
    return {"ratios": ratios, "dense": 1000 * least[0], "cut": 1000 * least[1]}


serve(run)
