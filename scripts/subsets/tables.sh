#!/usr/bin/env bash
# Compares the methods that choose samples on the whole of MNIST and CIFAR-10, and writes
# docs/data-mnist.md and docs/data-cifar10.md: bash scripts/subsets/tables.sh mnist|cifar10 DIR
# OUT. DIR has the four idx files of MNIST (.gz or not), or the binary files of CIFAR-10;
# OUT keeps what is done, so that the same command goes on where it was stopped. SEEDS is
# the number of seeds (3), METHODS others than all, PARE the program, ARGS more flags (such
# as --threads 2).
set -euo pipefail
set=${1:?mnist or cifar10} dir=${2:?the folder of the files} out=${3:?the folder of results}
pare=${PARE:-pare}
methods=rs2,rs2:replace=true,ccs:cutoff=0.1,ccs:cutoff=0.3
methods+=,rank@aum,rank:end=easy@aum,rank@forgetting,rank@el2n,rank:end=easy@el2n
methods+=,rank@prototypes,rank:end=easy@prototypes,rank@grand,rank@loss,rank@entropy,rank@margin,rank@least-confidence
methods+=,herding,k-centre
file() { if [ -e "$dir/$1.gz" ]; then echo "$dir/$1.gz"; else echo "$dir/$1"; fi; }
case $set in
mnist)
	data=idx:$(file train-images-idx3-ubyte),$(file train-labels-idx1-ubyte),$(file t10k-images-idx3-ubyte),$(file t10k-labels-idx1-ubyte)
	how=(mlp:784-100-10 --lr 0.05)
	;;
cifar10)
	data=cifar10:$dir
	how=(resnet20 --lr 0.1 --optimizer nesterov --decay 5e-4 --crop 4 --flip)
	;;
*)
	echo "$set: mnist or cifar10" >&2
	exit 2
	;;
esac
# shellcheck disable=SC2086
exec "$pare" data compare "${how[@]}" --data "$data" --methods "${METHODS:-$methods}" --keep 0.1,0.3,0.5,0.7 --seeds "${SEEDS:-3}" --epochs 15 \
	-o "$out" --page "docs/data-$set.md" ${ARGS:-}
