package dataset

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// Records of JSON objects become fields of their names.
func TestJSONL(t *testing.T) {
	for _, c := range []struct {
		reads
		in, query string
	}{
		{reads{name: "numbers", train: "a [] ints: 1 2; b [] floats: 0.5 3; c [] ints: 1 0"}, `{"a":1,"b":0.5,"c":true}` + "\n\n" + `{"c":false,"a":2,"b":3}`, ""},
		{reads{name: "a list of objects", train: "a [] ints: 1 2"}, "\xef\xbb\xbf[{\"a\":1},\n{\"a\":2}]\n", ""},
		{reads{name: "classes by number", train: "a [] ints: 7 8; label [] of 4: 3 1"}, `{"label":3,"a":7}{"label":1,"a":8}`, ""},
		{reads{name: "classes by name", train: "a [] ints: 7 8 9; label [] of 2: 1 0 1", note: "0 cat, 1 dog"}, `{"label":"dog","a":7}{"label":"cat","a":8}{"label":"dog","a":9}`, ""},
		{reads{name: "negative labels", train: "label [] ints: -1 1"}, `{"label":-1}{"label":1}`, ""},
		{reads{name: "plain", train: "label [] ints: 0 1"}, `{"label":0}{"label":1}`, "plain=label"},
		{reads{name: "lists", train: "a [2 3] ints: 1 2 3 4 5 6"}, `{"a":[[1,2,3],[4,5,6]]}`, ""},
		{reads{name: "ragged", bad: "lists of 1 to 3 entries: pad=0"}, `{"a":[1,2,3]}{"a":[4]}`, ""},
		{reads{name: "padded", train: "a [3] ints: 1 2 3 4 -1 -1; a_mask [3] ints: 1 1 1 1 0 0"}, `{"a":[1,2,3]}{"a":[4]}`, "pad=-1&masks=a"},
		{reads{name: "cut", train: "a [2] ints: 1 2 4 0; a_mask [2] ints: 1 1 1 0", note: "1 of 2 lists of the training set are longer than 2"}, `{"a":[1,2,3]}{"a":[4]}`, "pad=0&length=2&masks=a"},
		{reads{name: "short", bad: "fewer than length=4"}, `{"a":[1,2,3]}{"a":[4]}`, "length=4"},
		{reads{name: "by column", train: "a [2 2] ints: 1 2 3 4 0 0; b [2] ints: 1 1 -1 -1"}, `{"a":[[1,2],[3,4]],"b":[1,1]}{"a":[],"b":[]}`, "pad=a:0,b:-1"},
		{reads{name: "inner", note: "lists of 2 and of 1 entries", train: "b [] ints: 1"}, `{"a":[[1,2],[3]],"b":1}`, ""},
		{reads{name: "shapes", bad: `record 1: column "a" has the shape [1 3], before it has [1 2]`}, `{"a":[[1,2]]}{"a":[[1,2,3]]}`, ""},
		{reads{name: "depths", bad: `record 1: column "a" has the shape [1], before it has []`}, `{"a":1}{"a":[1]}`, ""},
		{reads{name: "objects", train: "a.b [] ints: 1; a.c [1] floats: 0.5"}, `{"a":{"b":1,"c":[0.5]}}`, ""},
		{reads{name: "odd", train: "a [] ints: 1", note: "b (null in a list), c (lists of different things), d (lists of objects), e (text: class=e makes it a class"}, `{"a":1,"b":[null],"c":[1,"x"],"d":[{}],"e":"x"}`, ""},
		{reads{name: "class", train: "a [] ints: 1; e [] of 1: 0"}, `{"a":1,"e":"x"}`, "class=e"},
		{reads{name: "missing", bad: `column "b" has no value in 1 records, the first being record 1`}, `{"a":1,"b":2}{"a":1}{"a":2,"b":2}`, ""},
		{reads{name: "missing first", bad: `column "b" has no value in 2 records, the first being record 0`}, `{"a":1}{"a":1,"b":null}{"a":2,"b":2}`, ""},
		{reads{name: "dropped", train: "a [] ints: 1 1"}, `{"a":1,"b":2}{"a":1}`, "drop=b"},
		{reads{name: "kinds", bad: `record 1: column "a" has text, before it has numbers`}, `{"a":1}{"a":"1"}`, ""},
		{reads{name: "wide", train: "a [] floats: 1 1.099511627776e+12"}, `{"a":1}{"a":1099511627776}`, ""},
		{reads{name: "too wide", bad: "the whole number 1099511627777 of record 0"}, `{"a":1099511627777}`, ""},
		{reads{name: "too large", bad: "1e+300"}, `{"a":1e300}`, ""},
		{reads{name: "not objects", bad: "record 0 is 1, not an object"}, "1", ""},
		{reads{name: "cut short", bad: "the file is cut short"}, `{"a":1}{"a":`, ""},
		{reads{name: "empty", bad: "no records"}, "\n", ""},
		{reads{name: "a hole", bad: `column "b" has no value in 1 records, the first being record 1, where a list has a null`}, `{"a":1,"b":[1,2]}{"a":2,"b":[3,null]}`, ""},
		{reads{name: "a hole that is dropped", train: "a [] ints: 1 2"}, `{"a":1,"b":[1,2]}{"a":2,"b":[3,null]}`, "drop=b"},
		{reads{name: "no number", bad: "NaN and Infinity are no numbers"}, `{"a":1}{"a":NaN}`, ""},
		{reads{name: "infinite", bad: "NaN and Infinity are no numbers"}, `{"a":1}{"a":[1,-Infinity]}`, ""},
		{reads{name: "deep", bad: "deep"}, `{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}", ""},
		{reads{name: "no lists to mask", bad: `no column "a" of lists`}, `{"a":1}`, "masks=a"},
		{reads{name: "pad", bad: "is not NUMBER"}, `{"a":1}`, "pad=x"},
	} {
		dir := t.TempDir()
		c.check(t, "jsonl:"+write(t, filepath.Join(dir, "a.jsonl"), []byte(c.in))+"?"+c.query)
		c.name += ", packed"
		c.check(t, write(t, filepath.Join(dir, "a.json.gz"), gzipped([]byte(c.in)))+"?"+c.query)
	}
	dir := t.TempDir()
	a := write(t, filepath.Join(dir, "train.jsonl"), []byte(`{"a":[1],"label":"b","w":1}{"a":[2,3],"label":"a","w":2}`))
	b := write(t, filepath.Join(dir, "test.jsonl"), []byte(`{"w":2.5,"label":"b","a":[1,2,3]}`))
	c := reads{name: "parts", train: "a [3] ints: 1 0 0 2 3 0; w [] floats: 1 2; label [] of 2: 1 0", val: "nil", test: "a [3] ints: 1 2 3; w [] floats: 2.5; label [] of 2: 1"}
	c.check(t, "jsonl:"+a+","+b+"?pad=0")
	c.check(t, "jsonl:"+dir+"?pad=0")
}

func FuzzJSONL(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[[1,2],[3,4]],"label":"x"}{"a":2,"b":[],"label":"y"}`))
	f.Add([]byte(`[{"a":{"b":true}},{"a":{"b":1e3}}]`))
	f.Add(gzipped([]byte(`{"a":[1,2.5]}{"a":[1]}`)))
	f.Fuzz(func(t *testing.T, b []byte) { fuzz(t, "jsonl:{0}?pad=0", b) })
}

// What is read at once is what the library's tokens come to; what those refuse it does
// not read.
func FuzzJSONScan(f *testing.F) {
	for _, s := range []string{
		`{}`, ` {"a":1}`, `{"a":-0,"b":-0.0,"c":1e3,"d":0.1,"e":123456789012345678,"f":1234567890123456789,"g":12345678901234567890}`,
		`{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":-}`, `{"a":1e}`, `{"a":+1}`, `{"a":1e999}`, `{"a":9007199254740993.5,"b":0.30000000000000004}`,
		`{"a":[[1,2],[3]],"b":[1,"x"],"c":[null,{"d":[]}],"d":[[[[[[[[[1]]]]]]]]],"e":[],"f":[[]]}`, `{"a":"x\u00e9\ud83d\ude00\"","b":"é","c":"\ud800"}`,
		"{\"a\":\"\x01\"}", "{\"a\":\"\xff\"}", `{"a":true,"a":false,"b":{"c":{"a":null},"c.a":2}}`, `{"a":[1,]}`, `{"a":1,}`, `{,}`, `{"a" 1}`, `{"a":tru}`,
		`{"no":{"a":[1,{"b":"x"}],"n":-1.5e-3},"no":01}`, `{"no":[1 2]}`, `{"no":nul`, `{"a":1`, `{"a":"`, `{"a":[1`, `{"b":[[1,2],3],"b":[[1],[2,3]],"c":["x","y"]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 || b[0] != '{' {
			return
		}
		fresh := func() *table {
			return &table{d: &Data{}, o: recordOptions{fieldOptions: &fieldOptions{drop: []string{"no"}, left: map[string]bool{}}}, at: map[string]*cells{}}
		}
		s := jsonScan{t: fresh(), b: b}
		ok := s.object(0)
		k := jsonTokens{fresh(), jsontext.NewDecoder(bytes.NewBuffer(slices.Clone(b)), jsontext.AllowDuplicateNames(true))}
		err := k.object("")
		if !ok {
			if s.more && err == nil {
				t.Fatalf("%q is said to be longer", b)
			}
			return
		}
		if err != nil || int64(s.at) != k.dec.InputOffset() {
			t.Fatalf("%q is read to byte %d, tokens read it to %d: %v", b, s.at, k.dec.InputOffset(), err)
		}
		if len(s.t.cols) != len(k.t.cols) {
			t.Fatalf("%q has %d columns, by tokens %d", b, len(s.t.cols), len(k.t.cols))
		}
		for i, c := range s.t.cols {
			w := k.t.cols[i]
			if got, want := fmt.Sprintf("%s %+v", c.name, c.cell), fmt.Sprintf("%s %+v", w.name, w.cell); got != want {
				t.Fatalf("%q has the column %s, by tokens %s", b, got, want)
			}
		}
	})
}

// Objects that are larger than what is in memory of a file, or end anywhere in it, are
// read like others.
func TestJSONWindows(t *testing.T) {
	var b, want strings.Builder
	long := strings.Repeat("x", mostWindow+100)
	r := rand.New(rand.NewPCG(1, 2))
	const n = 3000
	for i := range n {
		fmt.Fprintf(&b, `%s{"a":%d,"b":[%s0]`, []string{"", " ", "\n"}[i%3], i, strings.Repeat("1,", r.IntN(60)))
		if i == n/2 {
			fmt.Fprintf(&b, `,"c":%q`, long)
		}
		if i%7 == 3 {
			b.WriteString(`,"c":[{"d":"\u00e9"}]`)
		}
		b.WriteString("}")
		fmt.Fprint(&want, " ", i)
	}
	path := write(t, filepath.Join(t.TempDir(), "a.jsonl"), []byte(b.String()))
	list := "[" + strings.ReplaceAll(b.String(), `{"a"`, `,{"a"`)[1:] + "]"
	for _, file := range []string{path, write(t, path+".gz", gzipped([]byte(b.String()))), write(t, path+".json", []byte(list))} {
		d, err := Open("jsonl:" + file + "?only=a")
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(d.Train.Field("a").Ints); got != "["+want.String()[1:]+"]" {
			t.Errorf("%s holds %.100s", file, got)
		}
	}
	for in, bad := range map[string]string{
		`[{"a":1} {"a":2}]`: "record 1: there is no comma", `[{"a":1},]`: "record 1: there is none", `[{"a":1}`: "the list is not closed", `{"a":1},{"a":2}`: "record 1",
		"{\"a\":1}\n\n{\"a\":}": "record 1: from byte 9 on", `[{"a":1},2]`: "record 1 is 2, not an object",
	} {
		c := reads{name: in, bad: bad}
		c.check(t, "jsonl:"+write(t, path, []byte(in)))
	}
}
