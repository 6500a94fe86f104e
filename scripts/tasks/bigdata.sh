#!/usr/bin/env bash
# Looks at, scores, prunes and writes a set of ten times the memory that samples may take, made on the
# fly and removed after, in a new folder below DIR: bash scripts/tasks/bigdata.sh DIR [BYTES [MEMORY]].
# Prints of each command how long it took, and the most memory that its process took, all told.
set -euo pipefail
mkdir -p "$1"
dir=$(mktemp -d "$1/bigdata-XXXXXX") bytes=${2:-2.5e9} memory=${3:-230M}
pare=${PARE:-pare}
trap 'rm -rf "$dir"' EXIT

go run ./scripts/tasks -o "$dir" -bytes "$bytes" big >/dev/null
set="npz:$dir/big/train,$dir/big/test.npz"
du -sh "$dir/big/train" | awk '{print "the training set has " $1 " in its files, and samples may take '"$memory"'"}'

# measured NAME COMMAND…
measured() {
  local name=$1 most=0 began now
  shift
  began=$(date +%s)
  "$@" >"$dir/log" 2>&1 &
  local job=$!
  while kill -0 $job 2>/dev/null; do
    now=$(awk '/VmHWM/ {print $2}' /proc/$job/status 2>/dev/null || true)
    most=${now:-$most}
    sleep 0.1
  done
  wait $job || { cat "$dir/log"; exit 1; }
  echo "$name: $(($(date +%s) - began)) s, at most $((most / 1024)) MB"
}

limit=(--data-memory "$memory")
measured "inspect" "$pare" data inspect "$set" "${limit[@]}" --decisions "$dir/all.csv"
measured "dedup" "$pare" data dedup "$set" "${limit[@]}" -o "$dir/twice.csv"
measured "score by loss" "$pare" data score --data "$set" "${limit[@]}" --method loss --network "$dir/big/net.onnx" -o "$dir/loss.csv"
measured "prune to a tenth" "$pare" data prune --data "$set" "${limit[@]}" --method rank --keep 0.1 --score "$dir/loss.csv" -o "$dir/tenth.txt"
measured "apply, to files of the same kind" "$pare" data apply "$dir/tenth.txt" "$set" "${limit[@]}" -o "$dir/tenth"
measured "apply, to arrays" "$pare" data apply "$dir/tenth.txt" "$set" "${limit[@]}" -o "$dir/tenth.npz"
"$pare" data inspect "npz:$dir/tenth.npz" --near off 2>/dev/null | grep -m1 samples
