"""Computes metrics with scikit-learn, scikit-image, pycocotools and numpy.

Usage: metrics.py JOBS.json. JOBS is a list of {of, arrays, k}: of names a function
below, arrays are what it takes as {type, shape, file}, in order. RESULT.json beside
JOBS holds for each job {value}, or {missing} with the package that is not installed.
"""

import contextlib
import io

import numpy as np
from jobs import serve


def read(i):
    return np.fromfile(i["file"], dtype=i["type"]).reshape(i["shape"])


def softmax(x):
    e = np.exp(x.astype("f8") - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype("f8")))


def skm():
    import sklearn.metrics

    return sklearn.metrics


def multilabel(f):
    return lambda x, y: f(y, sigmoid(x) > 0.5)


def torch_scores(x, f):
    import torch

    return f(torch.nn.functional, torch.from_numpy(x.astype("f8")))


def edits(a, b):
    """The edit distance by its recursive definition, remembered."""
    import functools
    import sys

    sys.setrecursionlimit(10000)

    @functools.cache
    def d(i, j):
        if not i or not j:
            return i + j
        return min(d(i - 1, j) + 1, d(i, j - 1) + 1, d(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

    return d(len(a), len(b))


def transcripts(x, y):
    """Decodes [N T C] greedily, with blank 0, and takes the padding off y."""
    import itertools

    for s, t in zip(x, y):
        said = [int(k) for k, _ in itertools.groupby(s.argmax(-1)) if k != 0]
        yield said, [int(v) for v in t if v >= 0]


def words(x):
    """Splits at token 1."""
    text = " ".join("|" if v == 1 else str(v) for v in x)
    return [w.strip() for w in text.split("|") if w.strip()]


def wer(x, y, split):
    wrong = total = 0
    for a, b in transcripts(x, y):
        a, b = split(a), split(b)
        wrong += edits(a, b)
        total += len(b)
    return wrong / total


def retrieval(x, y, k, metric):
    from sklearn.neighbors import NearestNeighbors

    near = NearestNeighbors(n_neighbors=k + 1, metric=metric).fit(x).kneighbors(x, return_distance=False)
    hits = []
    for i, js in enumerate(near):
        if (y == y[i]).sum() > 1:
            js = [j for j in js if j != i][:k]
            hits.append(any(y[j] == y[i] for j in js))
    return np.mean(hits)


def ssim(x, y, span, axis):
    from skimage.metrics import structural_similarity as f

    return np.mean([
        f(a, b, data_range=span, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=axis)
        for a, b in zip(x.astype("f8"), y.astype("f8"))
    ])


def psnr(x, y):
    from skimage.metrics import peak_signal_noise_ratio as f

    return np.mean([f(b, a, data_range=1) for a, b in zip(x.astype("f8"), y.astype("f8"))])


def iou_set(x, y):
    m = skm().jaccard_score(y.ravel(), x.argmax(1).ravel(), average="macro")
    return m


def nms(boxes, scores, iou):
    """Greedy suppression of one class by its definition: boxes by score, each
    kept where none that is kept overlaps it by more."""
    keep = []
    for i in np.argsort(-scores, kind="stable"):
        if all(overlap(boxes[i], boxes[j]) <= iou for j in keep):
            keep.append(i)
    return keep


def overlap(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0
    i = w * h
    return i / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - i)


def corners(b, form):
    b = b.astype("f8")
    if form == "cxcywh":
        return np.concatenate([b[..., :2] - b[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2], -1)
    return b


def raw(boxes, scores, truth, labels, form, which):
    """From boxes [N B 4] and logits [N B C], through suppression at 0.5."""
    images = []
    for b, s in zip(corners(boxes, form), sigmoid(scores)):
        rows = []
        for c in range(s.shape[1]):
            at = np.flatnonzero(s[:, c] > 0.001)
            rows += [[*b[at[i]], s[at[i], c], c] for i in nms(b[at], s[at, c], 0.5)]
        rows.sort(key=lambda r: -r[4])
        images.append(rows[:100])
    return coco(images, truth, labels, which)


def coco(images, truth, labels, which, crowd=None, areas=None):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    notes, found, number = [], [], 1
    for i, (bs, ls) in enumerate(zip(truth.astype("f8"), labels)):
        for k, (b, l) in enumerate(zip(bs, ls)):
            if l >= 0:
                w, h = b[2] - b[0], b[3] - b[1]
                area = w * h if areas is None else float(areas[i, k])
                notes.append({"id": number, "image_id": i + 1, "category_id": int(l) + 1, "bbox": [b[0], b[1], w, h], "area": area, "iscrowd": 0 if crowd is None else int(crowd[i, k])})
                number += 1
        for r in images[i]:
            if r[4] > 0:
                x0, y0, x1, y1 = (float(v) for v in r[:4])
                found.append({"image_id": i + 1, "category_id": int(r[5]) + 1, "bbox": [x0, y0, x1 - x0, y1 - y0], "score": float(r[4])})
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        classes = sorted({n["category_id"] for n in notes} | {f["category_id"] for f in found})
        truth.dataset = {"images": [{"id": i + 1} for i in range(len(images))], "categories": [{"id": c} for c in classes], "annotations": notes}
        truth.createIndex()
        e = COCOeval(truth, truth.loadRes(found), "bbox")
        e.evaluate()
        e.accumulate()
        e.summarize()
    return e.stats[which]


def ndcg(x, y):
    t = np.zeros_like(x)
    t[np.arange(len(y)), y] = 1
    return skm().ndcg_score(t, x, k=10)


REFERENCE = {
    "accuracy": lambda x, y: skm().accuracy_score(y, x.argmax(1)),
    "top-k": lambda x, y: skm().top_k_accuracy_score(y, x, k=3, labels=range(x.shape[1])),
    "balanced-accuracy": lambda x, y: skm().balanced_accuracy_score(y, x.argmax(1)),
    "f1-macro": lambda x, y: skm().f1_score(y, x.argmax(1), average="macro"),
    "f1-micro": lambda x, y: skm().f1_score(y, x.argmax(1), average="micro"),
    "f1-weighted": lambda x, y: skm().f1_score(y, x.argmax(1), average="weighted"),
    "precision": lambda x, y: skm().precision_score(y, x.argmax(1), average="macro", zero_division=0),
    "recall": lambda x, y: skm().recall_score(y, x.argmax(1), average="macro"),
    "f1-binary": lambda x, y: skm().f1_score(y, x[:, 0] > 0),
    "f1-multi": multilabel(lambda y, p: skm().f1_score(y, p, average="macro")),
    "f1-multi-micro": multilabel(lambda y, p: skm().f1_score(y, p, average="micro")),
    "auroc-binary": lambda x, y: skm().roc_auc_score(y, x[:, 0]),
    "auroc": lambda x, y: skm().roc_auc_score(y, softmax(x), multi_class="ovr"),
    "auroc-multi": lambda x, y: skm().roc_auc_score(y, x, average="macro"),
    "map": lambda x, y: skm().average_precision_score(y, x, average="macro"),
    "log-loss": lambda x, y: skm().log_loss(y, softmax(x), labels=range(x.shape[1])),
    "log-loss-multi": lambda x, y: torch_scores(x, lambda f, t: f.binary_cross_entropy_with_logits(t, t.new_tensor(y)).item()),
    "perplexity": lambda x, y: torch_scores(x, lambda f, t: f.cross_entropy(t.transpose(1, 2), t.new_tensor(y).long()).exp().item()),
    "mae": lambda x, y: skm().mean_absolute_error(y, x),
    "mse": lambda x, y: skm().mean_squared_error(y, x),
    "rmse": lambda x, y: skm().mean_squared_error(y.ravel(), x.ravel()) ** 0.5,
    "mape": lambda x, y: skm().mean_absolute_percentage_error(y, x),
    "r2": lambda x, y: skm().r2_score(y, x),
    "pearson": lambda x, y: np.corrcoef(x, y)[0, 1],
    "spearman": lambda x, y: __import__("scipy.stats").stats.spearmanr(x, y).statistic,
    "iou": iou_set,
    "dice": lambda x, y: skm().f1_score(y.ravel(), x.argmax(1).ravel(), average="macro"),
    "iou-mask": lambda x, y: skm().jaccard_score(y.ravel(), x.ravel() > 0),
    "dice-samples": lambda x, y: np.mean([skm().f1_score(b.ravel(), a.ravel() > 0) for a, b in zip(x, y)]),
    "psnr": psnr,
    "ssim": lambda x, y: ssim(x, y, 1, 0),
    "ssim-last": lambda x, y: ssim(x, y, 1, -1),
    "cer": lambda x, y: wer(x, y, lambda s: s),
    "wer": lambda x, y: wer(x, y, words),
    "recall-at-1": lambda x, y: retrieval(x, y, 1, "cosine"),
    "recall-at-4": lambda x, y: retrieval(x, y, 4, "euclidean"),
    "ndcg": ndcg,
    "ap": lambda d, t, y, *more: coco(d, t, y, 0, *more),
    "ap50": lambda d, t, y: coco(d, t, y, 1),
    "ap75": lambda d, t, y, *more: coco(d, t, y, 2, *more),
    "ap-small": lambda d, t, y, *more: coco(d, t, y, 3, *more),
    "ap-medium": lambda d, t, y, *more: coco(d, t, y, 4, *more),
    "ap-large": lambda d, t, y, *more: coco(d, t, y, 5, *more),
    "ap-raw": lambda b, s, t, y: raw(b, s, t, y, "xyxy", 0),
    "ap-centre": lambda b, s, t, y: raw(b, s, t, y, "cxcywh", 1),
}


def run(job):
    try:
        return {"value": float(REFERENCE[job["of"]](*(read(a) for a in job["arrays"])))}
    except ModuleNotFoundError as e:
        return {"missing": e.name}


if __name__ == "__main__":
    serve(run)
