package engine

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"sync"
)

// machine is the memory that the machine has, in bytes; where it does not say so, as
// much as can be addressed. No network's values can take more.
var machine = sync.OnceValue(func() int {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return math.MaxInt / 16
	}
	total := 0
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		var name string
		var k int
		if n, _ := fmt.Sscan(s.Text(), &name, &k); n == 2 && (name == "MemTotal:" || name == "SwapTotal:") {
			total += k << 10
		}
	}
	if total == 0 {
		return math.MaxInt / 16
	}
	return total
})

// mostOf is the bytes that values may take.
func mostOf(o Options) int {
	if o.Most > 0 {
		return min(o.Most, machine())
	}
	return machine()
}
