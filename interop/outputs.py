"""Runs ONNX files in ONNX Runtime.

Usage: outputs.py JOBS.json. JOBS is a list of {model, inputs, out}: inputs maps
a name to {type, shape, file} of raw little-endian values, out is the stem of the
files that the outputs go to as float32; a foreign file is one that the checker of the
standard need not know. RESULT.json beside JOBS holds for each
job {names, shapes} of the outputs and the number of {sparse} initialisers, or
{error}.
"""
import numpy as np
import onnx
import onnxruntime as ort
from jobs import serve


def run(job):
    if not job["foreign"]:
        onnx.checker.check_model(job["model"])
    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    session = ort.InferenceSession(job["model"], options, providers=["CPUExecutionProvider"])
    feed = {
        name: np.fromfile(i["file"], dtype=i["type"]).reshape(i["shape"])
        for name, i in job["inputs"].items()
    }
    names = [o.name for o in session.get_outputs()]
    values = session.run(names, feed)
    for k, v in enumerate(values):
        v.astype("<f4").tofile(f"{job['out']}.{k}")
    sparse = len(onnx.load(job["model"], load_external_data=False).graph.sparse_initializer)
    return {"names": names, "shapes": [list(v.shape) for v in values], "sparse": sparse}


serve(run)
