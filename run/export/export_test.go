package export

import (
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pare/run"

	"google.golang.org/protobuf/encoding/protowire"
)

// example is a run with two trainings, and names that mean harm.
func example(t *testing.T) *Run {
	t.Helper()
	s, err := run.NewStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Create(&run.Record{Command: "model prune", Args: []string{"it's", "a: b\n"}, Methods: []string{"gmp"}, Settings: map[string]string{"power": "3", "../x": "1"}, Values: map[string]float64{"loss": .25}}, run.Program{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := a.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 3, 4, 12, 0, 0, 5e8, time.UTC)
	for step := 1; step <= 3; step++ {
		for training := 1; training <= 2; training++ {
			m.Add(&run.Point{Time: noon.Add(time.Duration(step) * time.Second), Training: training, Step: step, Epoch: 1, Values: []run.Value{{Name: run.Loss, X: float64(step) / 4}, {Name: "../../up", X: float64(training)}}})
		}
	}
	m.Add(&run.Point{Time: noon, Of: "../of", Values: []run.Value{{Name: "a,b\"", X: 1}}})
	if err := a.End(run.Done, nil); err != nil {
		t.Fatal(err)
	}
	e, err := s.Entry(a.Name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Read(e)
	if err != nil || len(r.Points) != 7 {
		t.Fatal(r, err)
	}
	return r
}

// Whatever names say, every form writes below its folder alone, twice the same, and leaves
// what is no export of the run.
func TestForms(t *testing.T) {
	r := example(t)
	for _, f := range Forms {
		top := t.TempDir()
		dir := filepath.Join(top, "a", "b", "c", "d")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		var all [2]string
		for i := range all {
			path, err := f.Write(dir, r)
			if err != nil || !strings.HasPrefix(path, dir+string(filepath.Separator)) {
				t.Fatal(f.Name, path, err)
			}
			filepath.WalkDir(top, func(p string, d os.DirEntry, err error) error { //nolint:errcheck // the test fails then
				if err == nil && !d.IsDir() {
					b, _ := os.ReadFile(p)
					all[i] += fmt.Sprintf("%s %x\n", p, b)
					if !strings.HasPrefix(p, dir+string(filepath.Separator)) {
						t.Errorf("%s writes %s", f.Name, p)
					}
				}
				return err
			})
		}
		if all[0] != all[1] || all[0] == "" {
			t.Errorf("%s: twice is not the same", f.Name)
		}
		if f.Name == "csv" {
			continue
		}
		path, _ := f.Write(dir, r)
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		mine := filepath.Join(path, "mine.txt")
		if err := os.WriteFile(mine, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(dir, r); err == nil {
			t.Errorf("%s writes over what is no export", f.Name)
		}
		if _, err := os.Stat(mine); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}

func TestCSV(t *testing.T) {
	r := example(t)
	path, err := writeCSV(t.TempDir(), r)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != 8 {
		t.Fatal(rows, err)
	}
	if got := strings.Join(rows[0], "|"); got != `time|of|training|step|epoch|loss|../../up|a,b"` {
		t.Error(got)
	}
	if got := strings.Join(rows[2], "|"); got != "2026-03-04T12:00:01.500Z||2|1|1|0.25|2|" {
		t.Error(got)
	}
}

// An event file is the records that TensorBoard reads: this reads them back by the format's
// definition, checksums too.
func TestEvents(t *testing.T) {
	if got := masked([]byte("123456789")); got != (0xe3069283>>15|0xe3069283<<17&0xffffffff)+0xa282ead8&0xffffffff { // CRC-32C of RFC 3720
		t.Errorf("%x", got)
	}
	r := example(t)
	dir := t.TempDir()
	path, err := writeTensorBoard(dir, r)
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(path, "training-2", eventFile+"*"))
	if len(files) != 1 {
		t.Fatal(files)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for len(b) > 0 {
		n := binary.LittleEndian.Uint64(b)
		if binary.LittleEndian.Uint32(b[8:]) != masked(b[:8]) || binary.LittleEndian.Uint32(b[12+n:]) != masked(b[12:12+n]) {
			t.Fatal("a checksum is wrong")
		}
		got = append(got, readEvent(t, b[12:12+n]))
		b = b[16+n:]
	}
	if want := "brain.Event:2; 1772625601.5 1 loss=0.25 ../../up=2; 1772625602.5 2 loss=0.5 ../../up=2; 1772625603.5 3 loss=0.75 ../../up=2"; strings.Join(got, "; ") != want {
		t.Errorf("%s, want %s", strings.Join(got, "; "), want)
	}
}

func readEvent(t *testing.T, b []byte) string {
	t.Helper()
	var out []string
	fields(t, b, func(num protowire.Number, x uint64, b []byte) {
		switch num {
		case eventTime:
			out = append(out, fmt.Sprintf("%.1f", math.Float64frombits(x)))
		case eventStep:
			out = append(out, fmt.Sprint(x))
		case eventVersion:
			out = []string{string(b)}
		case eventSummary:
			fields(t, b, func(_ protowire.Number, _ uint64, b []byte) {
				var text string
				fields(t, b, func(num protowire.Number, x uint64, b []byte) {
					if num == valueTag {
						text = string(b)
					} else {
						text += fmt.Sprintf("=%g", math.Float32frombits(uint32(x)))
					}
				})
				out = append(out, text)
			})
		}
	})
	return strings.Join(out, " ")
}

func fields(t *testing.T, b []byte, see func(protowire.Number, uint64, []byte)) {
	t.Helper()
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
		var x uint64
		var in []byte
		switch typ {
		case protowire.VarintType:
			x, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			x, n = protowire.ConsumeFixed64(b)
		case protowire.Fixed32Type:
			var y uint32
			y, n = protowire.ConsumeFixed32(b)
			x = uint64(y)
		default:
			in, n = protowire.ConsumeBytes(b)
		}
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		see(num, x, in)
		b = b[n:]
	}
}

// What is followed is, at the end, what is written at once.
func TestFollow(t *testing.T) {
	r := example(t)
	all := r.Points
	a, b := t.TempDir(), t.TempDir()
	r.Points = all[:2]
	f, err := Follow(a, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{2, 5, 7} {
		r.Points = all[:n]
		if err := f.Next(r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := writeTensorBoard(b, r); err != nil {
		t.Fatal(err)
	}
	n := 0
	filepath.WalkDir(b, func(p string, d os.DirEntry, err error) error { //nolint:errcheck // the test fails then
		if err == nil && !d.IsDir() {
			n++
			rel, _ := filepath.Rel(b, p)
			want, _ := os.ReadFile(p)
			if got, err := os.ReadFile(filepath.Join(a, rel)); err != nil || string(got) != string(want) {
				t.Errorf("%s: %v", rel, err)
			}
		}
		return nil
	})
	if n != 3 {
		t.Errorf("%d files", n)
	}
}

// MLflow's store: a file for each metric with its lines, parameters and tags by their names.
func TestMLflow(t *testing.T) {
	r := example(t)
	path, err := writeMLflow(t.TempDir(), r)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"metrics/training-1/loss": "1772625601500 0.25 1\n1772625602500 0.5 2\n1772625603500 0.75 3\n",
		"metrics/result.loss":     fmt.Sprintf("%d 0.25 0\n", r.Record.Ended.UnixMilli()),
		"params/setting.power":    "3",
		"params/setting._._x":     "1",
		"params/command":          "pare it's a: b\n",
		"tags/mlflow.runName":     r.Name,
	} {
		if b, err := os.ReadFile(filepath.Join(path, name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, want %q, %v", name, b, want, err)
		}
	}
	b, err := os.ReadFile(filepath.Join(path, "meta.yaml"))
	if err != nil || !strings.Contains(string(b), "status: 3\n") || !strings.Contains(string(b), "run_name: '"+r.Name+"'\n") {
		t.Errorf("%s %v", b, err)
	}
	if _, err := os.Stat(filepath.Join(path, "artifacts", run.RecordFile)); err != nil {
		t.Error(err)
	}
}
