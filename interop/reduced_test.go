package interop

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pare/tokenizer"
)

// reduced takes from tokenizers, whose files KIND.json lie in a folder, the tokens that the
// first lines do not need. Hugging Face's tokenizers give by the files that are left the
// numbers that they gave by the whole ones, written anew; and what Pare gives of all lines.
func reduced(t *testing.T, py, dir string, lines []string, whole tokenAnswer) {
	counted := lines[:500]
	kept, left := map[string][]int32{}, map[string]*tokenizer.Tokenizer{}
	for kind, of := range whole {
		b, err := os.ReadFile(filepath.Join(dir, kind+".json"))
		if err != nil {
			t.Fatal(err)
		}
		tok, err := tokenizer.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		counts := make([]int, tok.Size)
		for i := range counted {
			for _, id := range of.IDs[i] {
				counts[id]++
			}
		}
		kept[kind] = tok.Choose(counts, nil, 1, 0).Kept
		if b, err = tokenizer.Reduce(b, kept[kind]); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if err := os.WriteFile(filepath.Join(dir, kind+".reduced.json"), b, 0o644); err != nil {
			t.Fatal(err)
		}
		if left[kind], err = tokenizer.Read(b); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		t.Logf("%s: %d of %d tokens stay", kind, len(kept[kind]), tok.Size)
	}
	type job struct {
		Lines []string `json:"lines"`
	}
	for kind, ids := range ask[job, map[string][][]int32](t, py, "reduced.py", dir, []job{{lines}})[0] {
		bad := 0
		for i, line := range lines {
			e, _, err := left[kind].Encode(line, nil, 0)
			if err != nil || !slices.Equal(e.IDs, ids[i]) {
				if bad++; bad < 3 {
					t.Errorf("%s: %q: %v, %v, want %v", kind, line, e.IDs, err, ids[i])
				}
			}
			if i >= len(counted) {
				continue
			}
			old := make([]int32, len(ids[i]))
			for k, id := range ids[i] {
				old[k] = kept[kind][id]
			}
			if !slices.Equal(old, whole[kind].IDs[i]) {
				if bad++; bad < 3 {
					t.Errorf("%s: %q comes to %v, and came to %v", kind, line, old, whole[kind].IDs[i])
				}
			}
		}
		if bad > 0 {
			t.Errorf("%s: %d differ", kind, bad)
		}
	}
}
