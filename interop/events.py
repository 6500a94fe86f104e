"""Reads event files with TensorBoard, and a file store with MLflow, and says what they hold."""

import json
import os
import sys

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"


def scalars(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(folder, size_guidance={"scalars": 0})
    reader.Reload()
    tensors = {tag: reader.Scalars(tag) for tag in reader.Tags()["scalars"]}
    return {tag: [[e.step, e.wall_time, e.value] for e in es] for tag, es in tensors.items()}


def runs(folder):
    from mlflow.store.tracking.file_store import FileStore

    store = FileStore(folder)
    of = [e.experiment_id for e in store.search_experiments() if e.name == "pare"]
    out = {}
    for r in store.search_runs(of, "", 1):
        for name in r.data.metrics:
            out[name] = [[m.step, m.timestamp / 1000, m.value] for m in store.get_metric_history(r.info.run_id, name)]
        out[f"{r.info.run_name} {r.info.status} {r.data.params['setting.power']}"] = []
    return out


answers = [{"tensorboard": scalars, "mlflow": runs}[job["form"]](job["folder"]) for job in json.load(open(sys.argv[1]))]
json.dump(answers, open(os.path.join(os.path.dirname(sys.argv[1]), "RESULT.json"), "w"))
