package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"pare/report"
)

// memory is the size of a flag, in bytes; 0 is not given.
type memory int

// Type names the value in help texts.
func (m *memory) Type() string { return "size" }

func (m *memory) String() string {
	if *m == 0 {
		return ""
	}
	return strconv.Itoa(int(*m)>>20) + "M"
}

// Set reads a number of mebibytes, or one with K, M, G or T behind it.
func (m *memory) Set(x string) error {
	text := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(x), "B"), "I")
	shift := 20
	if i := strings.IndexAny(text, "KMGT"); i >= 0 && i == len(text)-1 {
		shift = 10 * (1 + strings.IndexByte("KMGT", text[i]))
		text = text[:i]
	}
	n, err := strconv.ParseFloat(text, 64)
	if bytes := n * float64(int(1)<<shift); err == nil && bytes >= 1<<20 && bytes < 1<<60 {
		*m = memory(bytes)
		return nil
	}
	return errors.New("a size of at least 1M is needed, such as 512M or 8G")
}

// share is the part of the machine's memory that Pare takes unasked.
const share = .8

// most is how much memory may be taken: what --memory says, or a share of the
// machine's; 0 where neither is known.
func (c *cli) most() int {
	if c.memory > 0 {
		return int(c.memory)
	}
	return int(share * float64(machine()))
}

// machine is the memory of the machine, or of the group of processes that this one
// runs in, in bytes; 0 where the system does not say.
func machine() int {
	least := 0
	note := func(n int) {
		if n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		if _, rest, ok := strings.Cut(string(b), "MemTotal:"); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				n, _ := strconv.Atoi(f[0])
				note(n << 10)
			}
		}
	}
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if b, err := os.ReadFile(file); err == nil {
			n, _ := strconv.Atoi(strings.TrimSpace(string(b))) // "max" is no number
			note(n)
		}
	}
	return least
}

// guard ends the process with an error of its own where it takes more memory than it
// may, before the system ends it with none.
func (c *cli) guard(most int) {
	if most == 0 {
		return
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(most) / 10 * 9) // tidy up before giving up
	}
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for range time.Tick(20 * time.Millisecond) {
		metrics.Read(s)
		if taken := s[0].Value.Uint64() - s[1].Value.Uint64(); taken > uint64(most) {
			err := fmt.Errorf("out of memory: it takes more than the %s that it may (--memory); smaller data, a smaller batch or network take less", report.Bytes(int64(most)).Text)
			fmt.Fprintf(c.err, "pare: %v\n", err)
			c.endRun(1, err)
			os.Exit(1)
		}
	}
}
