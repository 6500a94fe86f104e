package sweep

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// tear leaves of the ledger's last line what a process that was killed as it wrote it may
// have left.
func tear(t *testing.T, dir string, dice int) {
	t.Helper()
	path := filepath.Join(dir, ResultsFile)
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(b) == 0 {
		return
	}
	begin := bytes.LastIndexByte(b[:len(b)-1], '\n') + 1
	if err := os.Truncate(path, int64(begin+dice%(len(b)-begin+1))); err != nil {
		t.Fatal(err)
	}
}
