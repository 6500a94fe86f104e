#!/usr/bin/env bash
# Makes the Python environment with PyTorch and ONNX Runtime that the benchmarks
# and the interoperability tests compare with, and installs OpenBLAS from Debian
# where apt-get is there. Nothing of it is needed to build or to use Pare.
set -euo pipefail
venv=${XDG_CACHE_HOME:-$HOME/.cache}/pare-interop
peers="numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 torch==2.13.0"
if [ "$(cat "$venv/peers" 2>/dev/null)" != "$peers" ]; then
	rm -rf "$venv"
	python3 -m venv "$venv"
	# shellcheck disable=SC2086 # one argument a package
	"$venv/bin/pip" install --quiet --disable-pip-version-check $peers
	printf '%s\n' "$peers" >"$venv/peers"
fi
if ! ls /usr/lib/*/openblas-openmp/libopenblas.so.0 >/dev/null 2>&1; then
	apt-get update -qq && apt-get install -y -qq libopenblas0-openmp
fi
