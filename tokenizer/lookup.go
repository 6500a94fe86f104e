package tokenizer

import "slices"

// ID is the number of a token; false: there is none of that text.
func (t *Tokenizer) ID(token string) (int32, bool) {
	if id, ok := t.addedText[token]; ok {
		return id, true
	}
	id, ok := t.model.words().of[token]
	return id, ok
}

// Token is the text of a number, as the vocabulary writes it; false: there is none.
func (t *Tokenizer) Token(id int32) (string, bool) {
	if i, ok := t.addedID[id]; ok {
		return t.added[i].written, true
	}
	return t.model.words().token(id)
}

// IsSpecial says whether a token is special: it stands for no text, and is left out of
// a text if that is wished.
func (t *Tokenizer) IsSpecial(id int32) bool {
	s, ok := t.Token(id)
	return ok && t.special[s]
}

// IsEnd says whether a generated text ends with a token.
func (t *Tokenizer) IsEnd(id int32) bool { return slices.Contains(t.Ends, id) }

// endNames are the tokens at which texts end, as llama.cpp knows them
// (src/llama-vocab.cpp).
var endNames = []string{
	"<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>", "<|endoftext|>",
	"</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>",
	"<|tool_response>", "<｜end▁of▁sentence｜>", "[e~[",
}

// ends finds what texts begin and end with, where the file does not say it.
func (t *Tokenizer) ends() {
	for _, name := range endNames {
		if id, ok := t.ID(name); ok {
			t.Ends = append(t.Ends, id)
		}
	}
	// Where a conversation has turns of other ends, <|end|> ends a part of one.
	has := func(name string) bool { id, ok := t.ID(name); return ok && t.IsEnd(id) }
	if has("<|end|>") && (has("<|return|>") && (has("<|call|>") || has("<|calls|>")) || (has("<|call|>") || has("<|calls|>")) && has("<|flush|>")) {
		id, _ := t.ID("<|end|>")
		t.Ends = slices.DeleteFunc(t.Ends, func(k int32) bool { return k == id })
	}
	if has("<|tool_response>") && has("</s>") {
		id, _ := t.ID("</s>")
		t.Ends = slices.DeleteFunc(t.Ends, func(k int32) bool { return k == id })
	}
	find := func(names ...string) int32 {
		for _, name := range names {
			if id, ok := t.ID(name); ok {
				return id
			}
		}
		return -1
	}
	if t.BOS < 0 {
		t.BOS = find("<s>", "<bos>", "<|begin_of_text|>", "<|startoftext|>", "[CLS]", "<｜begin▁of▁sentence｜>", "<|begin▁of▁sentence|>")
	}
	if t.EOS < 0 {
		t.EOS = find("</s>", "<eos>", "<|end_of_text|>", "<|endoftext|>", "<|im_end|>", "[SEP]", "<｜end▁of▁sentence｜>")
	}
	if t.EOS >= 0 && !t.IsEnd(t.EOS) {
		t.Ends = append(t.Ends, t.EOS)
	}
	slices.Sort(t.Ends)
	t.Ends = slices.Compact(t.Ends)
}
