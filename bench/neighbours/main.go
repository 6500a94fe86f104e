// Command neighbours measures the search for nearest neighbours: it reads rows of
// float32 from a .npy file, finds the neighbours of each among the others, and says how
// long that took, how much memory, and what was found. neighbours.py, beside it, makes
// the rows and lets faiss do the same.
//
//	go run ./bench/neighbours -exact rows.npy ids.npy
//	go run ./bench/neighbours -recall 0.95 rows.npy ids.npy
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"pare/neighbours"
	"pare/npy"
	"pare/tensor"
)

func main() {
	debug.SetGCPercent(50) // as in the command
	exact := flag.Bool("exact", false, "look at all rows")
	k := flag.Int("k", 10, "neighbours of each row")
	recall := flag.Float64("recall", .95, "share of them that is to be found")
	lists := flag.Int("lists", 0, "of the inverted file; 0: chosen")
	metric := flag.String("metric", "l2", "l2 or cosine")
	threads := flag.Int("threads", 0, "0: one for each processor")
	memory := flag.Int64("memory", 0, "bytes that rows may take; 0: 1 GiB")
	flag.Parse()
	o := neighbours.Options{K: *k, Metric: neighbours.Metric(*metric), Recall: *recall, Lists: *lists, Threads: *threads, Memory: *memory}
	if err := run(flag.Arg(0), flag.Arg(1), *exact, o); err != nil {
		fmt.Fprintln(os.Stderr, "neighbours:", err)
		os.Exit(1)
	}
}

func run(from, to string, exact bool, o neighbours.Options) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	head := make([]byte, min(st.Size(), npy.MaxHeader))
	if _, err := f.ReadAt(head, 0); err != nil {
		return err
	}
	h, err := npy.HeaderOf(head, int(st.Size()))
	if err != nil {
		return err
	}
	if h.DType != tensor.Float32 || len(h.Shape) != 2 || h.Fortran || h.Big {
		return fmt.Errorf("%s is no array of rows of float32", from)
	}
	rows := neighbours.File{From: f, Offset: int64(h.Len), N: h.Shape[0], Width: h.Shape[1]}
	search := neighbours.Approximate
	if exact {
		search = neighbours.Exact
	}
	begin := time.Now()
	r, err := search(context.Background(), rows, nil, o)
	if err != nil {
		return err
	}
	took := time.Since(begin).Seconds()
	if to != "" {
		b, err := npy.Encode(&tensor.Tensor{DType: tensor.Int32, Shape: []int{r.N, r.K}, Data: r.Index})
		if err != nil {
			return err
		}
		if err := os.WriteFile(to, b, 0o644); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"rows": r.N, "seconds": took, "recall": r.Recall, "lists": r.Lists, "probes": r.Probes, "peak": peak(), "cpu": busy()})
}

// busy is the seconds that processors have worked for the process; 0: not known here.
func busy() float64 {
	b, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest) // from field 3 on; 14 and 15 are user and system time in hundredths (man 5 proc)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100
}

// peak is the most memory that the process has had, in bytes; 0: not known here.
func peak() int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	kb, _ := strconv.ParseInt(strings.Fields(rest + " 0")[0], 10, 64)
	return kb << 10
}
