package interop

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pare/onnx"
	"pare/zoo"
)

// bench/ortime.py prints a time in its last line, of free sizes too.
func TestOrtime(t *testing.T) {
	py := python(t, "onnxruntime", "numpy")
	for _, arch := range []string{"mlp:64-32-10", "bert-2-64-2"} {
		g, err := zoo.New(arch, zoo.Options{})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "net.onnx")
		if err := onnx.Save(path, g, onnx.Options{}); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(py, "../bench/ortime.py", path, "--threads", "1", "--seconds", "0.05").Output()
		if err != nil {
			t.Fatalf("%s: %v", arch, err)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if ms, err := strconv.ParseFloat(lines[len(lines)-1], 64); err != nil || ms <= 0 || ms > 1000 {
			t.Errorf("%s: %q", arch, out)
		}
		if out, err := exec.Command(py, "../bench/ortime.py", path, "--size", "bacth=8").CombinedOutput(); err == nil || !strings.Contains(string(out), "no free size is called bacth") {
			t.Errorf("%s: a size that there is not: %s, %v", arch, out, err)
		}
	}
}
