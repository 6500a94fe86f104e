#!/usr/bin/env bash
# Makes docs/rivals-language.md: a language model pruned without training by Pare and onnxsim.
#
#   bash bench/language.sh TEXT [FOLDER]
#
# TEXT is a plain text, such as tiny Shakespeare. A small language model of its bytes is
# trained by Pare first. The file goes to FOLDER (rivals), and is not made again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
text=$(realpath "$1") out=$(realpath -m "${2:-rivals}")
pare=${PARE:-pare}
venv=${PARE_RIVALS_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/pare-rivals}
mkdir -p "$out"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -c 'import importlib.metadata as m, numpy, onnx, onnxruntime; assert m.version("onnxsim") == "0.8.1"' 2>/dev/null ||
	"$venv/bin/pip" install --quiet --disable-pip-version-check numpy onnx onnxruntime onnxsim==0.8.1

[ -e "$out/language.onnx" ] || "$pare" model train gpt-3-96-4 --data "text:$text?seq=64" -o "$out/language.onnx" \
	--epochs 4 --batch 32 --optimizer adamw --lr 0.003 --schedule cosine --seed 1 --threads 1
"$venv/bin/python" "$here/language.py" "$pare" "$out/language.onnx" "$text" --page "$here/../docs/rivals-language.md"
