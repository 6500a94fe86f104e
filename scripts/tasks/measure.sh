#!/usr/bin/env bash
# Trains the dense network of every task and cuts it, as docs/tasks.md has the commands,
# and prints the lines that its table is made of: bash scripts/tasks/measure.sh DIR, where
# DIR has what "go run ./scripts/tasks -o DIR" makes. The networks go to the present folder.
set -euo pipefail
T=$1
pare=${PARE:-pare}

train() { echo "train $1"; "$pare" model train "${@:2}" --optimizer adamw -o "$1.onnx" --force --no-bench 2>&1 | grep -E "^ $1 |pare:"; }
prune() { echo "prune $1"; "$pare" model prune "${@:2}" --optimizer adamw -o "$1.onnx" --force --no-bench 2>&1 | grep -E "^ $1 |^ dense|pare:"; }
half=(--method channels --flops 0.5)

D="csv:$T/regress/train.csv,$T/regress/test.csv?target=yield,energy,wear"
train regress "$T/regress/net.onnx" --data "$D" --epochs 20 --lr 0.002
prune regress80 regress.onnx --data "$D" --sparsity 0.8 --epochs 10 --lr 0.002

D="parquet:$T/text/train.parquet,$T/text/test.parquet?bind=input_ids=ids,attention_mask=mask"
train text "$T/text/net.onnx" --data "$D" --epochs 10 --lr 0.002
prune texthalf text.onnx "${half[@]}" --recover solve,train --batch 32 --data "$D" --epochs 2 --lr 0.002
prune textdistil text.onnx "${half[@]}" --data "$D" --recover solve,distil --batch 32 --epochs 2 --lr 0.002

D="npz:$T/segment/train.npz,$T/segment/test.npz"
train segment "$T/segment/net.onnx" --data "$D" --loss 'cross-entropy+dice-classes' --batch 32 --epochs 16 --lr 0.003
prune segmenthalf segment.onnx "${half[@]}" --recover solve,distil --batch 16 --data "$D" --epochs 10 --lr 0.003

D="npz:$T/multilabel/train.npz,$T/multilabel/test.npz"
train multilabel "$T/multilabel/net.onnx" --data "$D" --epochs 12 --lr 0.002
prune multilabelhalf multilabel.onnx "${half[@]}" --recover distil --data "$D" --epochs 4 --lr 0.002

D="npz:$T/twoin/train.npz,$T/twoin/test.npz?bind=image=photo,table=vitals"
train twoin "$T/twoin/net.onnx" --data "$D" --epochs 15 --lr 0.002
prune twoinhalf twoin.onnx "${half[@]}" --recover distil --data "$D" --epochs 4 --lr 0.002

D="npz:$T/embed/train.npz,$T/embed/test.npz"
train embed "$T/embed/net.onnx" --data "$D" --loss triplet --epochs 15 --lr 0.002 --batch 64
prune embedhalf embed.onnx "${half[@]}" --recover solve,distil --loss triplet --data "$D" --epochs 4 --lr 0.002

D="npz:$T/superres/train.npz,$T/superres/test.npz"
train superres "$T/superres/net.onnx" --data "$D" --loss l1 --epochs 15 --lr 0.002
prune superreshalf superres.onnx "${half[@]}" --recover solve,distil --data "$D" --epochs 6 --lr 0.002

D="npz:$T/series/train.npz,$T/series/test.npz"
train series "$T/series/net.onnx" --data "$D" --epochs 20 --lr 0.003
prune serieshalf series.onnx "${half[@]}" --data "$D" --epochs 5 --lr 0.003

D="parquet:$T/recommend/train.parquet,$T/recommend/test.parquet"
train recommend "$T/recommend/net.onnx" --data "$D" --epochs 15 --lr 0.002
prune recommendhalf recommend.onnx "${half[@]}" --recover distil --data "$D" --epochs 5 --lr 0.002

D="npz:$T/detect/train.npz,$T/detect/test.npz"
M='ap50(boxes,scores,true_boxes,true_labels,background=first,offset=1)'
train detect "$T/detect/net.onnx" --data "$D" --loss "onnx:$T/detect/loss.onnx" --metric "$M" --epochs 10 --lr 0.002
prune detecthalf detect.onnx "${half[@]}" --recover distil --loss none --metric "$M" --data "$D" --epochs 4 --lr 0.002
prune detectloss detect.onnx "${half[@]}" --loss "onnx:$T/detect/loss.onnx" --metric "$M" --data "$D" --epochs 4 --lr 0.002
