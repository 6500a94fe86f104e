package interop

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/internal/hostile"
	"pare/tokenizer"
)

type tokenJob struct {
	Train []string  `json:"train"`
	Lines []string  `json:"lines"`
	Raw   [][]byte  `json:"raw"`   // more lines, not all of UTF-8
	IDs   [][]int32 `json:"ids"`   // numbers to make texts of, where there are so many
	Pairs int       `json:"pairs"` // how many lines are taken in pairs, as plain text, and decoded
	Cut   int       `json:"cut"`
}

type tokenAnswer map[string]tokenAnswerOf

type tokenAnswerOf struct {
	IDs     [][]int32 `json:"ids"`
	Plain   [][]int32 `json:"plain"` // of lines in which special tokens are text
	Pairs   [][]int32 `json:"pairs"` // of a line and the next, cut
	Types   [][]int32 `json:"types"`
	Texts   []string  `json:"texts"` // of the numbers of the lines, without special tokens
	Whole   []string  `json:"whole"` // and with them
	Size    int       `json:"size"`
	Seconds float64   `json:"seconds"` // that encoding the lines took
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

// Tokens have the numbers that Hugging Face's tokenizers give them, and texts of
// numbers are theirs.
func TestTokenizers(t *testing.T) {
	py := python(t, "tokenizers")
	data := os.Getenv("PARE_DATA")
	if data == "" {
		t.Skip("PARE_DATA is not set: it names a folder of data sets")
	}
	train := linesOf(t, filepath.Join(data, "text", "wikitext2-valid.txt.gz"))
	test := linesOf(t, filepath.Join(data, "text", "wikitext2-test.txt.gz"))
	for _, name := range []string{"tinyshakespeare.txt.gz", "gsm8k-test.jsonl.gz", "math500.jsonl.gz", "rules-manual.jsonl.gz"} {
		l := linesOf(t, filepath.Join(data, "text", name))
		test = append(test, l[:min(500, len(l))]...)
	}
	for i, s := range test {
		test[i] = strings.ToValidUTF8(s[:min(len(s), 200)], "")
	}
	test = append(oddLines, test[:min(4000, len(test))]...)
	rng := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields(strings.Join(train[:200], " "))
	mixed := polyglot(rng, words, 10000-len(test)-500)
	train = append(train[:min(800, len(train))], mixed[:200]...)
	job := tokenJob{Train: train, Lines: append(test, mixed...), Pairs: 2000, Cut: 21}
	lines := job.Lines
	for _, s := range broken(rng, mixed[:500]) {
		job.Raw, lines = append(job.Raw, []byte(s)), append(lines, s)
	}
	for range 300 {
		ids := make([]int32, 1+rng.IntN(20))
		for i := range ids {
			ids[i] = rng.Int32N(1 << 20)
		}
		job.IDs = append(job.IDs, ids)
	}
	dir := t.TempDir()
	whole := ask[tokenJob, tokenAnswer](t, py, "tokens.py", dir, []tokenJob{job})[0]
	reduced(t, py, dir, job.Lines[:3000], whole)
	for kind, want := range whole {
		b, err := os.ReadFile(filepath.Join(dir, kind+".json"))
		if err != nil {
			t.Fatal(err)
		}
		tok, err := tokenizer.Read(b)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		compareTokens(t, kind, tok, job, lines, want)
	}
}

// compareTokens compares a tokenizer with what the library gave.
func compareTokens(t *testing.T, kind string, tok *tokenizer.Tokenizer, job tokenJob, lines []string, want tokenAnswerOf) {
	bad := 0
	wrong := func(what string, in, got, want any, err error) {
		if bad++; bad <= 3 {
			t.Errorf("%s: %s %q: %q, %v, want %q", kind, what, in, got, err, want)
		}
	}
	began, count := hostile.Processor(), 0
	for i, line := range lines {
		e, all, err := tok.Encode(line, nil, 0)
		if count += len(e.IDs); err != nil || all != len(e.IDs) || !slices.Equal(e.IDs, want.IDs[i]) {
			wrong("the line", line, fmt.Sprint(e.IDs), fmt.Sprint(want.IDs[i]), err)
		}
	}
	took := (hostile.Processor() - began).Seconds()
	t.Logf("%s: %d tokens, %.2f million a second of the processor, %.2f with tokenizers", kind, count, float64(count)/took/1e6, float64(count)/want.Seconds/1e6)
	for i := range want.Plain {
		if ids, err := tok.Plain(lines[i]); err != nil || !slices.Equal(ids, want.Plain[i]) {
			wrong("the plain line", lines[i], fmt.Sprint(ids), fmt.Sprint(want.Plain[i]), err)
		}
	}
	for i := range want.Pairs {
		e, _, err := tok.Encode(lines[i], &lines[i+1], job.Cut)
		if err != nil || !slices.Equal(e.IDs, want.Pairs[i]) {
			wrong("the pair after", lines[i], fmt.Sprint(e.IDs), fmt.Sprint(want.Pairs[i]), err)
		} else if !slices.Equal(e.Types, want.Types[i]) {
			wrong("the types of the pair after", lines[i], fmt.Sprint(e.Types), fmt.Sprint(want.Types[i]), err)
		}
	}
	for i := range want.Texts {
		ids := []int32{}
		if n := len(want.Texts) - len(job.IDs); i < n {
			ids = want.IDs[len(want.IDs)-n+i]
		} else {
			for _, id := range job.IDs[i-n] {
				ids = append(ids, id%int32(want.Size))
			}
		}
		for _, skip := range []bool{true, false} {
			should := want.Whole[i]
			if skip {
				should = want.Texts[i]
			}
			text, err := tok.Decode(ids, skip)
			if err != nil || text != should {
				wrong("the numbers", fmt.Sprint(ids), text, should, err)
			}
			stream, streamed := tok.Stream(skip), ""
			for _, id := range ids {
				s, err := stream.Next(id)
				if err != nil {
					wrong("the stream", fmt.Sprint(ids), s, "", err)
				}
				streamed += s
			}
			s, err := stream.End()
			if streamed += s; err != nil || streamed != text && !strings.Contains(text, "\ufffd") {
				wrong("the stream of", fmt.Sprint(ids), streamed, text, err)
			}
		}
	}
	if bad > 0 {
		t.Errorf("%s: %d differ", kind, bad)
	}
}
