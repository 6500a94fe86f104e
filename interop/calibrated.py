"""What numpy makes of a linear layer on samples: Wanda's masks, SparseGPT's weights, and
ridge regression, each by its formula in float64.

    python calibrated.py JOBS.json
"""
import json
import os
import sys

import numpy as np


def array(path, *shape):
    return np.fromfile(path, dtype="<f4").reshape(shape).astype(np.float64)


def wanda(w, x, sparsity, nm):
    """The lowest |w| |x| of every row are cut, or all but n of every m inputs."""
    rate = np.abs(w) * np.linalg.norm(x, axis=0)
    keep = np.ones_like(w)
    for r in range(len(w)):
        if nm:
            for i in range(0, w.shape[1], nm[1]):
                order = np.argsort(rate[r, i : i + nm[1]], kind="stable")
                keep[r, i + order[: nm[1] - nm[0]]] = 0
        else:
            keep[r, np.argsort(rate[r], kind="stable")[: int(w.shape[1] * sparsity)]] = 0
    return w * keep


def sparsegpt(w, x, sparsity, nm, size, damp):
    """Algorithm 1 of the paper, with its inverse by Cholesky as written there."""
    w = w.copy()
    h = x.T @ x
    h += damp * np.mean(np.diag(h)) * np.eye(len(h))
    u = np.linalg.cholesky(np.linalg.inv(h)).T
    for lo in range(0, w.shape[1], size):
        hi = min(lo + size, w.shape[1])
        cut = np.zeros((len(w), hi - lo), dtype=bool)
        if not nm:
            score = (w[:, lo:hi] / np.diag(u)[lo:hi]) ** 2
            cut.flat[np.argsort(score, axis=None, kind="stable")[: int(round(score.size * sparsity))]] = True
        errors = np.zeros((len(w), hi - lo))
        for i in range(lo, hi):
            if nm and i % nm[1] == 0:
                score = (w[:, i : i + nm[1]] / np.diag(u)[i : i + nm[1]]) ** 2
                order = np.argsort(score, axis=1, kind="stable")[:, : nm[1] - nm[0]]
                for r in range(len(w)):
                    cut[r, i - lo + order[r]] = True
            e = np.where(cut[:, i - lo], w[:, i], 0) / u[i, i]
            w[:, i:hi] -= np.outer(e, u[i, i:hi])
            w[cut[:, i - lo], i] = 0
            errors[:, i - lo] = e
        w[:, hi:] -= errors @ u[lo:hi, hi:]
    return w


def solve(w, b, x, damp):
    """Least squares to the dense layer's output, for the inputs that a cut layer has left
    and its bias: the first quarter of the inputs is cut."""
    y = x @ w.T + b
    cut = w.copy()
    gone = w.shape[1] // 4
    cut[:, :gone] = 0
    xm, ym = x.mean(0), y.mean(0)
    xc, yc = (x - xm)[:, gone:], y - ym
    h = xc.T @ xc
    lam = damp * (np.trace((x - xm).T @ (x - xm)) / w.shape[1])
    fit = np.linalg.solve(h + lam * np.eye(len(h)), xc.T @ yc + lam * cut[:, gone:].T).T
    cut[:, gone:] = fit
    return cut, ym - fit @ xm[gone:]


def main():
    jobs = json.load(open(sys.argv[1]))
    out = []
    for j in jobs:
        w, b, x = array(j["w"], j["outs"], j["cols"]), array(j["b"], j["outs"]), array(j["x"], j["rows"], j["cols"])
        if j["method"] == "wanda":
            r = wanda(w, x, j["sparsity"], j["nm"])
        elif j["method"] == "sparsegpt":
            r = sparsegpt(w, x, j["sparsity"], j["nm"], j["size"], j["damp"])
        else:
            r, bias = solve(w, b, x, j["damp"])
            bias.astype("<f8").tofile(j["out"] + ".bias")
        r.astype("<f8").tofile(j["out"])
        out.append({"error": ""})
    json.dump(out, open(os.path.join(os.path.dirname(sys.argv[1]), "RESULT.json"), "w"))


main()
