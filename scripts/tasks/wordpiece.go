package main

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
)

// wordPiece cuts words into the longest pieces that its vocabulary has, from
// left to right (Wu et al. 2016, as BERT does it); pieces inside a word begin
// with ##.
type wordPiece struct {
	pieces []string
	number map[string]int
}

// special are the first pieces.
var special = []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}

func newWordPiece(pieces []string) *wordPiece {
	w := &wordPiece{slices.Concat(special, pieces), map[string]int{}}
	for i, p := range w.pieces {
		w.number[p] = i
	}
	return w
}

// vocabulary is the pieces of the reviews' words: most are words, but names are
// of syllables, and un- is cut off.
func vocabulary() []string {
	text := strings.Join(slices.Concat(good, aspects[0], aspects[1], others, strength, days, clauses, openings, alike, opposite), " ")
	seen := map[string]bool{}
	for _, t := range words(text) {
		if len(t) > 1 || t != "%" {
			seen[t] = true
		}
	}
	for _, form := range []string{"a", "g", "b", "s", "c", "d", "n", "%"} { // of the forms' holes
		delete(seen, form)
	}
	for _, t := range []string{"a", ",", ".", "un"} {
		seen[t] = true
	}
	for _, t := range bad {
		if rest, ok := strings.CutPrefix(t, "un"); ok {
			seen["##"+rest] = true
		} else {
			seen[t] = true
		}
	}
	for _, t := range heads {
		seen[t] = true
	}
	for _, t := range tails {
		seen["##"+t] = true
	}
	var out []string
	for t := range seen {
		out = append(out, t)
	}
	slices.Sort(out)
	return out
}

// words cuts a text, in small letters, at spaces and around marks.
func words(text string) []string {
	var out []string
	for _, f := range strings.Fields(strings.ToLower(text)) {
		from := 0
		for i, c := range f {
			if unicode.IsLetter(c) {
				continue
			}
			if i > from {
				out = append(out, f[from:i])
			}
			out = append(out, string(c))
			from = i + len(string(c))
		}
		if from < len(f) {
			out = append(out, f[from:])
		}
	}
	return out
}

// encode gives the numbers of a text's pieces between [CLS] and [SEP].
func (w *wordPiece) encode(text string) []int {
	out := []int{w.number["[CLS]"]}
	for _, t := range words(text) {
		out = append(out, w.word(t)...)
	}
	return append(out, w.number["[SEP]"])
}

// word gives the pieces of a word: one, [UNK], where it has a part that is none.
func (w *wordPiece) word(t string) []int {
	var out []int
	for from := 0; from < len(t); {
		to := len(t)
		for ; to > from; to-- {
			piece := t[from:to]
			if from > 0 {
				piece = "##" + piece
			}
			if id, ok := w.number[piece]; ok {
				out = append(out, id)
				break
			}
		}
		if to == from {
			return []int{w.number["[UNK]"]}
		}
		from = to
	}
	return out
}

// json is the tokenizer in Hugging Face's format: small letters, cut at spaces
// and marks, pieces, [CLS] and [SEP] around, cut and filled to a length.
func (w *wordPiece) json(length int) ([]byte, error) {
	type object = map[string]any
	var added []object
	for i, t := range special {
		added = append(added, object{"id": i, "content": t, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true})
	}
	mark := func(t string) object { return object{"SpecialToken": object{"id": t, "type_id": 0}} }
	seq := func(id string, kind int) object { return object{"Sequence": object{"id": id, "type_id": kind}} }
	token := func(t string) object {
		return object{"id": t, "ids": []int{w.number[t]}, "tokens": []string{t}}
	}
	return json.MarshalIndent(object{
		"version":        "1.0",
		"truncation":     object{"direction": "Right", "max_length": length, "strategy": "LongestFirst", "stride": 0},
		"padding":        object{"strategy": object{"Fixed": length}, "direction": "Right", "pad_to_multiple_of": nil, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
		"added_tokens":   added,
		"normalizer":     object{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": nil, "lowercase": true},
		"pre_tokenizer":  object{"type": "BertPreTokenizer"},
		"post_processor": object{"type": "TemplateProcessing", "single": []object{mark("[CLS]"), seq("A", 0), mark("[SEP]")}, "pair": []object{mark("[CLS]"), seq("A", 0), mark("[SEP]"), seq("B", 1), mark("[SEP]")}, "special_tokens": object{"[CLS]": token("[CLS]"), "[SEP]": token("[SEP]")}},
		"decoder":        object{"type": "WordPiece", "prefix": "##", "cleanup": true},
		"model":          object{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": w.number},
	}, "", " ")
}
