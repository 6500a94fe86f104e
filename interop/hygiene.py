"""What cleanlab and faiss say: reads JOBS.json, writes RESULT.json beside it."""
import json
import os
import sys

import numpy as np


def labels(job):
    from cleanlab.filter import find_label_issues
    p = np.fromfile(job["file"], "<f8").reshape(-1, job["classes"])
    return {"ids": find_label_issues(np.array(job["labels"]), p, n_jobs=1).nonzero()[0].tolist()}


def neighbours(job):
    import faiss
    x = np.fromfile(job["file"], "<f4").reshape(-1, job["dim"])
    metric = faiss.METRIC_L2
    if job["metric"] == "cosine":
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
        metric = faiss.METRIC_INNER_PRODUCT
    d, ids = faiss.knn(x, x, job["k"] + 1, metric=metric)
    if job["metric"] == "cosine":
        d = 1 - d
    keep = [[j for j in range(job["k"] + 1) if ids[i, j] != i][:job["k"]] for i in range(len(x))]
    return {"ids": [int(ids[i, j]) for i, row in enumerate(keep) for j in row], "distances": [float(d[i, j]) for i, row in enumerate(keep) for j in row]}


jobs = json.load(open(sys.argv[1]))
json.dump([{"labels": labels, "neighbours": neighbours}[j["kind"]](j) for j in jobs], open(os.path.join(os.path.dirname(sys.argv[1]), "RESULT.json"), "w"))
