package run

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func openMetrics(t *testing.T, path string) *Metrics {
	t.Helper()
	m, err := OpenMetrics(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() }) //nolint:errcheck // it is closed in the test
	return m
}

// A point is the line that is promised, and is read back; what JSON has no number for is left out.
func TestPointLine(t *testing.T) {
	p := &Point{noon, "gmp \"0.8\"", 2, 400, 9, []Value{{Loss, .5}, {"nan", math.NaN()}, {"inf", math.Inf(1)}, {"step", 7}, {"größe\n", 1e-20}}}
	want := `{"time":"2026-03-04T12:00:00.000Z","of":"gmp \"0.8\"","training":2,"step":400,"epoch":9,"loss":0.5,"größe\n":1e-20}` + "\n"
	if got := string(p.append(nil)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	q, err := DecodePoint([]byte(want))
	p.Values = []Value{{Loss, .5}, {"größe\n", 1e-20}}
	if err != nil || !reflect.DeepEqual(p, q) {
		t.Errorf("%+v %v", q, err)
	}
}

// What is flushed is in the file; half a line of a killed process is taken off, and what
// is past the state that a training goes on from too, of that training alone.
func TestRewind(t *testing.T) {
	path := filepath.Join(t.TempDir(), MetricsFile)
	m := openMetrics(t, path)
	for step := 1; step <= 6; step++ {
		for training := range 2 {
			m.Add(&Point{Time: noon, Training: training, Step: step, Values: []Value{{Loss, float64(step)}}})
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"time":"2026-03-04T12:00:00`) //nolint:errcheck // the test fails then
	f.Close()
	if ps, err := ReadMetrics(path); err != nil || len(ps) != 12 {
		t.Fatalf("%d points, %v", len(ps), err)
	}
	m = openMetrics(t, path)
	m.Rewind("", 1, 4)
	m.Rewind("", 0, 6)
	m.Rewind("other", 1, 0)
	m.Add(&Point{Time: noon, Training: 1, Step: 5, Values: []Value{{Loss, 50}}})
	m.Flush()
	ps, err := ReadMetrics(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range ps {
		x, _ := p.Get(Loss)
		got = append(got, fmt.Sprintf("%d/%d=%g", p.Training, p.Step, x))
	}
	if want := "0/1=1 1/1=1 0/2=2 1/2=2 0/3=3 1/3=3 0/4=4 1/4=4 0/5=5 0/6=6 1/5=50"; strings.Join(got, " ") != want {
		t.Errorf("%v, want %v", got, want)
	}
	if n := Newest(ps); len(n) != 2 || n[0].Step != 6 || n[1].Step != 5 {
		t.Errorf("newest %v", n)
	}
}

// Many add at once; every line is whole.
func TestAddAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), MetricsFile)
	m := openMetrics(t, path)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 500 {
				m.Add(&Point{Time: time.Now(), Of: fmt.Sprint(i), Step: k, Values: []Value{{Loss, 1}}})
			}
		})
	}
	wg.Wait()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if ps, err := ReadMetrics(path); err != nil || len(ps) != 4000 {
		t.Errorf("%d points, %v", len(ps), err)
	}
}

// A file that cannot be written does not stop who adds; it is said.
func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	m := openMetrics(t, filepath.Join(t.TempDir(), MetricsFile))
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	m.f.Close()
	m.f = full
	for i := range 3 {
		m.Add(&Point{Time: noon.Add(time.Duration(i) * time.Hour), Step: i})
		m.Rewind("", 0, 0)
	}
	m.Flush()
	if m.Err() == nil || !IsFault(m.Err()) {
		t.Errorf("%v", m.Err())
	}
	var none *Metrics
	none.Add(&Point{})
	if none.Err() != nil || none.Close() != nil || none.Watcher("", false) != nil {
		t.Error("nil is not nothing")
	}
}

// Hostile lines are refused, or are points that are written and read back.
func FuzzPoint(f *testing.F) {
	for _, s := range []string{`{"time":"2026-03-04T12:00:00Z","step":1,"loss":0.5}`, `{}`, `[]`, `{"step":-1}`, `{"step":1.5}`, `{"loss":{"a":[1]}}`, `{"a":1e400}`, `{"step":1}x`,
		`{"time":7}`, `{"of":"\u0000","training":9223372036854775807}`, strings.Repeat("[", 10000), `{"a":1,"a":2}`, `{"a":"b","c":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodePoint(b)
		if err != nil {
			return
		}
		line := p.append(nil)
		q, err := DecodePoint(line)
		if y := p.Time.UTC().Year(); err != nil && (y < 0 || y > 9999) {
			return
		}
		if err != nil || q.Step != p.Step || q.Training != p.Training || q.Epoch != p.Epoch || len(q.Values) > len(p.Values) {
			t.Errorf("%q becomes %q: %v", b, line, err)
		}
	})
}

// A file that is hostile is refused, and never held whole without a bound.
func TestHostileMetrics(t *testing.T) {
	path := filepath.Join(t.TempDir(), MetricsFile)
	for _, text := range []string{"x\n", "{}\n[1]\n", "{\"step\":1}\n{\"step\":\"a\"}\n", strings.Repeat("a", 2<<20) + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadMetrics(path); err == nil || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%.20q: %v", text, err)
		}
		if _, err := OpenMetrics(path); err == nil {
			t.Errorf("%.20q was opened", text)
		}
	}
	if err := os.Truncate(path, 1<<40); err != nil {
		t.Skip(err)
	}
	if _, err := ReadMetrics(path); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Error(err)
	}
}

// A point costs a microsecond.
func BenchmarkAdd(b *testing.B) {
	m, err := OpenMetrics(filepath.Join(b.TempDir(), MetricsFile))
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	p := &Point{Time: time.Now(), Training: 1, Values: []Value{{Loss, .12345678}, {Rate, .001}}}
	for b.Loop() {
		p.Step++
		m.Add(p)
	}
}
