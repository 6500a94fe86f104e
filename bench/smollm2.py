"""Prunes a language model in several ways, and says what each costs in perplexity.

Usage: smollm2.py --pare PARE --train TEXT --test TEXT MODEL.gguf

Half of the weights, and two of every four, go by magnitude, Wanda and SparseGPT, without
training; then PERP trains less than one per cent of the parameters of two of them. Perplexity is of the
first windows of the test text by what the files hold (float16). Time and the most memory are
those of the command that prunes. It needs nothing but Python.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SAMPLES, LENGTH = 64, 256              # that Wanda and SparseGPT see
TRAINED = 128                     # samples that PERP trains on, once
RECOVERED = [("magnitude", "50 %"), ("wanda", "2:4")]  # by PERP
WINDOW, WINDOWS = 512, 16         # that are scored


def run(command):
    """Gives what a command prints, its seconds, and the most memory that it held, in bytes."""
    begun = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        p = subprocess.Popen(command, stdout=out, stderr=err)
        _, status, use = os.wait4(p.pid, 0)
        if status:
            err.seek(0)
            sys.exit(f"{' '.join(command)}\n{err.read()}")
        out.seek(0)
        return out.read(), time.perf_counter() - begun, use.ru_maxrss * 1024


def main():
    p = argparse.ArgumentParser(description="Prunes a language model in several ways, and says what each costs in perplexity.")
    p.add_argument("--pare", required=True, help="Pare's command")
    p.add_argument("--train", required=True, help="text that methods see")
    p.add_argument("--test", required=True, help="text that is scored")
    p.add_argument("model")
    a = p.parse_args()
    begun = time.perf_counter()
    data = f"text:{a.train}?seq={LENGTH}&n={{}}&test_n=2"
    calibrated = ["--samples", str(SAMPLES), "--data", data.format(SAMPLES)]
    ways = {"magnitude": ["--allocate", "uniform"], "wanda": calibrated, "sparsegpt": calibrated}
    cuts = {"50 %": ["--sparsity", "0.5"], "2:4": ["--pattern", "2:4"]}
    print("| model | perplexity | of the dense one's | pruned in | most memory | trained |\n|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        def row(name, path, seconds=None, memory=None, trained=""):
            j = json.loads(run([a.pare, "model", "perplexity", path, "--text", a.test, "--window", str(WINDOW), "--windows", str(WINDOWS), "--weights", "f16", "--json"])[0])
            value = j["perplexity"]["perplexity"]
            row.dense = getattr(row, "dense", value)
            spent = ["", ""] if seconds is None else [f"{seconds:.0f} s", f"{memory / 1e9:.1f} GB"]
            print(f"| {name} | {value:.2f} | {value / row.dense:.2f} | {' | '.join(spent)} | {trained} |", flush=True)

        def prune(source, name, method, *flags):
            to = str(Path(folder) / f"{name}.gguf".replace(" %", "").replace(":", "").replace(", ", "-"))
            command = [a.pare, "model", "prune", source, "--method", method, "--no-bench", "--json", "-o", to, *flags]
            out, seconds, memory = run(command)
            return to, seconds, memory, json.loads(out)

        row("dense", a.model)
        for cut, flags in cuts.items():
            for way, more in ways.items():
                path, seconds, memory, _ = prune(a.model, f"{way}, {cut}", way, "--epochs", "0", *flags, *more)
                row(f"{way}, {cut}", path, seconds, memory)
                if (way, cut) not in RECOVERED:
                    continue
                name = f"{way}, {cut}, PERP"
                path, seconds, memory, j = prune(path, name, "perp", "--criterion", "zeros", "--sparsity", "0", "--lora-rank", "4", "--lora-alpha", "8", "--epochs", "1", "--batch", "8", "--data", data.format(TRAINED))
                row(name, path, seconds, memory, f"{100 * j['facts']['trained'] / j['facts']['params']:.2f} %")
    print(f"\n{SAMPLES} samples of {LENGTH} tokens; PERP: one pass over {TRAINED}; {WINDOWS} windows of {WINDOW} tokens are scored. All of it took {(time.perf_counter() - begun) / 60:.0f} minutes.")


if __name__ == "__main__":
    main()
