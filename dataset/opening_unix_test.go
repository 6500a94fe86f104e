//go:build unix

package dataset

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Opening of files that are streamed, by their bytes, and by those of a second of the
// processor's time, whatever else the machine does.
func BenchmarkOpening(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 8))
	numbers := func(n int, format string, of func() any) string {
		out := make([]string, n)
		for i := range out {
			out[i] = fmt.Sprintf(format, of())
		}
		return strings.Join(out, ",")
	}
	normal := func() any { return r.NormFloat64() }
	pixel := func() any { return max(0, r.IntN(512)-256) }
	header := func(n int) string {
		k := -1
		return numbers(n, "x%d", func() any { k++; return k })
	}
	for _, c := range []struct {
		name, spec, head string
		line             func(i int) string
	}{
		{"json", "jsonl:%s", "", func(i int) string {
			return fmt.Sprintf(`{"id":%d,"x":[%s],"ids":[%s],"label":%d}`, i, numbers(60, "%.6f", normal), numbers(50, "%d", func() any { return r.IntN(30000) }), r.IntN(10))
		}},
		{"pixels", "csv:%s", header(784) + ",label\n", func(int) string { return numbers(785, "%d", pixel) }},
		{"numbers", "csv:%s", header(20) + ",label\n", func(i int) string { return numbers(20, "%.5f", normal) + fmt.Sprintf(",%d", i%10) }},
		{"fields", "csv:%s?target=y,kind&drop=text", header(20) + ",text,kind,y\n", func(i int) string {
			return numbers(20, "%.5f", normal) + fmt.Sprintf(`,"words, ""said"" %d",k%d,%d`, i, i%10, r.IntN(100))
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var text strings.Builder
			text.WriteString(c.head)
			for i := 0; text.Len() < 16<<20; i++ {
				text.WriteString(c.line(i) + "\n")
			}
			spec := fmt.Sprintf(c.spec, write(b, filepath.Join(b.TempDir(), "a"+map[bool]string{true: ".jsonl", false: ".csv"}[c.name == "json"]), []byte(text.String())))
			b.SetBytes(int64(text.Len()))
			began := processor()
			for b.Loop() {
				d, err := Options{Memory: 5 << 20}.Open(spec)
				if err != nil || d.Train.Stream == nil {
					b.Fatalf("%s is not streamed: %v", spec, err)
				}
			}
			b.ReportMetric(float64(text.Len())*float64(b.N)/1e6/(processor()-began), "MB/cpu-s")
		})
	}
}

// processor is the time that the process has had, in seconds.
func processor() float64 {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
}
