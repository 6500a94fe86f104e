#!/usr/bin/env bash
# Cuts half of the weights of all-MiniLM-L6-v2 after a look at 64 texts, without training,
# and says how near its embeddings stay to the dense network's, on 128 other texts:
#
#   bash bench/minilm.sh FOLDER CALIBRATION TEXTS
#
# FOLDER is the encoder as sentence-transformers saves it, CALIBRATION and TEXTS are texts,
# a paragraph a line (.gz or not): WikiText-2's validation and test part, in docs/tasks.md.
# Of the lines of 80 characters and more, headings left out, every so many-th is taken. The
# files go to the present folder.
set -euo pipefail
here=$(dirname "$0")
pare=${PARE:-pare}
python=${PYTHON:-${XDG_CACHE_HOME:-$HOME/.cache}/pare-interop/bin/python}

pick() { # FILE N
	gzip -dcf "$1" | { grep -E '.{80}' || true; } | { grep -v '^ *=' || true; } |
		awk -v n="$2" '{ line[NR] = $0 } END { for (i = 0; i < n && i < NR; i++) print line[int(i * NR / n) + 1] }'
}
pick "$2" 64 >calibration.txt
pick "$3" 128 >texts.txt
"$python" "$here/minilm.py" "$1" minilm.onnx

D="lines:calibration.txt,texts.txt?tokenizer=$1/tokenizer.json&length=64&types=yes"
for method in wanda sparsegpt; do
	"$pare" model prune minilm.onnx -o "minilm-$method.onnx" --method "$method" --sparsity 0.5 --epochs 0 --data "$D" --no-bench --force >"$method.log" 2>&1 ||
		{ cat "$method.log"; exit 1; }
	echo "$method"
	"$pare" model eval "minilm-$method.onnx" --reference minilm.onnx --metric cosine --data "$D"
done
