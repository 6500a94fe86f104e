package local

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"pare/lm/decode"
)

// fingerprint stands for how weights, keys and values are held, and for a model's files: by the name, the size and the time of change of
// each, and by the first and last MiB of those that are large.
func fingerprint(path string, o Options) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, cmp.Or(o.Weights, decode.F32))
	if o.Cache == decode.F16 {
		fmt.Fprintln(h, "keys and values", o.Cache)
	}
	files := []string{path}
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		es, err := os.ReadDir(path)
		if err != nil {
			return "", err
		}
		files = files[:0]
		for _, e := range es {
			if e.Type().IsRegular() {
				files = append(files, filepath.Join(path, e.Name()))
			}
		}
	}
	if o.Tokenizer != "" {
		files = append(files, o.Tokenizer)
	}
	for _, p := range files {
		f, err := os.Open(p)
		if err != nil {
			return "", err
		}
		st, err := f.Stat()
		if err == nil {
			fmt.Fprintln(h, filepath.Base(p), st.Size(), st.ModTime().UnixNano())
			const part = 1 << 20
			_, err = io.Copy(h, io.NewSectionReader(f, 0, part))
			if err == nil {
				_, err = io.Copy(h, io.NewSectionReader(f, max(part, st.Size()-part), math.MaxInt64-st.Size()))
			}
		}
		f.Close()
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}
