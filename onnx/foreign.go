package onnx

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// How networks of other programs become ONNX.
const (
	fromTorch      = `export it in Python, where its class is: torch.onnx.export(model, example_input, "net.onnx")`
	fromKeras      = `export it in Python: model.export("net.onnx", format="onnx"), or python -m tf2onnx.convert --keras net.h5 --output net.onnx`
	fromLite       = "export it in Python: python -m tf2onnx.convert --tflite net.tflite --output net.onnx"
	fromTensorFlow = "export it in Python: python -m tf2onnx.convert --saved-model FOLDER --output net.onnx"
)

// magics are the first bytes of other files, and what these are.
var magics = []struct {
	at   int
	is   string
	what string
}{
	{0, "\x89HDF\r\n\x1a\n", "is an HDF5 file, such as Keras writes: " + fromKeras},
	{4, "TFL3", "is a TensorFlow Lite network: " + fromLite},
	{4, "ORTM", "is in ONNX Runtime's own form: give the ONNX file that it was made from"},
	{0, "GGUF", "is a GGUF file of llama.cpp, which holds the weights of a language model and no network: export the model to ONNX from where it came (optimum-cli export onnx)"},
	{0, "\x80\x02", "is a pickle of Python, such as PyTorch writes: " + fromTorch},
	{0, "\x80\x04", "is a pickle of Python: " + fromTorch},
	{0, "version https://git-lfs.github.com/spec/", "is a pointer of Git LFS and not the file itself: run git lfs pull in its repository"},
	{0, "\x1f\x8b", "is compressed by gzip: unpack it"},
	{0, "\x28\xb5\x2f\xfd", "is compressed by zstd: unpack it"},
	{0, "\xfd7zXZ", "is compressed by xz: unpack it"},
	{257, "ustar", "is a tar archive: unpack it"},
	{0, "\x93NUMPY", "is an array of NumPy and no network"},
}

// foreign says what a file is that is no network in a form that Pare reads; "" where it is
// not recognised.
func foreign(path string, head []byte) string {
	if len(head) == 0 {
		return "is empty"
	}
	for _, m := range magics {
		if len(head) > m.at && bytes.HasPrefix(head[m.at:], []byte(m.is)) {
			return m.what
		}
	}
	text := strings.ToLower(strings.TrimLeft(string(head), "\ufeff \t\r\n"))
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return archive(head)
	case isSafetensors(head):
		return "is a .safetensors file, which holds weights and no network: give the network's ONNX file, or the name of an architecture and these as its weights"
	case strings.HasPrefix(text, "<!doctype html"), strings.HasPrefix(text, "<html"):
		return "is a web page and not a network: the address that it was loaded from leads to a page"
	case strings.HasPrefix(text, "<?xml"):
		return "is an XML file and not a network in ONNX"
	case strings.HasPrefix(text, "{"):
		return "is a JSON file and not a network in ONNX"
	case len(bytes.Trim(head, "\x00")) == 0:
		return "holds zeros: it was not written or loaded to its end"
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".mlmodel":
		return "is a Core ML network: export to ONNX the network that it was made from (coremltools does not convert back)"
	case ".pt", ".pth":
		return "is a file of PyTorch: " + fromTorch
	case ".pb":
		return "is a TensorFlow graph: " + fromTensorFlow
	case ".h5", ".keras":
		return "is a file of Keras: " + fromKeras
	case ".tflite":
		return "is a TensorFlow Lite network: " + fromLite
	}
	return ""
}

// archive says what a zip file is by the name of its first entry.
func archive(head []byte) string {
	name := ""
	if len(head) > 30 {
		n := int(binary.LittleEndian.Uint16(head[26:]))
		name = string(head[30:min(len(head), 30+n)])
	}
	switch {
	case strings.HasSuffix(name, ".pkl"), strings.Contains(name, "/data/"), strings.HasSuffix(name, "/version"), strings.HasSuffix(name, ".format_version"), strings.HasSuffix(name, "/byteorder"):
		return "is a file of PyTorch: " + fromTorch
	case name == "metadata.json", name == "config.json", strings.HasSuffix(name, ".weights.h5"):
		return "is a file of Keras: " + fromKeras
	case strings.HasSuffix(name, ".npy"):
		return "is a file of NumPy arrays and no network"
	}
	return fmt.Sprintf("is a zip archive (its first entry is %q): unpack it and give the .onnx file", name)
}

// isSafetensors says whether a file begins with the length of a JSON header and one.
func isSafetensors(head []byte) bool {
	return len(head) > 8 && head[8] == '{' && binary.LittleEndian.Uint64(head) < 1<<30
}

// notRegular is the error for a folder, a pipe or a device in the place of a network.
func notRegular(path string, m fs.FileMode) error {
	if !m.IsDir() {
		return fmt.Errorf("%s is %s, not a regular file", path, kindOfFile(m))
	}
	if _, err := os.Stat(filepath.Join(path, "saved_model.pb")); err == nil {
		return fmt.Errorf("%s is a SavedModel of TensorFlow: %s", path, fromTensorFlow)
	}
	if found, _ := filepath.Glob(filepath.Join(path, "*.onnx")); len(found) > 0 { //nolint:errcheck // a bad pattern finds nothing
		return fmt.Errorf("%s is a folder: give a file in it, such as %s", path, found[0])
	}
	return fmt.Errorf("%s is a folder, not a network", path)
}
