package measure

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pare/onnx/onnxpb"

	"google.golang.org/protobuf/proto"
)

// FileBytes is the size of a network's file as it lies on disk, together with the
// files beside it that hold its weights; 0 where there is none.
func FileBytes(path string) int64 {
	paths, err := files(path)
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

// files lists a network's file and those that hold its weights; none where there is
// no such file.
func files(path string) ([]string, error) {
	st, err := os.Stat(path)
	if path == "" || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil || st.IsDir() {
		return nil, err
	}
	out := []string{path}
	if strings.EqualFold(filepath.Ext(path), ".pare") {
		return out, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var m onnxpb.ModelProto
	if proto.Unmarshal(b, &m) != nil {
		return out, nil // another form of file
	}
	var beside []string
	for _, t := range m.GetGraph().GetInitializer() {
		for _, e := range t.GetExternalData() {
			name := filepath.FromSlash(e.GetValue())
			if e.GetKey() == "location" && filepath.IsLocal(name) && !slices.Contains(beside, name) {
				beside = append(beside, name)
			}
		}
	}
	for _, name := range beside {
		out = append(out, filepath.Join(filepath.Dir(path), name))
	}
	return out, nil
}
