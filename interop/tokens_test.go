package interop

import (
	"bufio"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/tokenizer"
)

type tokenJob struct {
	Train []string `json:"train"`
	Lines []string `json:"lines"`
	Cut   int      `json:"cut"`
}

type tokenAnswer map[string]struct {
	IDs   [][]int32 `json:"ids"`
	Pairs [][]int32 `json:"pairs"` // of a line and the next, cut
	Types [][]int32 `json:"types"`
}

// linesOf are the lines of a packed text that are not empty.
func linesOf(t *testing.T, path string) (out []string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	s := bufio.NewScanner(z)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if strings.TrimSpace(s.Text()) != "" {
			out = append(out, s.Text())
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// oddLines are texts at which tokenizers differ.
var oddLines = []string{
	"Élan naïve  café—ÅNGSTRÖM", "漢字とかな 混ぜ", "emoji 😀 test\t\ttabs", "don't  we'll I'M  they've", "  leading and trailing  ", "x=3.14159; y==0 && z!=1",
	"İstanbul ﬁne ½ Ⅳ", "a\x00b\ufffdc \u200b zero", "﷽ العربية עברית हिन्दी ไทย", "[CLS] special [SEP] tokens [MASK] <s> </s> <mask> <|endoftext|>",
	"we were awed; We  we tokens tokens_ Emoji", "2000 – 2005, 1234567 and 12,5", "line\r\nbreaks\n\n here ", "e\u0301 composed é", strings.Repeat("long", 80), ".", " ", "~~``quoted''",
}

// Tokens have the numbers that Hugging Face's tokenizers give them.
func TestTokenizers(t *testing.T) {
	py := python(t, "tokenizers")
	data := os.Getenv("PARE_DATA")
	if data == "" {
		t.Skip("PARE_DATA is not set: it names a folder of data sets")
	}
	train := linesOf(t, filepath.Join(data, "text", "wikitext2-valid.txt.gz"))
	test := linesOf(t, filepath.Join(data, "text", "wikitext2-test.txt.gz"))
	job := tokenJob{train[:min(800, len(train))], append(test[:min(1000, len(test))], oddLines...), 21}
	dir := t.TempDir()
	for kind, want := range ask[tokenJob, tokenAnswer](t, py, "tokens.py", dir, []tokenJob{job})[0] {
		b, err := os.ReadFile(filepath.Join(dir, kind+".json"))
		if err != nil {
			t.Fatal(err)
		}
		tok, err := tokenizer.Read(b)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		bad := 0
		wrong := func(what, line string, got, want []int32, err error) {
			if bad++; bad <= 3 {
				t.Errorf("%s: %s %q: %v, %v, want %v", kind, what, line, got, err, want)
			}
		}
		for i, line := range job.Lines {
			if e, all, err := tok.Encode(line, nil, 0); err != nil || all != len(e.IDs) || !slices.Equal(e.IDs, want.IDs[i]) {
				wrong("the line", line, e.IDs, want.IDs[i], err)
			}
		}
		for i := range want.Pairs {
			e, _, err := tok.Encode(job.Lines[i], &job.Lines[i+1], job.Cut)
			if err != nil || !slices.Equal(e.IDs, want.Pairs[i]) {
				wrong("the pair after", job.Lines[i], e.IDs, want.Pairs[i], err)
			} else if !slices.Equal(e.Types, want.Types[i]) {
				wrong("the types of the pair after", job.Lines[i], e.Types, want.Types[i], err)
			}
		}
		if bad > 0 {
			t.Errorf("%s: %d differ", kind, bad)
		}
	}
}
