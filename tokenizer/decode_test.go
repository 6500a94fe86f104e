package tokenizer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// rawBytes is a tokenizer of bytes as characters.
func rawBytes(t *testing.T, decoder string) *Tokenizer {
	t.Helper()
	var vocab []string
	for b := range 256 {
		word := fmt.Sprintf("<0x%02X>", b)
		if decoder == "ByteLevel" {
			word = string(byteRunes[b])
		}
		vocab = append(vocab, fmt.Sprintf("%q: %d", word, b))
	}
	tok, err := Read([]byte(`{"added_tokens": [{"id": 256, "content": "<end>", "special": true}], "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
		"decoder": {"type": "Sequence", "decoders": [{"type": "` + decoder + `"}, {"type": "Fuse"}]}, "model": {"type": "BPE", "byte_fallback": true, "merges": [], "vocab": {` + strings.Join(vocab, ", ") + `}}}`))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// A stream gives a character with its last byte, and what is broken as soon as that is
// known.
func TestStream(t *testing.T) {
	for _, c := range []struct {
		decoder, bytes string
		want           []string
	}{
		{"ByteLevel", "a😀é", []string{"a", "", "", "", "😀", "", "é", ""}},
		{"ByteFallback", "a😀é", []string{"a", "", "", "", "😀", "", "é", ""}},
		{"ByteLevel", "\xf0\x9fx\xffy\xe4\xb8", []string{"", "", "\ufffdx", "\ufffd", "y", "", "", "\ufffd"}},
		{"ByteFallback", "\xf0\x9fx\xffy\xe4\xb8", []string{"", "", "\ufffd\ufffdx", "\ufffd", "y", "", "", "\ufffd\ufffd"}},
	} {
		s := rawBytes(t, c.decoder).Stream(true)
		for round := range 2 { // the second time it begins anew
			var got []string
			for i := range len(c.bytes) {
				out, err := s.Next(int32(c.bytes[i]))
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, out)
				if out, err := s.Next(256); out != "" || err != nil {
					t.Errorf("a special token is %q, %v", out, err)
				}
			}
			out, err := s.End()
			if got = append(got, out); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s of %q, round %d: %q, %v, want %q", c.decoder, c.bytes, round, got, err, c.want)
			}
		}
	}
	// Long texts: the window moves.
	tok := rawBytes(t, "ByteLevel")
	s, text := tok.Stream(false), ""
	long := strings.Repeat("aé漢😀", 50) + "<end>"
	ids, err := tok.Tokens(long)
	if err != nil || len(ids) != 501 {
		t.Fatal(len(ids), err)
	}
	for _, id := range ids {
		out, err := s.Next(id)
		if err != nil {
			t.Fatal(err)
		}
		if text += out; len(s.tokens) > 2*window {
			t.Fatal("a stream keeps all tokens")
		}
	}
	if text != long {
		t.Errorf("%q", text)
	}
}

func TestDecode(t *testing.T) {
	for decoder, want := range map[string]string{
		`null`:                  "he ##llo <end> .",
		`{"type": "WordPiece"}`: "hello <end>.",
		`{"type": "WordPiece", "cleanup": false, "prefix": "#"}`: "he#llo <end> .",
		`{"type": "Fuse"}`: "he##llo<end>.",
		`{"type": "Replace", "pattern": {"Regex": "l+"}, "content": "L"}`: "he##Lo<end>.",
		`{"type": "Strip", "content": "#", "start": 1, "stop": 0}`:        "he#llo<end>.",
	} {
		tok, err := Read([]byte(`{"added_tokens": [{"id": 9, "content": "<end>", "special": true}], "decoder": ` + decoder + `, "model": {"type": "WordLevel", "vocab": {"he": 0, "##llo": 1, ".": 2}}}`))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tok.Decode([]int32{0, 1, 9, 77, -1, 2}, false); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", decoder, got, err, want)
		}
		if got, _ := tok.Decode([]int32{9}, true); got != "" {
			t.Errorf("%s: a special token is %q", decoder, got)
		}
		if s, ok := tok.Token(1); s != "##llo" || !ok {
			t.Error(s, ok)
		}
		if id, ok := tok.ID("<end>"); id != 9 || !ok || !tok.IsSpecial(9) || tok.IsSpecial(0) {
			t.Error(id, ok)
		}
		if ids, err := tok.Plain("<end>"); err == nil {
			t.Errorf("a plain text is %v", ids)
		}
	}
	for decoder, want := range map[string]string{`{"type": "Other"}`: `decoder "Other" is not supported`, `{"type": "Strip", "content": "ab"}`: "Strip"} {
		if _, err := Read([]byte(`{"decoder": ` + decoder + `, "model": {"type": "WordLevel", "vocab": {}}}`)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", decoder, err)
		}
	}
}

// What is no UTF-8 becomes U+FFFD as the Unicode standard has it (table 3-8 and others
// of chapter 3.9).
func TestValid(t *testing.T) {
	for s, want := range map[string]string{
		"\xc0\xaf\xe0\x80\xbf\xf0\x81\x82A": "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffdA",
		"\xed\xa0\x80\xed\xbf\xbf\xed\xafA": "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffdA",
		"\xf4\x91\x92\x93\xffA\x80\xbfB":    "\ufffd\ufffd\ufffd\ufffd\ufffdA\ufffd\ufffdB",
		"\xe1\x80\xe2\xf0\x91\x92\xf1\xbfA": "\ufffd\ufffd\ufffd\ufffdA",
	} {
		if got := valid(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
