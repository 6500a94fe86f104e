package run

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// A memo beside a checkpoint holds what a run has measured and decided by, where that would
// come out otherwise when it is measured again, as times do, or takes long.

// memo is the file of a checkpoint's memo.
func memo(save string) string { return save + ".memo" }

// Recall reads what was remembered under a key into v; false where nothing was, or the
// file is none. Who resumes a run asks.
func Recall(save, key string, v any) bool {
	all := map[string]json.RawMessage{}
	b, err := os.ReadFile(memo(save))
	if save == "" || err != nil || json.Unmarshal(b, &all) != nil || all[key] == nil {
		return false
	}
	return json.Unmarshal(all[key], v) == nil
}

// Remember writes v under a key; "" for save remembers nothing.
func Remember(save, key string, v any) error {
	if save == "" {
		return nil
	}
	all := map[string]json.RawMessage{}
	if b, err := os.ReadFile(memo(save)); err == nil && json.Unmarshal(b, &all) != nil {
		all = map[string]json.RawMessage{}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	all[key] = b
	if b, err = json.Marshal(all); err != nil {
		return err
	}
	return renameio.WriteFile(memo(save), b, 0o644, renameio.WithTempDir(filepath.Dir(save)))
}
