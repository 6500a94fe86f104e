#!/usr/bin/env bash
# Makes docs/rivals.md: channels cut without training, by Pare, onnxsim and Torch-Pruning.
#
#   bash bench/rivals.sh CIFAR10 MODELS [FOLDER]
#
# CIFAR10 is the folder of the binary version, MODELS that of the trained files named below.
# A MobileNetV2 and a vision transformer are trained by Pare first. The files go to FOLDER
# (rivals), and what is there already is not made again, so that it can be stopped.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cifar=$(realpath "$1") models=$(realpath "$2") out=$(realpath -m "${3:-rivals}")
pare=${PARE:-pare}
venv=${PARE_RIVALS_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/pare-rivals}
mkdir -p "$out/trained"
PARE_ARCHITECTURES_VENV=$venv bash "$here/../interop/architectures.sh" "$out" '^$'
"$venv/bin/pip" install --quiet --disable-pip-version-check onnxsim==0.8.1 torch-pruning==1.6.1

data="cifar10:$cifar?norm=imagenet"
[ -e "$out/trained/vit-tiny.onnx" ] || "$pare" model train vit-tiny --data "$data" -o "$out/trained/vit-tiny.onnx" \
	--epochs 8 --batch 128 --optimizer adamw --lr 0.001 --crop 4 --flip --seed 1
[ -e "$out/trained/mobilenetv2.onnx" ] || "$pare" model train mobilenetv2 --data "$data" -o "$out/trained/mobilenetv2.onnx" \
	--epochs 3 --batch 128 --lr 0.1 --crop 4 --flip --seed 1

rivals() { "$venv/bin/python" "$here/rivals.py" "$@"; }
rivals "$pare" "$out/trained" --cifar10 "$cifar" "$models/cifar10-resnet8.onnx:raw" "$models/cifar10-resnet20.onnx:imagenet" \
	"$models/cifar10-resnet56.onnx:imagenet" "$out/trained/mobilenetv2.onnx:imagenet" "$out/trained/vit-tiny.onnx:imagenet"
rivals "$pare" "$out"
rivals --page "$here/../docs/rivals.md" "$out/trained/rivals.json" "$out/rivals.json"
