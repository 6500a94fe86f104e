package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
)

// part is one of what a sample is put together from.
type part struct {
	of   int     // 0, 1: the first or second text; -1: tokens
	ids  []int32 // these
	kind int32   // which of two texts they are said to be of
}

// postProcessor is what is put around texts as the file has it.
type postProcessor struct {
	Type       string
	Processors []json.RawMessage
	Sep, Cls   [2]any
	Single     []map[string]special
	Pair       []map[string]special
	Tokens     map[string]struct{ IDs []int32 } `json:"special_tokens"`
}

// special is a text, or a token, of a template.
type special struct {
	ID     string
	TypeID int32 `json:"type_id"`
}

// post reads what is put around texts.
func (t *Tokenizer) post(b json.RawMessage) error {
	t.single = []part{{of: 0}}
	t.pair = []part{{of: 0}, {of: 1, kind: 1}}
	if len(b) == 0 || string(b) == "null" {
		return nil
	}
	var p postProcessor
	if err := json.Unmarshal(b, &p); err != nil {
		return fmt.Errorf("the post-processor of the tokenizer: %w", err)
	}
	switch p.Type {
	case "ByteLevel":
		return nil
	case "Sequence":
		done := 0
		for _, q := range p.Processors {
			var kind struct{ Type string }
			if json.Unmarshal(q, &kind) == nil && kind.Type == "ByteLevel" {
				continue
			}
			if done++; done > 1 {
				return errors.New("several post-processors after each other are not supported")
			}
			if err := t.post(q); err != nil {
				return err
			}
		}
		return nil
	case "BertProcessing", "RobertaProcessing":
		var ids [2]int32
		for i, x := range [][2]any{p.Cls, p.Sep} {
			v, ok := x[1].(float64)
			if !ok || v < 0 || v >= maxTokens {
				return fmt.Errorf("the post-processor %s names no tokens", p.Type)
			}
			ids[i] = int32(v)
		}
		cls, sep := part{-1, ids[:1], 0}, part{-1, ids[1:], 0}
		t.single = []part{cls, {of: 0}, sep}
		t.pair = []part{cls, {of: 0}, sep, {of: 1, kind: 1}, {-1, ids[1:], 1}}
		if p.Type == "RobertaProcessing" {
			t.pair = []part{cls, {of: 0}, sep, sep, {of: 1}, sep}
		}
		return nil
	case "TemplateProcessing":
	default:
		return fmt.Errorf("the tokenizer's post-processor %q is not supported", p.Type)
	}
	var err error
	if t.single, err = p.read(p.Single); err == nil {
		t.pair, err = p.read(p.Pair)
	}
	return err
}

// read reads a template.
func (p *postProcessor) read(in []map[string]special) ([]part, error) {
	var out []part
	for _, m := range in {
		if s, ok := m["Sequence"]; ok {
			out = append(out, part{of: map[string]int{"B": 1}[s.ID], kind: s.TypeID})
			continue
		}
		s, ok := m["SpecialToken"]
		ids := p.Tokens[s.ID].IDs
		if !ok || len(ids) == 0 {
			return nil, fmt.Errorf("the post-processor's token %q is not known", s.ID)
		}
		for _, id := range ids {
			if id < 0 || id >= maxTokens {
				return nil, fmt.Errorf("the post-processor's token %q has number %d", s.ID, id)
			}
		}
		out = append(out, part{-1, ids, s.TypeID})
	}
	return out, nil
}
