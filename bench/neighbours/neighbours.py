"""Measures the search for nearest neighbours beside faiss at equal recall.

    go build -o FOLDER/neighbours ./bench/neighbours
    python bench/neighbours/neighbours.py FOLDER/neighbours FOLDER 10000 50000 [--nndescent] [--exact]

It needs numpy and faiss-cpu. Rows are n points of a curved surface: tanh(z W) with z of 16
normal numbers, W fixed, and noise of 0.01, in 128 dimensions. For each n Pare finds ten neighbours of
every row, at a recall of 0.95; then faiss does with an inverted file (IndexIVFFlat) of about as many
lists, whose nprobe is raised until it finds as many on the same sample of rows. Both recalls are
measured here against exact neighbours of 1,000 rows. Time is of the whole: centroids, lists and
search; processor time is that of all threads together, which other work on the machine disturbs less. Memory is the process's at its largest, rows included.
"""
import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np


def rows(folder, n, dim=128, inner=16):
    path = os.path.join(folder, f"bent-{n}.npy")
    if not os.path.exists(path):
        r = np.random.default_rng(1)
        w = r.standard_normal((inner, dim)).astype("f4")
        out = np.lib.format.open_memmap(path, "w+", "f4", (n, dim))
        for lo in range(0, n, 50000):
            m = min(50000, n - lo)
            out[lo:lo + m] = np.tanh(r.standard_normal((m, inner)).astype("f4") @ w / 2) + .01 * r.standard_normal((m, dim)).astype("f4")
        out.flush()
    return path


def truth(x, k, threads):
    """The exact neighbours of a sample, by faiss."""
    import faiss
    faiss.omp_set_num_threads(threads)
    at = np.random.default_rng(2).choice(len(x), min(1000, len(x)), replace=False)
    _, ids = faiss.knn(x[at], x, k + 1)
    return at, [[j for j in row if j != i][:k] for i, row in zip(at, ids)]


def recall(found, want):
    return sum(len(set(a) & set(b)) for a, b in zip(found, want)) / sum(map(len, want))


def peer(path, how, k, target, at_want, threads):
    """What faiss does, in a process of its own: prints JSON."""
    import faiss
    import resource
    faiss.omp_set_num_threads(threads)
    x = np.load(path)
    at, want = json.load(open(at_want))
    n, d = x.shape
    begin = time.perf_counter()
    busy = time.process_time()
    out = {}
    if how == "exact":
        _, ids = faiss.knn(x, x, k + 1)
    elif how == "nndescent":
        index = faiss.IndexNNDescentFlat(d, 4 * k)
        index.add(x)
        out["seconds"] = time.perf_counter() - begin
        index.nndescent.search_L = 40
        _, ids = index.search(x, k + 1)
    else:
        index = faiss.IndexIVFFlat(faiss.IndexFlatL2(d), d, max(1, n // 250))
        index.train(x)
        index.add(x)
        made = time.perf_counter() - begin
        worked = time.process_time() - busy
        probes = 1
        while True:
            index.nprobe = probes
            _, some = index.search(x[at], k + 1)
            if recall([[j for j in row if j != i][:k] for i, row in zip(at, some)], want) >= target:
                break
            probes += max(1, probes // 4)
        begin, busy = time.perf_counter(), time.process_time()
        _, ids = index.search(x, k + 1)
        out["seconds"] = made + time.perf_counter() - begin
        out["cpu"] = worked + time.process_time() - busy
        out["probes"] = probes
    out.setdefault("seconds", time.perf_counter() - begin)
    out.setdefault("cpu", time.process_time() - busy)
    out["recall"] = recall([[j for j in ids[i] if j != i][:k] for i in at], want)
    out["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(out))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("pare")
    p.add_argument("folder")
    p.add_argument("n", nargs="*", type=int)
    p.add_argument("--recall", type=float, default=.95)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--exact", action="store_true")
    p.add_argument("--nndescent", action="store_true")
    p.add_argument("--alone", action="store_true", help="do not run faiss's inverted file")
    p.add_argument("--flags", default="", help="more of Pare's")
    p.add_argument("--peer")
    a = p.parse_args()
    if a.peer:
        return peer(a.pare, a.peer, 10, a.recall, a.folder, a.threads)
    print("| rows | who | seconds | processor seconds | recall | lists looked at | peak memory |\n|---|---|---|---|---|---|---|")

    def line(n, who, r):
        print(f"| {n:,} | {who} | {r['seconds']:.1f} | {r['cpu']:.1f} | {r['recall']:.3f} | {r.get('probes', '–')} | {r['peak'] / 1e6:,.0f} MB |", flush=True)

    for n in a.n:
        path = rows(a.folder, n)
        x = np.load(path, mmap_mode="r")
        at, want = truth(x, 10, a.threads)
        sample = os.path.join(a.folder, "sample.json")
        json.dump([[int(i) for i in at], [[int(j) for j in row] for row in want]], open(sample, "w"))
        del x

        def ours(*flags):
            ids = os.path.join(a.folder, "ids.npy")
            r = json.loads(subprocess.check_output([a.pare, f"-threads={a.threads}", *flags, *a.flags.split(), path, ids]))
            got = np.load(ids, mmap_mode="r")
            r["recall"] = recall([got[i].tolist() for i in at], want)
            return r

        def theirs(how, target):
            return json.loads(subprocess.check_output([sys.executable, __file__, path, sample, f"--peer={how}", f"--recall={target}", f"--threads={a.threads}"]))

        r = ours(f"-recall={a.recall}")
        line(n, "Pare, approximate", r)
        if not a.alone:
            line(n, "faiss, IVF", theirs("ivf", r["recall"]))
        if a.nndescent:
            line(n, "faiss, NN-descent", theirs("nndescent", 0))
        if a.exact:
            line(n, "Pare, exact", ours("-exact"))
            line(n, "faiss, exact", theirs("exact", 0))


main()
