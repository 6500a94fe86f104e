package dataset

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/tokenizer"
)

// chatty is a tokenizer of a few words that knows what ends a text.
const chatty = `{"pre_tokenizer": {"type": "WhitespaceSplit"},
	"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [], "special_tokens": {"<s>": {"ids": [1]}}},
	"added_tokens": [{"id": 1, "content": "<s>", "special": true}, {"id": 2, "content": "</s>", "special": true}],
	"model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0, "<s>": 1, "</s>": 2, "###": 3, "Instruction:": 4, "Input:": 5, "Response:": 6, "say": 7, "twice": 8, "yes": 9, "no": 10, "hush": 11}}}`

// Instructions with responses become tokens of which those of the response count.
func TestInstructions(t *testing.T) {
	dir := t.TempDir()
	tok := "tokenizer=" + write(t, filepath.Join(dir, "tokenizer.json"), []byte(chatty))
	jsonl := write(t, filepath.Join(dir, "a.jsonl"), []byte(`{"do":"say","with":"","out":"yes yes"}{"do":"say twice","with":"no","out":"no no"}`))
	for spec, c := range map[string]reads{
		// <s> ### Instruction: say ### Response: yes yes </s>, and with ### Input: no
		"?response=out&text=do,with&": {train: "input_ids [12] ints: 1 3 4 7 3 6; next [12] of 12: -1 -1 -1 -1 -1 9",
			note: "12 tokens, as many as the longest"},
		"?response=out&text=do&template=plain&length=4&":      {train: "input_ids [4] ints: 1 7 9 9 1 7; next [4] of 12: -1 9 9 2 -1 -1", note: "1 of 2 texts of the training set"},
		"?response=out&text=do,with&template=plain&length=3&": {train: "input_ids [3] ints: 1 7 9 1 7 8; next [3] of 12: -1 9 9 -1 -1 -1", note: "of 1 of 2 records of the training set nothing of the response"},
		"?response=out&text=do&length=3&":                     {bad: "no record of the training set has a token of its response within length=3"},
		"?response=out&":                                      {bad: "columns do, with, out hold texts"},
		"?response=gone&text=do&":                             {bad: `no column "gone"`},
		"?response=do&text=do&":                               {bad: "no column of texts beside it"},
		"?template=plain&text=do&":                            {bad: "template= goes with response"},
	} {
		c.name = spec
		c.check(t, "jsonl:"+jsonl+spec+tok)
	}
	d, err := Open("jsonl:" + jsonl + "?response=out&text=do,with&" + tok)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]int32{{1, 3, 4, 7, 3, 6, 9, 9, 2, 2, 2, 2, 1, 3, 4, 7, 8, 3, 5, 10, 3, 6, 10, 10}, {-1, -1, -1, -1, -1, 9, 9, 2, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 10, 10, 2}} {
		if got := d.Train.Fields[i].Ints; !slices.Equal(got, want) {
			t.Errorf("field %d is %v, want %v", i, got, want)
		}
	}
	bare := reads{name: "no tokenizer", bad: "go with tokenizer=FILE"}
	bare.check(t, "jsonl:"+jsonl+"?response=out")
	own, err := tokenizer.Read([]byte(chatty))
	if err != nil {
		t.Fatal(err)
	}
	if d, err = (Options{Tokenizer: own}).Open("jsonl:" + jsonl + "?response=out&text=do"); err != nil || d.Train.Field("next").Classes != 12 || !d.Instructed() {
		t.Errorf("by the model's own tokenizer: %v", err)
	}
}

// A text before every sample stands behind what samples begin with, and nothing is asked
// there: held in memory and streamed.
func TestBefore(t *testing.T) {
	dir := t.TempDir()
	tok := "tokenizer=" + write(t, filepath.Join(dir, "tokenizer.json"), []byte(chatty))
	line := `{"do":"say","out":"yes yes"}` + "\n"
	jsonl := write(t, filepath.Join(dir, "a.jsonl"), []byte(strings.Repeat(line, 4000)))
	text := write(t, filepath.Join(dir, "a.txt"), []byte(strings.Repeat("say twice yes\n", 300)))
	lines := write(t, filepath.Join(dir, "b.txt"), []byte("say\nsay twice\n"))
	for _, c := range []struct {
		spec         string
		memory       int64
		now, next    []int32
		input, label string
	}{
		{"jsonl:" + jsonl + "?response=out&template=plain&" + tok, 0, []int32{1, 11, 11, 7, 9, 9}, []int32{-1, -1, -1, 9, 9, 2}, "input_ids", "next"},
		{"jsonl:" + jsonl + "?response=out&template=plain&length=40&" + tok, 1 << 18, []int32{1, 11, 11, 7, 9, 9}, []int32{-1, -1, -1, 9, 9, 2}, "input_ids", "next"},
		{"text:" + text + "?seq=3&" + tok, 0, []int32{11, 11, 7, 8, 9}, []int32{-1, -1, 8, 9, 7}, "text", "next"},
		{"lines:" + lines + "?" + tok, 0, []int32{1, 11, 11, 7, 2}, []int32{1, 1, 1, 1, 0}, "input_ids", "attention_mask"},
	} {
		d, err := Options{Memory: c.memory}.Open(c.spec)
		if err != nil {
			t.Fatal(err)
		}
		b, n, err := d.Before("hush hush")
		if err != nil || n != 2 {
			t.Fatalf("%s: %d tokens, %v", c.spec, n, err)
		}
		if streams := b.Train.Stream != nil; streams != (c.memory > 0) || b.Train.Digest() == d.Train.Digest() {
			t.Fatalf("%s: a stream: %v", c.spec, streams)
		}
		l := &Loader{Set: b.Train, Size: 1, Norm: Raw}
		to := []Buffer{{Field: 0, I: make([]int64, b.Train.Fields[0].Size())}, {Field: 1, I: make([]int64, b.Train.Fields[1].Size())}}
		if _, err := l.Fill(0, 0, to); err != nil {
			t.Fatalf("%s: %v", c.spec, err)
		}
		for k, want := range [][]int32{c.now, c.next} {
			var got []int32
			for _, x := range to[k].I[:len(want)] {
				got = append(got, int32(x))
			}
			if !slices.Equal(got, want) || b.Train.Fields[k].Name != []string{c.input, c.label}[k] {
				t.Errorf("%s: field %s is %v, want %v", c.spec, b.Train.Fields[k].Name, got, want)
			}
		}
	}
	d, err := Open("digits")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Before("hush"); err == nil || !strings.Contains(err.Error(), "no tokens of texts") {
		t.Errorf("%v", err)
	}
	if d, err = Open("shakespeare?seq=8"); err != nil {
		t.Fatal(err)
	}
	if b, n, err := d.Before("Hark"); err != nil || n != 4 || !slices.Equal(b.Test.X().Ints[:4], []int32{'H', 'a', 'r', 'k'}) || b.Test.X().Shape[0] != 12 {
		t.Errorf("bytes: %d, %v", n, err)
	}
}
