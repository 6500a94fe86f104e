package measure

import (
	"os"
	"path/filepath"

	"pare/onnx"
)

// FileBytes is the size of a network's file as it lies on disk, together with the
// files beside it that hold its weights; 0 where there is none.
func FileBytes(path string) int64 {
	if weights, err := filepath.Glob(filepath.Join(path, "*.safetensors")); err == nil && weights != nil { // a language model's folder
		var n int64
		for _, p := range weights {
			if st, err := os.Stat(p); err == nil {
				n += st.Size()
			}
		}
		return n
	}
	paths, err := onnx.Files(path)
	if err != nil {
		return 0
	}
	var n int64
	for _, p := range paths {
		if st, err := os.Stat(p); err == nil {
			n += st.Size()
		}
	}
	return n
}
