package tokenizer

import (
	"slices"
	"strings"
	"testing"

	"pare/internal/hostile"
)

// Small tokenizers whose numbers follow by hand from their files.
const (
	pieces = `{"added_tokens": [{"id": 0, "content": "[PAD]", "special": true}, {"id": 5, "content": "[MASK]", "lstrip": true, "special": true}],
		"normalizer": {"type": "BertNormalizer"}, "pre_tokenizer": {"type": "BertPreTokenizer"},
		"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
			"pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
			"special_tokens": {"[CLS]": {"ids": [2]}, "[SEP]": {"ids": [3]}}},
		"truncation": {"max_length": 6}, "padding": {"strategy": {"Fixed": 8}, "direction": "Left", "pad_id": 0},
		"model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "un": 6, "##break": 7, "##able": 8, "##breaka": 9, "##ble": 10, ",": 11, "unb": 12}}}`
	merges = `{"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
		"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "bc": 4, "abc": 5, "Ġ": 6, "Ġa": 7, "Ã": 8, "©": 9, "aa": 10}, "merges": ["b c", "a b", ["a", "bc"], "Ġ a", "a a"]}}`
	likely = `{"pre_tokenizer": {"type": "Metaspace"},
		"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["▁", -1], ["a", -2], ["b", -2], ["ab", -3.5], ["▁a", -3.5], ["bb", -9]]}}`
)

func TestEncode(t *testing.T) {
	for _, c := range []struct {
		file, text string
		want       []int32
	}{
		{pieces, "Unbreakable, ÚN", []int32{2, 1, 11, 6, 3}}, // unb is the longest, and ##reakable is none
		{pieces, "un un [MASK]break", []int32{2, 6, 6, 5, 1, 3}},
		{pieces, "", []int32{2, 3}},
		{pieces, strings.Repeat("un", 51), []int32{2, 1, 3}},
		{merges, "abc", []int32{5}},
		{merges, "ab aab", []int32{3, 7, 3}},
		{merges, "aaa", []int32{10, 0}},
		{merges, "é", []int32{8, 9}},
		{merges, "zab", []int32{3}}, // what has no token is passed over where none is for the unknown
		{likely, "ab", []int32{1, 4}},
		{likely, "xx", []int32{1, 0}},
		{likely, "bb", []int32{1, 3, 3}},
	} {
		tok, err := Read([]byte(c.file))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time from memory
			e, all, err := tok.Encode(c.text, nil, 0)
			if err != nil || all != len(e.IDs) || len(c.want) > 0 && !slices.Equal(e.IDs, c.want) {
				t.Errorf("%q: %v of %d, %v, want %v", c.text, e.IDs, all, err, c.want)
			}
		}
	}
}

// Added tokens that take the blanks behind them or are words alone, and signs for spaces at
// the beginning of a text, of every piece or never: the numbers and texts are those of
// Hugging Face's tokenizers 0.23.
func TestAdded(t *testing.T) {
	for scheme, want := range map[string]map[string][]int32{
		"first":  {"a<x>  a": {5, 7, 2}, "ab": {8}, "cab": {1, 6, 2, 3}, "ab,ab": {8, 0, 8}, "a<x>a<x> ab": {5, 7, 2, 7, 8}},
		"always": {"a<x>  a": {5, 7, 5}, "ab": {8}, "cab": {1, 6, 2, 3}, "ab,ab": {8, 1, 0, 8}, "a<x>a<x> ab": {5, 7, 5, 7, 8}},
		"never":  {"a<x>  a": {2, 7, 2}, "ab": {8}, "cab": {6, 2, 3}, "ab,ab": {8, 0, 8}, "a<x>a<x> ab": {2, 7, 2, 7, 8}},
	} {
		space := `{"type": "Metaspace", "prepend_scheme": "` + scheme + `"}`
		tok, err := Read([]byte(`{"added_tokens": [{"id": 7, "content": "<x>", "rstrip": true}, {"id": 8, "content": "ab", "single_word": true}, {"id": 9, "content": "<s>", "special": true}, {"id": 10, "content": "</s>", "special": true}],
			"pre_tokenizer": ` + space + `, "decoder": ` + space + `, "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["▁", -1], ["a", -2], ["b", -2], ["ba", -3], ["▁a", -2.5], ["c", -3]]}}`))
		if err != nil {
			t.Fatal(err)
		}
		for text, want := range want {
			if got, err := tok.Tokens(text); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s, %q: %v, %v, want %v", scheme, text, got, err, want)
			}
		}
		text := "a a"
		if scheme == "never" {
			text = " a a"
		}
		if got, err := tok.Decode([]int32{5, 1, 2}, false); err != nil || got != text {
			t.Errorf("%s: %q, %v, want %q", scheme, got, err, text)
		}
		if tok.BOS != 9 || tok.EOS != 10 || !tok.IsEnd(10) || tok.IsEnd(9) {
			t.Errorf("texts begin with %d and end with %d", tok.BOS, tok.EOS)
		}
	}
}

func TestCut(t *testing.T) {
	tok, err := Read([]byte(pieces))
	if err != nil {
		t.Fatal(err)
	}
	if tok.Fixed != 8 || tok.Most != 6 || !tok.Left || tok.Pad != 0 || tok.Size != 13 || tok.Special(false) != 2 || tok.Special(true) != 1 {
		t.Errorf("%+v", *tok)
	}
	if e, all, err := tok.Encode("un un un un un", nil, 5); err != nil || all != 7 || !slices.Equal(e.IDs, []int32{2, 6, 6, 6, 3}) {
		t.Errorf("%v of %d, %v", e.IDs, all, err)
	}
	second := ", , ,"
	for most, want := range map[int][]int32{0: {6, 6, 6, 6, 6, 3, 11, 11, 11}, 8: {6, 6, 6, 6, 3, 11, 11, 11}, 6: {6, 6, 6, 3, 11, 11}, 2: {6, 3}} {
		e, _, err := tok.Encode("un un un un un", &second, most)
		if err != nil || !slices.Equal(e.IDs, want) {
			t.Errorf("at most %d: %v, %v, want %v", most, e.IDs, err, want)
		}
		for i, k := range e.Types {
			if (k == 1) != (e.IDs[i] == 11) {
				t.Errorf("types %v of %v", e.Types, e.IDs)
			}
		}
	}
}

// What is not understood is refused by its name.
func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{`:  "not a tokenizer.json",
		`{}`: "no model",
		`{"model": {"type": "Other", "vocab": {}}}`:                                                                    `model "Other" is not supported`,
		`{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}}`:                                             "merge 0",
		`{"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}}`:                                                 `the token "a" has number -1`,
		`{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [], "dropout": 0.1}}`:                                  "dropout",
		`{"model": {"type": "Unigram", "unk_id": 4, "vocab": [["a", 0]]}}`:                                             "is none of 1",
		`{"model": {"type": "WordLevel", "vocab": {}}, "normalizer": {"type": "Other"}}`:                               `normalizer "Other" is not supported`,
		`{"model": {"type": "WordLevel", "vocab": {}}, "pre_tokenizer": {"type": "UnicodeScripts"}}`:                   `pre-tokenizer "UnicodeScripts" is not supported`,
		`{"model": {"type": "WordLevel", "vocab": {}}, "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}}}`: "pattern",
		`{"model": {"type": "WordLevel", "vocab": {}}, "post_processor": {"type": "Other"}}`:                           `post-processor "Other" is not supported`,
		`{"model": {"type": "WordLevel", "vocab": {}}, "added_tokens": [{"id": -3, "content": "x"}]}`:                  "number -3",
	} {
		if _, err := Read([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something with %q", text, err, want)
		}
	}
	tok, err := Read([]byte(`{"model": {"type": "WordLevel", "vocab": {"a": 0}}, "pre_tokenizer": {"type": "WhitespaceSplit"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = tok.Encode("a b", nil, 0); err == nil {
		t.Error("an unknown word has a token")
	}
}

// Any file is read or refused, and any text of it, soon.
func FuzzRead(f *testing.F) {
	for _, s := range []string{pieces, merges, likely} {
		f.Add([]byte(s), "ab Un, [MASK] é")
	}
	f.Fuzz(func(t *testing.T, b []byte, text string) {
		hostile.Read(t, len(b)+len(text), func() error { //nolint:errcheck // what it refuses does not matter here
			tok, err := Read(b)
			if err != nil {
				return err
			}
			e, _, err := tok.Encode(text, nil, 16)
			for _, id := range e.IDs {
				if id < 0 {
					t.Errorf("token %d", id)
				}
			}
			if left, err := Reduce(b, tok.Base()); err == nil {
				if _, err := Read(left); err != nil {
					t.Errorf("what is left is refused: %v", err)
				}
			}
			return err
		})
	})
}
