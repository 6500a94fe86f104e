package tokenizer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// babble is a text of made-up words.
func babble(seed uint64, words int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	for range words {
		for range 1 + r.IntN(4) {
			b.WriteString([]string{"ba", "na", "ne", "lo", "st", "r", "é", "an", "x"}[r.IntN(9)])
		}
		b.WriteByte(" .\n"[r.IntN(3)])
	}
	return b.String()
}

// trainedBPE is a tokenizer of bytes whose merges were counted in a text.
func trainedBPE(text string, merges int, more string) string {
	var words [][]string
	for _, w := range strings.SplitAfter(text, " ") {
		var s []string
		for _, c := range asRunes(w) {
			s = append(s, string(c))
		}
		words = append(words, s)
	}
	var vocab, lines []string
	for b := range 256 {
		vocab = append(vocab, string(byteRunes[b]))
	}
	for range merges {
		count := map[[2]string]int{}
		for _, w := range words {
			for i := range len(w) - 1 {
				count[[2]string{w[i], w[i+1]}]++
			}
		}
		var best [2]string
		for p, n := range count {
			if n > count[best] || n == count[best] && p[0]+p[1] < best[0]+best[1] {
				best = p
			}
		}
		if count[best] == 0 {
			break
		}
		for k, w := range words {
			for i := 0; i < len(w)-1; i++ {
				if w[i] == best[0] && w[i+1] == best[1] {
					w = slices.Replace(w, i, i+2, best[0]+best[1])
				}
			}
			words[k] = w
		}
		if !slices.Contains(vocab, best[0]+best[1]) {
			vocab = append(vocab, best[0]+best[1])
		}
		lines = append(lines, string(encoded([]string{best[0], best[1]})))
	}
	var of fields
	for i, v := range vocab {
		of = append(of, fields{{v, encoded(i)}}...)
	}
	n := len(vocab)
	return fmt.Sprintf(`{"version": "1.0", "added_tokens": [{"id": %d, "content": "<end>", "special": true}, {"id": %d, "content": "<tool>", "special": false}],
		"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}, "decoder": {"type": "ByteLevel"},
		"post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<end>", "type_id": 0}}], "pair": [], "special_tokens": {"<end>": {"ids": [%d]}}},
		"padding": {"strategy": "BatchLongest", "direction": "Right", "pad_id": %d},
		"model": {"type": "BPE", %s "vocab": %s, "merges": [%s]}}`, n, n+1, n, n, more, of.json(), strings.Join(lines, ","))
}

// Texts that are made of the tokens that are kept, with their parts, come to the same tokens
// as before, by their new numbers; all other texts come to tokens too, and back to
// themselves.
func TestReduce(t *testing.T) {
	text := babble(1, 400)
	files := map[string]string{
		"bytes":   trainedBPE(text, 220, ""),
		"ignored": trainedBPE(text, 120, `"ignore_merges": true,`),
		"pieces":  pieces, "likely": likely,
	}
	some := map[string]string{"pieces": "un unb able, break breaka", "likely": "ab a bb aab"}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			tok, err := Read([]byte(file))
			if err != nil {
				t.Fatal(err)
			}
			read := some[name]
			if read == "" {
				read = text[len(text)/3:][:150]
			}
			ids, err := tok.Tokens(read)
			if err != nil {
				t.Fatal(err)
			}
			kept, parts := tok.Base(), tok.Parts()
			for _, id := range ids {
				kept = append(kept, parts(id)...)
			}
			slices.Sort(kept)
			kept = slices.Compact(kept)
			if len(kept) >= tok.Size && name != "pieces" && name != "likely" {
				t.Fatalf("all %d tokens are kept: nothing is shown", tok.Size)
			}
			b, err := Reduce([]byte(file), kept)
			if err != nil {
				t.Fatal(err)
			}
			left, err := Read(b)
			if err != nil {
				t.Fatal(err)
			}
			if left.Size != len(kept) {
				t.Errorf("%d tokens are kept, and %d there", len(kept), left.Size)
			}
			same := func(text string) {
				t.Helper()
				was, _, err := tok.Encode(text, nil, 0)
				if err != nil {
					t.Fatal(err)
				}
				now, _, err := left.Encode(text, nil, 0)
				if err != nil {
					t.Fatal(err)
				}
				old := make([]int32, len(now.IDs))
				for i, id := range now.IDs {
					old[i] = kept[id]
				}
				if !slices.Equal(old, was.IDs) {
					t.Errorf("%q: %v, want %v", text, old, was.IDs)
				}
			}
			same(read)
			if strings.HasPrefix(file, `{"version"`) {
				same(read + "<end>" + read + "<tool>")
				for seed := range uint64(20) {
					other := babble(seed+7, 30) + "漢 z"
					ids, err := left.Tokens(other)
					if err != nil {
						t.Fatal(err)
					}
					if got, err := left.Decode(ids, false); err != nil || got != other {
						t.Errorf("%q comes back as %q, %v", other, got, err)
					}
				}
			}
			if left.Pad != 0 && kept[left.Pad] != tok.Pad || len(left.Lead()) != len(tok.Lead()) {
				t.Errorf("texts are filled up with %d, and were with %d", kept[left.Pad], tok.Pad)
			}
		})
	}
}

// A token that is merged of others needs them.
func TestParts(t *testing.T) {
	tok, err := Read([]byte(merges))
	if err != nil {
		t.Fatal(err)
	}
	of := tok.Parts()
	for id, want := range map[int32][]int32{5: {0, 1, 2, 4, 5}, 3: {0, 1, 3}, 0: {0}, 7: {0, 6, 7}} { // abc is a, bc and not ab, c
		if got := of(id); !slices.Equal(got, want) {
			t.Errorf("token %d is of %v, want %v", id, got, want)
		}
	}
	if got, want := tok.Base(), []int32{0, 1, 2, 6, 8, 9}; !slices.Equal(got, want) {
		t.Errorf("what all is made of is %v, want %v", got, want)
	}
	if _, err := Reduce([]byte(pieces), []int32{0, 1, 2, 6}); err == nil || !strings.Contains(err.Error(), "token 3 is named") {
		t.Error(err)
	}
	if _, err := Reduce([]byte(pieces), []int32{1, 0}); err == nil || !strings.Contains(err.Error(), "not in order") {
		t.Error(err)
	}
}
