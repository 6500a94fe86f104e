package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"pare/measure"
)

// alone runs one work three times and prints the process's peak memory.
func alone(all []work, name string) error {
	for _, w := range all {
		if w.Group+"/"+w.Name != name {
			continue
		}
		f, done, err := w.ours(1)
		if err != nil {
			return err
		}
		defer done()
		if _, err := timed(f, 3, false); err != nil {
			return err
		}
		b, err := os.ReadFile("/proc/self/status")
		if err != nil {
			return err
		}
		for _, l := range strings.Split(string(b), "\n") {
			if f := strings.Fields(l); len(f) > 1 && f[0] == "VmHWM:" {
				kb, err := strconv.Atoi(f[1])
				fmt.Println(kb * 1024)
				return err
			}
		}
		return errors.New("the system does not tell the peak memory")
	}
	return fmt.Errorf("no work %q", name)
}

// memory compares the peak memory of whole processes that do one work on one
// thread, for training and inference.
func memory(all []work, match *regexp.Regexp, python string) []Row {
	var rows []Row
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	for _, w := range all {
		if !w.solo() || !match.MatchString(w.Group+"/"+w.Name) {
			continue
		}
		job, err := json.Marshal(w.theirs)
		if err != nil {
			continue
		}
		mine, err := peak(exec.Command(self, "-solo", w.Group+"/"+w.Name))
		r := Row{Group: "peak memory", Name: w.Name, Threads: 1, Peer: w.Peer, Bar: 1}
		if err == nil {
			var theirs float64
			if theirs, err = peak(exec.Command(python, script(), "1", "--solo", string(job))); err == nil {
				r.Pare, r.Theirs, r.Ratio = measure.Spread{Median: mine}, measure.Spread{Median: theirs}, measure.Spread{Median: theirs / mine}
				mark := ""
				if r.Ratio.Median < 1 {
					mark = "  below"
				}
				fmt.Printf("%-14s %-44s 1T  %6.0f MB  %-12s %6.0f MB  %5.2f         (1.00)%s\n", r.Group, r.Name, mine/1e6, w.Peer, theirs/1e6, theirs/mine, mark)
			}
		}
		if err != nil {
			r.Error = err.Error()
			fmt.Printf("%-14s %-44s 1T  %s\n", r.Group, r.Name, r.Error)
		}
		rows = append(rows, r)
	}
	return rows
}

// solo says whether a work's memory is compared.
func (w work) solo() bool {
	return w.theirs != nil && (w.theirs["kind"] == "train" || w.theirs["kind"] == "infer" && w.Group == "inference")
}

func peak(c *exec.Cmd) (float64, error) {
	var why bytes.Buffer
	c.Stderr = &why
	out, err := c.Output()
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, strings.TrimSpace(why.String()))
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(out)))
	return float64(n), err
}
