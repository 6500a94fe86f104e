package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/npy"
	"pare/tensor"
)

// Input that cannot be meant is refused by every command of data, with what is wrong and where; nothing is written.
func TestDataBadInput(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	rows := func(name string, change func(x []float32)) string {
		x := tensor.New(tensor.Float32, 200, 4)
		for i := range tensor.Of[float32](x) {
			tensor.Of[float32](x)[i] = float32(math.Sin(float64(i)))
		}
		change(tensor.Of[float32](x))
		b, err := npy.Encode(x)
		if err != nil {
			t.Fatal(err)
		}
		return put(t, at(name), string(b))
	}
	nan := rows("nan.npy", func(x []float32) { x[4*7+1] = float32(math.NaN()) })
	inf := rows("inf.npy", func(x []float32) { x[4*9] = float32(math.Inf(1)) })
	zero := rows("zero.npy", func(x []float32) { clear(x[4*11 : 4*12]) })
	csv := ""
	for i := range 200 {
		csv += fmt.Sprintf("%d.5,%d\n", i, i%5)
	}
	set := "csv:" + put(t, at("set.csv"), csv)
	all := "id,x\n"
	for i := range 200 {
		all += fmt.Sprintf("%d,1\n", i)
	}
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"prune --data SET --samples 4 --stratified -o OUT.txt", 2, "--stratified: 4 samples are to stay, and there are 5 classes"},
		{"prune --data SET --samples 4 --floor 0.5 -o OUT.txt", 2, "--floor: 4 samples"},
		{"prune --data SET --samples 4 --method rank --within class --hard low --score " + put(t, at("all.csv"), all) + " -o OUT.txt", 2, "--within: 4 samples"},
		{"prune --data SET --samples 201 -o OUT.txt", 2, "--samples 201: there are 200 samples"},
		{"prune --data SET --quota 1=90 -o OUT.txt", 2, "the class has 40 samples"},
		{"prune --data SET --method herding --embeddings " + nan + " -o OUT.txt", 1, "not finite, the first of them [7]"},
		{"prune --data SET --method k-centre --embeddings " + inf + " -o OUT.txt", 1, "not finite, the first of them [9]"},
		{"score --data SET --method prototypes --embeddings " + zero + " -o OUT.csv", 1, "have no direction, the first of them [11]"},
		{"inspect SET --embeddings " + nan, 1, "row 7 has a NaN"},
		{"dedup SET --embeddings " + inf + " -o OUT.csv", 1, "row 9 has a NaN or an infinity"},
		{"dedup SET --embeddings " + zero + " -o OUT.csv", 1, "row 11 is zeros"},
		{"prune --data SET --method quantile --score " + put(t, at("other.csv"), "#{\"score\":\"x\",\"hard\":\"high\",\"data\":\"0123\"}\nid,x\n1,2\n") + " -o OUT.txt", 2, "is of other data (digest 0123"},
		{"prune --data SET --method rank --hard low --score " + put(t, at("few.csv"), "id,x\n1,2\n") + " -o OUT.txt", 2, "lacks 199 of the 200 samples"},
		{"prune --data SET --method rank --hard low --score " + put(t, at("far.csv"), "id,x\n999,2\n") + " -o OUT.txt", 2, "has a sample 999"},
		{"prune --data SET --method rank --hard low --score " + put(t, at("twice.csv"), "id,x\n1,2\n1,2\n") + " -o OUT.txt", 1, "sample 1 is there twice"},
		{"prune --data SET --method rank --hard low --score " + put(t, at("nan.csv"), "id,x\n1,NaN\n") + " -o OUT.txt", 1, "not finite"},
		{"apply " + put(t, at("unknown.csv"), "id,action\ntraining:1,drop\ntraining:200,drop\n") + " SET -o OUT.npz", 1, "line 3: there is no sample \"training:200\""},
		{"apply " + put(t, at("again.csv"), "id,action\ntraining:1,drop\ntraining:1,keep\n") + " SET -o OUT.npz", 1, "has a decision already, in line 2"},
		{"apply " + put(t, at("label.csv"), "id,action,label\ntraining:1,relabel,five\n") + " SET -o OUT.npz", 1, "there is no such class"},
		{"score --data SET --method perplexity -o OUT.csv", 2, "no texts of tokens"},
		{"score --data SET --method memorisation --network mlp:1-4-6 -o OUT.csv", 1, "outputs"},
		{"score --data SET --method aum-threshold --network mlp:1-4-5 -o OUT.csv", 1, "outputs"},
		{"inspect SET --aum mlp:1-4-5", 1, "outputs"},
	} {
		args := strings.Fields(strings.NewReplacer("SET", set, "OUT", at("out")).Replace(c.args))
		if s, _, e := pare(t, append([]string{"data"}, args...)...); s != c.status || !strings.Contains(e, c.says) {
			t.Errorf("%v: status %d, want %d; said %q, want %q", args, s, c.status, e, c.says)
		}
	}
	if left, _ := filepath.Glob(at("out*")); len(left) > 0 {
		t.Errorf("%v was written", left)
	}
	// A class that vanishes is said, whoever chooses.
	_, _, e := pare(t, "data", "prune", "--data", set, "--samples", "4", "-o", at("out.txt"))
	if !strings.Contains(e, "nothing is left of classes") {
		t.Errorf("%q", e)
	}
	if _, err := os.Stat(at("out.txt")); err != nil {
		t.Error(err)
	}
}
