#!/usr/bin/env bash
# Trains on a set of ten times the memory that samples may take, made on the fly and
# removed after, in a new folder below DIR: bash scripts/tasks/big.sh DIR [BYTES [MEMORY]]. Prints the training's
# line of the epoch, with the share of time that it waited for data; the most memory that
# the process took, all told; and how fast the samples alone are read.
set -euo pipefail
mkdir -p "$1"
dir=$(mktemp -d "$1/big-XXXXXX") bytes=${2:-2.5e9} memory=${3:-230M}
pare=${PARE:-pare}
trap 'rm -rf "$dir"' EXIT

go run ./scripts/tasks -o "$dir" -bytes "$bytes" big
"$pare" model train "$dir/big/net.onnx" --data "npz:$dir/big/train,$dir/big/test.npz" --data-memory "$memory" \
  --epochs 1 --optimizer adamw --lr 0.002 --no-bench --force -o "$dir/big.onnx" >"$dir/big.log" 2>&1 &
train=$! most=0 began=$(date +%s)
while kill -0 $train 2>/dev/null; do
  now=$(awk '/VmHWM/ {print $2}' /proc/$train/status 2>/dev/null || true)
  most=${now:-$most}
  sleep 0.5
done
wait $train || { cat "$dir/big.log"; exit 1; }
grep -E 'samples would take|^epoch|^big:' "$dir/big.log"
echo "the training took at most $((most / 1024)) MB of memory, and $(($(date +%s) - began)) s with what was measured after it"
"$pare" data bench "npz:$dir/big/train" --data-memory "$memory"
