package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Reduce gives a tokenizer.json whose tokens are only those kept, which are in order: the
// i-th of them becomes token i. Merges that need another go too. It returns an error where
// a token that the file names elsewhere is not kept (see [Tokenizer.Base]).
func Reduce(file []byte, kept []int32) ([]byte, error) {
	if _, err := Read(file); err != nil {
		return nil, err
	}
	r := &reduction{to: make(map[int32]int32, len(kept))}
	for i, id := range kept {
		if i > 0 && id <= kept[i-1] {
			return nil, fmt.Errorf("the tokens that are kept are not in order: %d stands before %d", kept[i-1], id)
		}
		r.to[id] = int32(i)
	}
	top, err := fieldsOf(file)
	if err != nil {
		return nil, err
	}
	for i := range top {
		switch f := &top[i]; f.name {
		case "added_tokens":
			f.value = r.added(f.value)
		case "model":
			f.value = r.model(f.value)
		case "post_processor":
			f.value = r.around(f.value)
		case "padding":
			f.value = r.in(f.value, "pad_id")
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	out := top.json()
	if _, err := Read(out); err != nil {
		return nil, fmt.Errorf("the tokenizer that is left: %w", err)
	}
	var text bytes.Buffer
	err = json.Indent(&text, out, "", "  ")
	return text.Bytes(), err
}

// reduction writes parts of the file anew; the first error sticks.
type reduction struct {
	to  map[int32]int32
	err error
}

func (r *reduction) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *reduction) read(b json.RawMessage, v any) { r.fail(json.Unmarshal(b, v)) }

// number is what a token's number becomes.
func (r *reduction) number(id int32) int32 {
	n, ok := r.to[id]
	if !ok {
		r.fail(fmt.Errorf("token %d is named by the tokenizer, and not kept", id))
	}
	return n
}

// in changes the number in a field, where there is one.
func (r *reduction) in(b json.RawMessage, name string) json.RawMessage {
	fs, err := fieldsOf(b)
	if err != nil {
		return b // null
	}
	for i := range fs {
		var id *int32
		if fs[i].name == name && json.Unmarshal(fs[i].value, &id) == nil && id != nil {
			fs[i].value = encoded(r.number(*id))
		}
	}
	return fs.json()
}

func (r *reduction) added(b json.RawMessage) json.RawMessage {
	var all []json.RawMessage
	r.read(b, &all)
	out := []json.RawMessage{}
	for _, a := range all {
		var t struct{ ID int32 }
		r.read(a, &t)
		if _, ok := r.to[t.ID]; ok {
			out = append(out, r.in(a, "id"))
		}
	}
	return encoded(out)
}

func (r *reduction) model(b json.RawMessage) json.RawMessage {
	fs, err := fieldsOf(b)
	r.fail(err)
	left := map[string]int32{}
	for i := range fs {
		if fs[i].name != "vocab" {
			continue
		}
		if bytes.HasPrefix(bytes.TrimSpace(fs[i].value), []byte("[")) {
			var all, out []json.RawMessage
			r.read(fs[i].value, &all)
			for id, x := range all {
				if _, ok := r.to[int32(id)]; ok {
					out = append(out, x)
				}
			}
			fs[i].value = encoded(out)
			continue
		}
		of := map[string]int32{}
		r.read(fs[i].value, &of)
		for text, id := range of {
			if n, ok := r.to[id]; ok {
				left[text] = n
			}
		}
		fs[i].value = byNumber(left)
	}
	for i := range fs {
		if fs[i].name == "merges" && string(fs[i].value) != "null" {
			fs[i].value = r.merges(fs[i].value, left, fs)
		}
	}
	return r.in(fs.json(), "unk_id")
}

// merges keeps those whose tokens all are left.
func (r *reduction) merges(b json.RawMessage, left map[string]int32, model fields) json.RawMessage {
	var prefix string
	for _, f := range model {
		if f.name == "continuing_subword_prefix" && string(f.value) != "null" {
			r.read(f.value, &prefix)
		}
	}
	var all []json.RawMessage
	r.read(b, &all)
	out := []json.RawMessage{}
	for _, l := range all {
		var pair []string
		if json.Unmarshal(l, &pair) != nil {
			var s string
			r.read(l, &s)
			pair = strings.Split(s, " ")
		}
		if len(pair) != 2 {
			r.fail(errors.New("a merge is not of two tokens"))
			return b
		}
		_, a := left[pair[0]]
		_, c := left[pair[1]]
		_, both := left[pair[0]+strings.TrimPrefix(pair[1], prefix)]
		if a && c && both {
			out = append(out, l)
		}
	}
	return encoded(out)
}

// around renumbers what a post-processor puts around texts.
func (r *reduction) around(b json.RawMessage) json.RawMessage {
	fs, err := fieldsOf(b)
	if err != nil {
		return b // null
	}
	for i := range fs {
		switch f := &fs[i]; f.name {
		case "sep", "cls": // [text, number]
			var pair []json.RawMessage
			var id int32
			if json.Unmarshal(f.value, &pair) == nil && len(pair) == 2 {
				r.read(pair[1], &id)
				pair[1] = encoded(r.number(id))
				f.value = encoded(pair)
			}
		case "special_tokens":
			named, err := fieldsOf(f.value)
			r.fail(err)
			for k := range named {
				inner, err := fieldsOf(named[k].value)
				r.fail(err)
				for l := range inner {
					if inner[l].name != "ids" {
						continue
					}
					var ids []int32
					r.read(inner[l].value, &ids)
					for m, id := range ids {
						ids[m] = r.number(id)
					}
					inner[l].value = encoded(ids)
				}
				named[k].value = inner.json()
			}
			f.value = named.json()
		case "processors":
			var all []json.RawMessage
			r.read(f.value, &all)
			for k := range all {
				all[k] = r.around(all[k])
			}
			f.value = encoded(all)
		}
	}
	return fs.json()
}

// fields are those of a JSON object, in its order.
type fields []struct {
	name  string
	value json.RawMessage
}

func fieldsOf(b []byte) (out fields, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	if t != json.Delim('{') {
		return nil, errors.New("not an object of JSON")
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string)
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, err
		}
		out = append(out, struct {
			name  string
			value json.RawMessage
		}{name, v})
	}
	return out, nil
}

func (fs fields) json() json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range fs {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(encoded(f.name))
		b.WriteByte(':')
		b.Write(f.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// byNumber writes tokens with their numbers in the order of these.
func byNumber(of map[string]int32) json.RawMessage {
	texts := make([]string, 0, len(of))
	for text := range of {
		texts = append(texts, text)
	}
	slices.SortFunc(texts, func(a, b string) int { return int(of[a]) - int(of[b]) })
	var fs fields
	for _, text := range texts {
		fs = append(fs, struct {
			name  string
			value json.RawMessage
		}{text, encoded(of[text])})
	}
	return fs.json()
}

// encoded is a value of numbers, texts and JSON as JSON, which it always has.
func encoded(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSpace(b.Bytes())
}
