"""Tokens a second of language models in Pare and in llama.cpp, in turn.

Usage: tokens.py --pare PARE --llama LLAMA_BENCH --text FILE [--threads N] [--rounds N] DENSE.gguf [SPARSE.gguf]...

The first file is run by both, as float16 and as int8 (Q8_0 for llama.cpp, which Pare writes);
the others, of which weights are zero, by Pare alone. In each round every run follows the
one before it: a prompt of 512 tokens is read, and 128 tokens are written behind them
(llama-bench writes behind nothing unless --n-depth says so). The table has
the median of the rounds, the half-width of their middle half, and the ratio to llama.cpp
in the same round. It needs nothing but Python.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PROMPT, WRITTEN = 512, 128


def run(*command, text=None):
    p = subprocess.run(command, capture_output=True, text=True, input=text)
    if p.returncode:
        sys.exit(f"{' '.join(command)}\n{p.stderr}")
    return p.stdout


def llama(bench, file, threads):
    def rate(*tests):
        return json.loads(run(bench, "-m", file, "-t", str(threads), "-r", "1", "-o", "json", *tests))[0]["avg_ts"]

    return [rate("-p", str(PROMPT), "-n", "0"), rate("-p", "0", "-n", str(WRITTEN), "-d", str(PROMPT))]


def pare(binary, file, weights, threads, prompt):
    j = json.loads(run(binary, "model", "generate", file, "--prompt", "-", "--weights", weights, "--max-tokens", str(WRITTEN),
                       "--threads", str(threads), "--json", text=prompt))
    u = j["usage"]
    return [u["prompt"] / j["seconds_to_first"], (u["completion"] - 1) / (j["seconds"] - j["seconds_to_first"])]


def spread(xs):
    if len(xs) < 2:
        return 0
    q = statistics.quantiles(xs, n=4, method="inclusive")
    return (q[2] - q[0]) / 2


def main():
    p = argparse.ArgumentParser(description="Tokens a second of language models in Pare and in llama.cpp, in turn.")
    p.add_argument("--pare", required=True, help="Pare's command")
    p.add_argument("--llama", required=True, help="llama-bench of llama.cpp")
    p.add_argument("--text", required=True, help="text of which the prompt is")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("dense")
    p.add_argument("sparse", nargs="*")
    a = p.parse_args()
    prompt = Path(a.text).read_text()[: 4 * PROMPT]  # about four bytes a token
    with tempfile.TemporaryDirectory() as folder:
        eight = str(Path(folder) / "q8_0.gguf")
        run(a.pare, "model", "prune", a.dense, "--method", "magnitude", "--sparsity", "0", "--epochs", "0", "--no-bench", "-o", eight, "--gguf-type", "q8_0")
        runs = {("llama.cpp", "F16"): lambda: llama(a.llama, a.dense, a.threads),
                ("llama.cpp", "Q8_0"): lambda: llama(a.llama, eight, a.threads)}
        for file in [a.dense, *a.sparse]:
            for weights in ("f16", "int8"):
                runs["Pare, " + Path(file).stem, weights] = lambda f=file, w=weights: pare(a.pare, f, w, a.threads, prompt)
        seen = {k: [] for k in runs}
        for r in range(a.rounds):
            for k, f in runs.items():
                seen[k].append(f())
                print(f"round {r + 1}: {' '.join(k)}: {seen[k][-1][0]:.0f} read, {seen[k][-1][1]:.1f} written a second", file=sys.stderr)
    print(f"{PROMPT} tokens read, {WRITTEN} written, {a.threads} threads, {a.rounds} rounds; ratios are to llama.cpp's F16 or Q8_0 in the same round\n")
    print("| engine | weights | read, tokens/s | ratio | written, tokens/s | ratio |\n|---|---|---:|---:|---:|---:|")
    for (engine, weights), xs in seen.items():
        beside = seen["llama.cpp", "F16" if weights in ("f16", "F16") else "Q8_0"]
        cells = []
        for i in range(2):
            rates, ratios = [x[i] for x in xs], [x[i] / y[i] for x, y in zip(xs, beside)]
            cells += [f"{statistics.median(rates):.1f} ± {spread(rates):.1f}", f"{statistics.median(ratios):.2f} ± {spread(ratios):.2f}"]
        print(f"| {engine} | {weights} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
