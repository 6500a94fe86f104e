#!/usr/bin/env bash
# Makes the Python environment that exports the architectures, and exports them.
#
# Usage: interop/architectures.sh FOLDER [PATTERN]
#
# FOLDER gets an ONNX file for each architecture and exporter, and
# architectures.json that describes them. PATTERN is a regular expression of
# names; files that are there already are kept. No weights are downloaded: all
# are random.
set -euo pipefail
mkdir -p "${1:?FOLDER is missing}"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")"

packages="torch==2.13.0 torchvision==0.28.0 timm==1.0.31 transformers==5.23.0 segmentation-models-pytorch==0.6.0
	onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 numpy==2.4.6"

venv=${PARE_ARCHITECTURES_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/pare-architectures}
if [ "$(cat "$venv/packages" 2>/dev/null)" != "$packages" ]; then
	python3 -m venv --clear "$venv"
	# shellcheck disable=SC2086 # one argument a package
	"$venv/bin/pip" install --quiet --disable-pip-version-check $packages
	printf '%s\n' "$packages" >"$venv/packages"
fi
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1
exec "$venv/bin/python" architectures.py "$folder" "${@:2}"
