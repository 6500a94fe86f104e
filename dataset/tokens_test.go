package dataset

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/tokenizer"

	"github.com/parquet-go/parquet-go"
)

// wordsOf is a tokenizer of a few words.
const wordsOf = `{"pre_tokenizer": {"type": "WhitespaceSplit"}, "normalizer": {"type": "Lowercase"},
	"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "s", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
		"pair": [{"SpecialToken": {"id": "s", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {"s": {"ids": [1]}}},
	"model": {"type": "WordLevel", "unk_token": "?", "vocab": {"<pad>": 0, "s": 1, "?": 2, "good": 3, "bad": 4, "food": 5}}}`

// Texts become tokens in every kind of file that has some.
func TestTokens(t *testing.T) {
	dir := t.TempDir()
	tok := "tokenizer=" + write(t, filepath.Join(dir, "tokenizer.json"), []byte(wordsOf))
	jsonl := write(t, filepath.Join(dir, "a.jsonl"), []byte(`{"text":"Good food","label":1}{"text":"bad","label":0}`))
	two := write(t, filepath.Join(dir, "b.jsonl"), []byte(`{"a":"good","b":"bad food","n":0.5}{"a":"food food food food","b":"bad","n":1}`))
	table := write(t, filepath.Join(dir, "a.csv"), []byte("text,stars,label\ngood food,5,yes\nbad,1,no\n"))
	lines := write(t, filepath.Join(dir, "a.txt"), []byte("good food\r\n\nbad thing food"))
	type row struct {
		Text  string `parquet:"text"`
		Label int64  `parquet:"label"`
	}
	columns := write(t, filepath.Join(dir, "a.parquet"), parquetOf(t, 2, func(i int) row { return row{[]string{"good food", "bad"}[i], int64(1 - i)} }, parquet.DataPageVersion(2)))
	both := "input_ids [3] ints: 1 3 5 1 4 0; attention_mask [3] ints: 1 1 1 1 1 0; label [] of 2: 1 0"
	for spec, c := range map[string]reads{
		"jsonl:" + jsonl + "?" + tok:                       {train: both, note: "3 tokens, as many as the longest"},
		"parquet:" + columns + "?" + tok:                   {train: both},
		"csv:" + table + "?drop=stars&" + tok:              {train: both},
		"csv:" + table + "?target=stars&drop=label&" + tok: {train: "input_ids [3] ints: 1 3 5 1 4 0; attention_mask [3] ints: 1 1 1 1 1 0; target [1] floats: 5 1"},
		"lines:" + lines + "?" + tok:                       {train: "input_ids [4] ints: 1 3 5 0 1 4; attention_mask [4] ints: 1 1 1 0 1 1"},
		"lines:" + lines + "?length=2&" + tok:              {train: "input_ids [2] ints: 1 3 1 4; attention_mask [2] ints: 1 1 1 1", note: "2 of 2 texts"},
		"lines:" + lines + "?drop=attention_mask&" + tok:   {train: "input_ids [4] ints: 1 3 5 0 1 4"},
		"jsonl:" + two + "?length=4&text=a,b&" + tok:       {train: "input_ids [4] ints: 1 3 4 5 1 5; attention_mask [4] ints: 1 1 1 1 1 1; token_type_ids [4] ints: 0 0 1 1 0 0; n [] floats: 0.5 1", note: "1 of 2 texts"},
		"jsonl:" + two + "?text=b&" + tok:                  {train: "input_ids [3] ints: 1 4 5 1 4 0; attention_mask [3] ints: 1 1 1 1 1 0; n [] floats: 0.5 1", note: "a (text"},
		"jsonl:" + two + "?" + tok:                         {bad: "columns a, b hold texts"},
		"jsonl:" + two + "?text=c&" + tok:                  {bad: `no column "c" of texts`},
		"jsonl:" + jsonl + "?length=1&" + tok:              {bad: "no room for a text"},
		"jsonl:" + jsonl + "?tokenizer=" + dir + "/none":   {bad: "no such file"},
		"jsonl:" + jsonl + "?tokenizer=" + jsonl:           {bad: "not a tokenizer.json"},
		"jsonl:" + jsonl + "?text=text":                    {bad: "go with tokenizer=FILE"},
		"text:" + write(t, filepath.Join(dir, "long.txt"), []byte("good food good\nbad\n"+strings.Repeat("food bad food\n", 10000))) + "?seq=2&" + tok + "&n=3": {train: "text [2] ints: 3 5 3 4 5 4; next [2] of 6: 5 3 4 5 4 5", note: "the text has 30004 tokens, of 6"},
		"text:" + lines + "?seq=9&" + tok: {bad: "5 tokens of text are less than one sample of 9"},
		"lines:" + lines:                  {bad: "tokenizer=FILE"},
		"lines:" + write(t, filepath.Join(dir, "b.txt"), []byte("\xff\xff\xfe")) + "?" + tok: {bad: "not UTF-8"},
	} {
		c.name = spec
		c.check(t, spec)
	}
}

// Tokens of texts are the same samples, streamed or not; those of a long text lie in a
// file, wherever it was divided.
func TestStreamedTokens(t *testing.T) {
	dir := t.TempDir()
	tok := "tokenizer=" + write(t, filepath.Join(dir, "tokenizer.json"), []byte(wordsOf))
	var text, long, j, c strings.Builder
	c.WriteString("text,stars,label\n")
	type row struct {
		Text  string `parquet:"text"`
		Label string `parquet:"label"`
	}
	of := func(i int) row {
		return row{strings.Repeat([]string{"good ", "bad ", "other "}[i%3], 1+i*7%9) + "food", fmt.Sprintf("k%d", i*11%6)}
	}
	const n = 400
	for i := range n {
		r := of(i)
		text.WriteString(r.Text + "\n")
		fmt.Fprintf(&j, `{"text":%q,"stars":%d,"label":%q}`+"\n", r.Text, i, r.Label)
		fmt.Fprintf(&c, "\"%s\",%d,%s\n", r.Text, i, r.Label)
	}
	for i := range 30000 {
		long.WriteString([]string{"good", "bad", "food", "other"}[i*i%4] + []string{" ", "\n", "\n ", "  "}[i*7%11%4])
	}
	put := func(name, s string) string { return write(t, filepath.Join(dir, name), []byte(s)) }
	columns := write(t, filepath.Join(dir, "a.parquet"), parquetOf(t, n, of, parquet.DataPageVersion(2), parquet.PageBufferSize(512)))
	for name, spec := range map[string]string{
		"lines":         "lines:" + put("a.txt", text.String()) + "?" + tok,
		"lines, length": "lines:" + put("a.txt", text.String()) + "?length=6&" + tok,
		"json":          "jsonl:" + put("a.jsonl", j.String()) + "?" + tok,
		"json, length":  "jsonl:" + put("a.jsonl", j.String()) + "?length=5&" + tok,
		"csv":           "csv:" + put("a.csv", c.String()) + "?" + tok,
		"csv, length":   "csv:" + put("a.csv", c.String()) + "?length=6&target=label&" + tok,
	} {
		t.Run(name, func(t *testing.T) { sameData(t, spec, 14<<10) })
	}
	sameData(t, "parquet:"+columns+"?length=40&"+tok, 48<<10)
	packed := write(t, filepath.Join(dir, "long.txt.gz"), gzipped([]byte("\xef\xbb\xbf"+long.String())))
	for _, spec := range []string{"text:" + put("long.txt", long.String()) + "?seq=16&", "text:" + packed + "?seq=8&", "text:" + packed + "?seq=100&"} {
		d := sameData(t, spec+tok, 160<<10)
		if !noted(d, "temporary file") {
			t.Errorf("%s: notes %q", spec, d.Notes)
		}
	}
	_, err := Options{Memory: 1 << 20}.Open("text:" + put("one.txt", strings.Repeat("good\n ", 2<<20)) + "?" + tok)
	if err == nil || !strings.Contains(err.Error(), "cannot be divided") {
		t.Errorf("a text that cannot be divided: %v", err)
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("good food\nbad\n"))
	f.Fuzz(func(t *testing.T, b []byte) { fuzz(t, "lines:{0}?tokenizer={1}", b, []byte(wordsOf)) })
}

// A model's own tokenizer makes tokens where the specification names none.
func TestOwnTokenizer(t *testing.T) {
	own, err := tokenizer.Read([]byte(wordsOf))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	other := write(t, filepath.Join(dir, "tokenizer.json"), []byte(strings.Replace(wordsOf, `"good": 3, "bad": 4`, `"good": 4, "bad": 3`, 1)))
	text := write(t, filepath.Join(dir, "a.txt"), []byte("good food\nbad food\n"+strings.Repeat("food bad food\n", 20)))
	for spec, c := range map[string]struct {
		field string
		want  []int32
		noted bool
	}{
		"text:" + text + "?seq=3":                        {"text", []int32{3, 5, 4}, true},
		"text:" + text + "?seq=3&tokenizer=" + other:     {"text", []int32{4, 5, 3}, false},
		"lines:" + text + "?length=3":                    {"input_ids", []int32{1, 3, 5}, true},
		"lines:" + text + "?length=3&tokenizer=" + other: {"input_ids", []int32{1, 4, 5}, false},
		"shakespeare?seq=3":                              {"text", []int32{2, 2, 2}, true},
	} {
		d, err := Options{Tokenizer: own}.Open(spec)
		if err != nil {
			t.Fatal(spec, err)
		}
		if got := d.Train.Field(c.field).Ints[:3]; !slices.Equal(got, c.want) || noted(d, "own tokenizer") != c.noted {
			t.Errorf("%s: %v, not %v; notes %q", spec, got, c.want, d.Notes)
		}
	}
}
