#!/bin/bash
# Makes a sweep by two workers that are killed (kill -9) at random and started again, as is now
# and then who asks them, and compares what comes out with the sweep that nobody kills:
#
#	bash scripts/sweeps/killed.sh PARE scripts/sweeps/digits.yaml FOLDER [SEED]
set -u
pare=$1 file=$2 dir=$3 RANDOM=${4:-1}
port=$((20000 + RANDOM % 20000))
mkdir -p "$dir"
"$pare" sweep "$file" -o "$dir/straight" --jobs 2 --threads 1 >"$dir/straight.txt" 2>"$dir/straight.log" || exit 1

ask() {
	"$pare" sweep "$file" -o "$dir/killed" --threads 1 --listen 127.0.0.1:$port --page "$dir/killed.md" >"$dir/killed.txt" 2>>"$dir/killed.log" &
	asker=$!
}
work() {
	"$pare" worker --nats nats://127.0.0.1:$port --cache "$dir/cache" --checkpoint-every 100ms >>"$dir/worker.log" 2>&1 &
	workers[$1]=$!
}
workers=() kills=0 lost=0
ask
sleep 1
work 0
work 1
while kill -0 $asker 2>/dev/null; do
	sleep 0.$((3 + RANDOM % 6))
	for i in 0 1; do # one that found no queue
		kill -0 ${workers[$i]} 2>/dev/null || work $i
	done
	if ((RANDOM % 12 == 0)); then
		kill -9 $asker 2>/dev/null && lost=$((lost + 1))
		wait $asker 2>/dev/null
		ask
		continue
	fi
	i=$((RANDOM % 2))
	kill -9 ${workers[$i]} 2>/dev/null && kills=$((kills + 1))
	wait ${workers[$i]} 2>/dev/null
	work $i
done
wait $asker
status=$?
kill ${workers[@]} 2>/dev/null
wait 2>/dev/null
echo "workers were killed $kills times, who asked them $lost times; exit status $status"
# What decides and what came out, without times and names of runs; the last line of a run counts.
what() {
	sed -E 's/"(run|seconds|tries|worker|elapsed)":("[^"]*"|[^,}]*),?//g; s/"(milliseconds|time_ratio)[a-z_]*":[^,}]*,?//g' "$1/results.jsonl" |
		awk -F'"' '{ last[$4] = $0 } END { for (k in last) print last[k] }' | sort
}
if diff <(what "$dir/straight") <(what "$dir/killed") >"$dir/diff.txt"; then
	echo "the same came out: $(what "$dir/killed" | wc -l) runs"
else
	echo "something else came out: see $dir/diff.txt"
	exit 1
fi
same=0 other=0
for f in "$dir"/straight/work/*/net.onnx; do
	if cmp -s "$f" "${f/straight/killed}"; then same=$((same + 1)); else other=$((other + 1)); fi
done
echo "$same networks have the same bytes, $other others"
((other == 0))
