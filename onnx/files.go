package onnx

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pare/onnx/onnxpb"
)

// Files lists a network's file and those beside it that hold its weights; none where
// there is no such file. Of what it lists only the structure is read.
func Files(path string) ([]string, error) {
	st, err := os.Stat(path)
	if path == "" || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil || st.IsDir() {
		return nil, err
	}
	out := []string{path}
	if strings.EqualFold(filepath.Ext(path), ".pare") || !st.Mode().IsRegular() {
		return out, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var m onnxpb.ModelProto
	if _, err := outline(context.Background(), f, st.Size(), &m); err != nil {
		return out, nil // another form of file
	}
	for _, t := range m.GetGraph().GetInitializer() {
		for _, e := range t.GetExternalData() {
			name := filepath.FromSlash(e.GetValue())
			if e.GetKey() != "location" || !filepath.IsLocal(name) {
				continue
			}
			if beside := filepath.Join(filepath.Dir(path), name); !slices.Contains(out, beside) {
				out = append(out, beside)
			}
		}
	}
	return out, nil
}
