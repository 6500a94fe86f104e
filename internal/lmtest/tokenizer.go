package lmtest

import (
	"encoding/json"
	"fmt"
)

// BytePairs is a tokenizer.json of BPE of bytes, over 256 bytes and some merges, whose texts are
// divided by the pre-tokenizer, and which begins each with <s> where begin says so. It has
// BytePairTokens tokens.
func BytePairs(pre string, begin, ignore bool) []byte {
	vocab, merges := map[string]int{}, []string{}
	for b := range 256 {
		vocab[string(byteRune(b))] = len(vocab)
	}
	for _, m := range []string{"Ġ t", "h e", "Ġt he", "i n", "1 2", "12 3", "e r", "o r", "Ġ w", "Ġw or", "' S", "' s"} {
		var a, b string
		fmt.Sscan(m, &a, &b) //nolint:errcheck // they are two
		vocab[a+b] = len(vocab)
		merges = append(merges, m)
	}
	added := []map[string]any{}
	for i, s := range []string{"<s>", "</s>", "<tool>"} {
		added = append(added, map[string]any{"id": len(vocab) + i, "content": s, "special": i < 2, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false})
	}
	return tokenizer(pre, begin, len(vocab), added, map[string]any{"type": "ByteLevel"}, nil,
		map[string]any{"type": "BPE", "vocab": vocab, "merges": merges, "ignore_merges": ignore})
}

// BytePairTokens is the number of tokens of BytePairs.
const BytePairTokens = 256 + 12 + 3

// Pieces is a tokenizer.json of BPE that falls back on bytes, as SentencePiece has it, with a blank
// before each text where prefix says so.
func Pieces(prefix bool) []byte {
	vocab, merges := map[string]int{"<unk>": 0, "<s>": 1, "</s>": 2}, []string{}
	for b := range 256 {
		vocab[fmt.Sprintf("<0x%02X>", b)] = len(vocab)
	}
	for _, m := range []string{"▁ t", "h e", "▁t he", "i n", "e r", "o r", "▁ w", "▁w or", "l d", "▁wor ld"} {
		var a, b string
		fmt.Sscan(m, &a, &b) //nolint:errcheck // they are two
		vocab[a+b] = len(vocab)
		merges = append(merges, m)
	}
	for _, r := range "▁abcdefghijklmnopqrstuvwxyzHTW.,!é世" {
		vocab[string(r)] = len(vocab)
	}
	var added []map[string]any
	for i, s := range []string{"<unk>", "<s>", "</s>"} {
		added = append(added, map[string]any{"id": i, "content": s, "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false})
	}
	normal := []any{map[string]any{"type": "Replace", "pattern": map[string]any{"String": " "}, "content": "▁"}}
	if prefix {
		normal = append([]any{map[string]any{"type": "Prepend", "prepend": "▁"}}, normal...)
	}
	decoder := map[string]any{"type": "Sequence", "decoders": []any{map[string]any{"type": "Replace", "pattern": map[string]any{"String": "▁"}, "content": " "}, map[string]any{"type": "ByteFallback"}, map[string]any{"type": "Fuse"}}}
	return tokenizer("null", true, 1, added, decoder, map[string]any{"type": "Sequence", "normalizers": normal},
		map[string]any{"type": "BPE", "vocab": vocab, "merges": merges, "unk_token": "<unk>", "byte_fallback": true, "fuse_unk": true})
}

// tokenizer writes a tokenizer.json.
func tokenizer(pre string, begin bool, bos int, added []map[string]any, decoder, normal, model map[string]any) []byte {
	f := map[string]any{"version": "1.0", "added_tokens": added, "normalizer": normal, "pre_tokenizer": json.RawMessage(pre), "decoder": decoder, "model": model, "post_processor": nil}
	if begin {
		f["post_processor"] = map[string]any{"type": "TemplateProcessing", "single": []any{map[string]any{"SpecialToken": map[string]any{"id": "<s>", "type_id": 0}}, map[string]any{"Sequence": map[string]any{"id": "A", "type_id": 0}}},
			"pair": []any{}, "special_tokens": map[string]any{"<s>": map[string]any{"id": "<s>", "ids": []int{bos}, "tokens": []string{"<s>"}}}}
	}
	b, err := json.Marshal(f)
	if err != nil {
		panic(err) // it is made here
	}
	return b
}

// byteRune is the character that stands for a byte (GPT-2's bytes_to_unicode).
func byteRune(b int) rune {
	shown := func(b int) bool { return b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae }
	if shown(b) {
		return rune(b)
	}
	n := 0
	for i := range b {
		if !shown(i) {
			n++
		}
	}
	return rune(256 + n)
}
