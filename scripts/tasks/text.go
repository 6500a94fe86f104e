package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"pare/npy"
	"pare/tensor"
	"pare/zoo"
)

const textLength = 36 // tokens

// textClasses are the classes' names by number.
var textClasses = []string{"food bad, service bad", "food bad, service good", "food good, service bad", "food good, service good"}

var textTask = task{"text", "text classification: what a guest says of food and of service, as Parquet and JSON lines", func(s settings) (*made, error) {
	w := newWordPiece(vocabulary())
	net, err := zoo.New("bert-2-64-4-classifier", zoo.Options{In: []int{textLength}, Classes: len(textClasses), Tables: []int{len(w.pieces)}, Seed: s.seed})
	if err != nil {
		return nil, err
	}
	tokenizer, err := w.json(textLength)
	if err != nil {
		return nil, err
	}
	m := &made{
		nets: []network{{"net.onnx", net}},
		bind: map[string]string{"input_ids": "ids", "attention_mask": "mask"},
		about: "Reviews whose words are the same for every class: which word is said of what, and what is denied, decides.\n" +
			"train.parquet has the tokens' numbers, train.jsonl the texts, and tokenizer.json (of Hugging Face's\n" +
			"tokenizers; a WordPiece model) makes the one of the other. Classes: " + strings.Join(textClasses, "; ") + ".",
		fields: []field{{"ids", "numbers of the tokens, 0 behind the last"}, {"mask", "1 for tokens, 0 behind the last"}, {"label", "the class"}},
		files:  map[string][]byte{"tokenizer.json": tokenizer},
	}
	texts := map[string][]review{}
	var long error
	m.split(s, 16000, 2000, 2000, func(part string, n int) []npy.Array {
		ids, mask, label := tensor.New(tensor.Int64, n, textLength), tensor.New(tensor.Int64, n, textLength), tensor.New(tensor.Int64, n)
		for i := range n {
			v := newReview(s.rand("text", part, i))
			texts[part] = append(texts[part], v)
			tensor.Of[int64](label)[i] = int64(v.Label)
			row := w.encode(v.Text)
			if len(row) > textLength {
				long = fmt.Errorf("%q has %d tokens", v.Text, len(row))
				continue
			}
			for k, id := range row {
				tensor.Of[int64](ids)[textLength*i+k], tensor.Of[int64](mask)[textLength*i+k] = int64(id), 1
			}
		}
		return []npy.Array{{Name: "ids", Tensor: ids}, {Name: "mask", Tensor: mask}, {Name: "label", Tensor: label}}
	})
	m.write = func(_ context.Context, dir string, sp split) error { return writeText(dir, sp, texts[sp.name]) }
	return m, long
}}

// writeText writes tokens as Parquet and texts as JSON lines.
func writeText(dir string, sp split, texts []review) error {
	type row struct {
		IDs   []int64 `parquet:"ids,list"`
		Mask  []int64 `parquet:"mask,list"`
		Label int64   `parquet:"label"`
	}
	rows := make([]row, sp.size())
	var lines bytes.Buffer
	e := json.NewEncoder(&lines)
	for i := range rows {
		at := func(name string) []int64 { return tensor.Of[int64](sp.array(name))[textLength*i : textLength*(i+1)] }
		rows[i] = row{at("ids"), at("mask"), tensor.Of[int64](sp.array("label"))[i]}
		if err := e.Encode(texts[i]); err != nil {
			return err
		}
	}
	if err := writeParquet(filepath.Join(dir, sp.name+".parquet"), rows); err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(dir, sp.name+".jsonl"), lines.Bytes(), 0o644)
}

// review is a text and its class.
type review struct {
	Text  string `json:"text"`
	Label int    `json:"label"`
}

// The words of the reviews. Adjectives are said of anything, so that no word
// alone speaks for a class.
var (
	good     = strings.Fields("good great lovely pleasant fine remarkable")
	bad      = strings.Fields("bad awful poor unpleasant dull unremarkable")
	aspects  = [2][]string{strings.Fields("service staff waiter"), strings.Fields("food meal soup")}
	others   = strings.Fields("weather music parking")
	strength = strings.Fields("very really rather")
	openings = []string{"we came on %d", "%n brought us here", "our table was booked by %n", "on %d we went with %n", "last %d it was full"}
	days     = strings.Fields("monday tuesday wednesday thursday friday saturday sunday")
	heads    = strings.Fields("mar bel tor lin sa ke jo ana ro pe")
	tails    = strings.Fields("lo na rin dek sa mo ti vra")
)

// clauses say of %a that it is %g: an adjective of the polarity meant; %b is one of
// the other, %s nothing or a word of strength.
var clauses = []string{
	"the %a was %s %g",
	"the %a was not %b",
	"i found the %a %s %g",
	"i did not find the %a %b",
	"nobody would call the %a %b",
	"%g is the word for the %a",
	"i expected a %b %a but it was %g",
	"the %a , which was called %b , was %s %g",
}

// clause draws a form: half are the plainest.
func clause(r *rand.Rand) string {
	if r.IntN(2) == 0 {
		return clauses[0]
	}
	return pick(r, clauses)
}

// pairs say something of two things at once: first of %a, then of %c, whether the
// same of both or the opposite.
var (
	alike    = []string{"the %a was %g and so was the %c", "both the %a and the %c were %s %g", "neither the %a nor the %c was %b"}
	opposite = []string{"the %a was %s %g , unlike the %c", "the %a was %g but not the %c", "the %c was %b while the %a was anything but that"}
)

// newReview writes a review: the two aspects in either order, with clauses about
// other things between.
func newReview(r *rand.Rand) review {
	service, food := r.IntN(2), r.IntN(2)
	polarity := [2]int{service, food}
	first := 0
	if r.IntN(4) > 0 { // most speak of the food first
		first = 1
	}
	var said []string
	if r.IntN(4) == 0 {
		form := opposite
		if service == food {
			form = alike
		}
		said = append(said, phrase(r, pick(r, form), pick(r, aspects[first]), pick(r, aspects[1-first]), polarity[first]))
	} else {
		said = append(said, phrase(r, clause(r), pick(r, aspects[first]), "", polarity[first]))
		said = append(said, phrase(r, clause(r), pick(r, aspects[1-first]), "", polarity[1-first]))
	}
	switch r.IntN(5) {
	case 0: // of something else
		at := r.IntN(len(said) + 1)
		said = append(said[:at], append([]string{phrase(r, clauses[r.IntN(3)], pick(r, others), "", r.IntN(2))}, said[at:]...)...)
	case 1:
		o := strings.ReplaceAll(pick(r, openings), "%d", pick(r, days))
		said = append([]string{strings.ReplaceAll(o, "%n", pick(r, heads)+pick(r, tails))}, said...)
	}
	var b strings.Builder
	for _, c := range said {
		b.WriteString(strings.ToUpper(c[:1]) + strings.ReplaceAll(c[1:], " ,", ",") + ". ")
	}
	return review{strings.TrimSpace(b.String()), 2*food + service}
}

// phrase fills a form.
func phrase(r *rand.Rand, form, a, c string, polarity int) string {
	g, b := good, bad
	if polarity == 0 {
		g, b = bad, good
	}
	s := ""
	if r.IntN(2) == 0 {
		s = pick(r, strength)
	}
	out := strings.NewReplacer("%a", a, "%c", c, "%g", pick(r, g), "%b", pick(r, b), "%s", s).Replace(form)
	return strings.Join(strings.Fields(out), " ")
}

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }
