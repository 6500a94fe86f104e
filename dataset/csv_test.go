package dataset

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/internal/hostile"
)

// labelsOf are the labels of a set, in order.
func labelsOf(s *Set) []int32 {
	var out []int32
	for i := range s.Len() {
		out = append(out, s.Label(i))
	}
	return out
}

// noted tells whether a note has a text.
func noted(d *Data, want string) bool {
	return slices.ContainsFunc(d.Notes, func(n string) bool { return strings.Contains(n, want) })
}

// CSV files as pandas and spreadsheets write them.
func TestCSV(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text, query string
		values      []float32
		labels      []int32
		classes     int
		note        string
	}{
		"absent classes":      {"5,6,1\n7,8,3\n", "", []float32{5, 6, 7, 8}, []int32{1, 3}, 4, "no sample has class 0, 2"},
		"one class":           {"5,6,3\n7,8,3\n", "", []float32{5, 6, 7, 8}, []int32{3, 3}, 4, "all samples have class 3"},
		"from 1":              {"5,6,1\n7,8,3\n", "base=1", []float32{5, 6, 7, 8}, []int32{0, 2}, 3, "counted from 1"},
		"whole decimals":      {"5,6,1.0\n7,8,3.0\n1,2,01\n", "", []float32{5, 6, 7, 8, 1, 2}, []int32{1, 3, 1}, 4, "kept as they are"},
		"minus and plus":      {"5,6,-1\n7,8,1\n1,2,+1\n", "", []float32{5, 6, 7, 8, 1, 2}, []int32{0, 1, 1}, 2, "0 -1, 1 1"},
		"names":               {"5,6,dog\n7,8,cat\n", "", []float32{5, 6, 7, 8}, []int32{1, 0}, 2, "0 cat, 1 dog"},
		"numbers and names":   {"5,6,10\n7,8,9\n7,8,other\n", "header=no", []float32{5, 6, 7, 8, 7, 8}, []int32{1, 0, 2}, 3, "0 9, 1 10, 2 other"},
		"letters":             {"5,6,10\n7,8,9\n", "classes=letters", []float32{5, 6, 7, 8}, []int32{0, 1}, 2, "0 10, 1 9"},
		"mark, CRLF, blanks":  {"\ufeffa,b,c\r\n5,6,1\r\n\r\n7,8,0\r\n", "", []float32{5, 6, 7, 8}, []int32{1, 0}, 2, "header"},
		"CR alone":            {"a,b,c\r5,6,1\r7,8,0\r", "", []float32{5, 6, 7, 8}, []int32{1, 0}, 2, "header"},
		"decimal comma":       {"a;b;c\n5,5;6;1\n7;-8,25;0\n", "", []float32{5.5, 6, 7, -8.25}, []int32{1, 0}, 2, "decimal comma"},
		"commas everywhere":   {"5,5;6,5;1\n7,0;8,25;0\n", "", []float32{5.5, 6.5, 7, 8.25}, []int32{1, 0}, 2, "divided at ';'"},
		"tabs":                {"5\t6\t1\n7\t8\t0\n", "", []float32{5, 6, 7, 8}, []int32{1, 0}, 2, `divided at '\t'`},
		"bars":                {"5|6|1\n7|8|0\n", "", []float32{5, 6, 7, 8}, []int32{1, 0}, 2, "divided at '|'"},
		"sep= of Excel":       {"sep=;\na;b\n5;1\n", "", []float32{5}, []int32{1}, 2, "header"},
		"quotes and spaces":   {"\"a\", \"b, c\", \"class\"\n \"5\" , 6 ,\"x,y\"\n7,8, z\n", "", nil, nil, 0, ""},
		"quotes":              {"\"a\",\"b, c\",\"class\"\n\"5\",6 ,\"x,y\"\n7, 8,z\n", "", []float32{5, 6, 7, 8}, []int32{0, 1}, 2, "0 x,y, 1 z"},
		"comments":            {"# made by\n5,6,1\n# half\n7,8,0\n", "", []float32{5, 6, 7, 8}, []int32{1, 0}, 2, "2 lines that begin with #"},
		"class by name first": {"label,p0,p1\n1,5,6\n0,7,8\n", "", []float32{5, 6, 7, 8}, []int32{1, 0}, 2, `column 0 ("label")`},
		"numbered header":     {"label,0,1,2,3\n1,5,6,9,9\n0,7,8,9,9\n", "", []float32{5, 6, 9, 9, 7, 8, 9, 9}, []int32{1, 0}, 2, "header"},
		"numbers of columns":  {"0,1,2,3,4\n1,5,6,9,0\n0,7,8,9,1\n", "", []float32{1, 5, 6, 9, 0, 7, 8, 9}, []int32{0, 1}, 2, "header"},
		"and no header":       {"0,1,2,3,4\n1,5,6,9,0\n", "header=no", []float32{0, 1, 2, 3, 1, 5, 6, 9}, []int32{4, 0}, 5, ""},
		"header of iris":      {"150,2,setosa,versicolor\n5.1,3.5,1.4,0\n4.9,3.1,1.5,1\n", "", []float32{5.1, 3.5, 1.4, 4.9, 3.1, 1.5}, []int32{0, 1}, 2, "header"},
		"index of pandas":     {",a,b,label\n0,5,6,1\n1,7,8,0\n", "", []float32{5, 6, 7, 8}, []int32{1, 0}, 2, "numbers of the rows"},
		"index of R":          {"a,b,label\nr1,5,6,1\nr2,7,8,0\n", "", []float32{5, 6, 7, 8}, []int32{1, 0}, 2, "names of the rows"},
		"a column counts":     {"id,a,label\n1,5,6\n2,7,8\n3,1,2\n", "", []float32{1, 5, 2, 7, 3, 1}, []int32{6, 8, 2}, 9, "skip=0"},
		"skipped":             {"id,a,label\n1,5,6\n2,7,8\n3,1,2\n", "skip=id", []float32{5, 7, 1}, []int32{6, 8, 2}, 9, ""},
		"trailing separators": {"a,b,c,\n5,6,1,\n7,8,0,\n", "", []float32{5, 6, 7, 8}, []int32{1, 0}, 2, "empty last column"},
		"one header line":     {"5,6,cat\n7,8,cat\n", "", []float32{5, 6, 7, 8}, []int32{0, 0}, 1, "all samples have class cat"},
		"label by number":     {"5,6,1\n7,8,0\n", "label=0", []float32{6, 1, 8, 0}, []int32{5, 7}, 8, ""},
	} {
		file := write(t, filepath.Join(dir, strings.ReplaceAll(name, " ", "_")+".csv"), []byte(c.text))
		d, err := Open("csv:" + file + "?" + c.query)
		if c.values == nil {
			if err == nil {
				t.Errorf("%s: was accepted: %v", name, d.Train.X().Floats)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s := d.Train; !slices.Equal(s.X().Floats, c.values) || !slices.Equal(labelsOf(s), c.labels) || s.y().Classes != c.classes {
			t.Errorf("%s: values %v, labels %v, %d classes", name, s.X().Floats, labelsOf(s), s.y().Classes)
		}
		if !noted(d, c.note) {
			t.Errorf("%s: no note with %q: %q", name, c.note, d.Notes)
		}
	}
}

// What is not understood is refused, with the place and the way on.
func TestBadCSV(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"a,b,c\n5,,1\n":                     `line 2, column 1 ("b"): "" is not a number: a value is missing`,
		"a,b,c\n5,6,1\n5,NA,1\n":            `line 3, column 1 ("b"): "NA" is not a number: a value is missing`,
		"a,b,c\n5,6,\n":                     `line 2, column 2 ("c"): the class is missing`,
		"a,b,c\n\n5,6,nan\n":                `line 3, column 2 ("c"): the class is missing`,
		"NA,6,1\n5,6,1\n":                   "line 1, column 0",
		"5,6,1\n5,6\n":                      "line 2: wrong number of fields: 2, the first line has 3",
		"5,6,1\n\n5,6,1,7\n":                "line 3: wrong number of fields: 4, the first line has 3",
		"5,1e39,1\n":                        "32 bits",
		"5,6,1.5\n5,6,2.5\n":                "not whole",
		"5\n6\n":                            "sep=",
		"5 6 1\n5 6 0\n":                    "sep=",
		"a;b;c\n5,5;6.5;1\n":                "decimal point",
		"1,2,unknown\n3,5,3\n":              "header=yes",
		"a,a,b\n1,2,0\n?label=a":            "both named",
		"a,b,c\n1,2,0\n?label=C":            "did you mean c",
		"a,b,c\n1,2,0\n?label=7":            "no column",
		"a,b,c\n1,2,0\n?skip=d":             "no column",
		"a,b,c\n1,2,0\n?skip=c&label=c":     "left out",
		"y,class,b\n1,2,0\n":                "could each be the class",
		"a,b,c\n1,2,0\n?sep=x":              "option sep",
		"a,b,c\n1,2,0\n?header=maybe":       "use auto, yes, no",
		"1,2,0\n1,2,1\n?base=1":             "below base=1",
		"1,2,a\n?base=1":                    "have names",
		"\xff\xfea\x00,\x00b\x00\n\x00":     "UTF-16",
		"a\x00,\x00b\x00\n\x00":             "UTF-16",
		"PK\x03\x04 and so on":              "Excel",
		"1,2,0\n?mean=.5,.5,.5&std=1,1,1":   "mean has 3 numbers",
		"1,2,0\n?mean=NaN&std=1":            "list of numbers",
		"1,2,0\n?norm=raw&mean=.5&std=.5":   "one of them",
		"1,2,0\n?norm=imagnet":              "did you mean imagenet",
		"1,2,0\n?n=1&n=2":                   "2 times",
		"1,2,0\n?lable=0":                   "did you mean label",
		"1,2,0\n?n=1e30":                    "whole number",
		"1,2,0\n1,2,1\n?val=Inf":            "not a number",
		"# only\n# comments\n":              "no samples",
		"a,b,c\n":                           "no samples",
		"\"a\",\"b\n,c\",d\n1,2,3\nx,y,z\n": "not a number",
	} {
		text, query, _ := strings.Cut(text, "?")
		if query == "" && strings.Contains(want, "?") {
			t.Fatal(want)
		}
		file := write(t, filepath.Join(dir, "a.csv"), []byte(text))
		if _, err := Open("csv:" + file + "?" + query); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q ?%s: %v, want something with %q", text, query, err, want)
		}
	}
	file := func(name, text string) string { return write(t, filepath.Join(dir, name), []byte(text)) }
	for spec, want := range map[string]string{
		"csv:" + file("a", "a,b,y\n1,2,0\n") + "," + file("b", "b,a,y\n1,2,0\n"):  `named "b"`,
		"csv:" + file("c", "a,b,y\n1,2,0\n") + "," + file("d", "a,y\n1,0\n"):      "2 columns",
		"csv:" + file("e", "1,2,a\n") + "," + file("f", "1,2,b\n"):                "lacks",
		"csv:" + file("g", "1,2,a\n2,2,b\n") + "," + file("h", "1,2,0\n1,2,1\n"):  "lacks",
		"csv:" + file("i", "1,2,0\n2,2,1\n") + "," + file("j", "1,2,0\n1,2,no\n"): "lacks",
	} {
		if _, err := Open(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something with %q", spec, err, want)
		}
	}
	d := open(t, "csv:"+file("k", "y,a,b\n0,1,2\n3,1,2\n")+","+file("l", "2,1,2\n"))
	if d.Test.Label(0) != 2 || d.Test.Class().Classes != 4 || d.Train.Label(1) != 3 {
		t.Errorf("labels %v and %v of %d classes", labelsOf(d.Train), labelsOf(d.Test), d.Test.Class().Classes)
	}
}

// A little that unpacks to very much is refused before it is read as numbers.
func TestLargeCSV(t *testing.T) {
	rows := bytes.Repeat([]byte("0,0,0,0,0,0,0,0\n"), 1<<20)
	var all [][]byte
	for range 4 {
		all = append(all, rows)
	}
	file := write(t, filepath.Join(t.TempDir(), "a.csv.gz"), gzipped(bytes.Join(all, nil)))
	start := hostile.Processor()
	if _, err := Open("csv:" + file); err == nil || !strings.Contains(err.Error(), "gunzip") {
		t.Error(err)
	}
	if s := hostile.Processor() - start; s > hostile.Most {
		t.Errorf("it took %v", s)
	}
}

// The first samples of a file in the order of its classes would be of one class.
func TestFirstOfSorted(t *testing.T) {
	var sorted, mixed strings.Builder
	for i := range 150 {
		fmt.Fprintf(&sorted, "%d,7,%d\n", i*i%91, i/50)
		fmt.Fprintf(&mixed, "%d,7,%d\n", i*i%91, i%3)
	}
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "sorted.csv"), []byte(sorted.String()))
	d := open(t, "csv:"+file+"?n=30&header=no")
	have := map[int32]int{}
	for _, l := range labelsOf(d.Train) {
		have[l]++
	}
	if have[0] != 10 || have[1] != 10 || have[2] != 10 || !noted(d, "drawn by seed") {
		t.Errorf("classes %v, notes %q", have, d.Notes)
	}
	if e := open(t, "csv:"+file+"?n=30&header=no"); e.Train.Digest() != d.Train.Digest() {
		t.Error("one seed draws two sets")
	}
	if e := open(t, "csv:"+file+"?n=30&header=no&seed=2"); e.Train.Digest() == d.Train.Digest() {
		t.Error("two seeds draw one set")
	}
	d = open(t, "csv:"+write(t, filepath.Join(dir, "mixed.csv"), []byte(mixed.String()))+"?n=30&header=no")
	for i := range 30 {
		if d.Train.X().Floats[d.Train.at(i)*2] != float32(i*i%91) {
			t.Fatalf("sample %d is not that of the file", i)
		}
	}
}

// Few samples of a file whose parts are each in the order of classes are of all of
// them; where one class is rare, but anywhere, the order is none.
func TestRuns(t *testing.T) {
	set := func(label func(i int) int32) *Set {
		s := classified(Field{Shape: []int{1}, Floats: make([]float32, 200)})
		s.y().Classes = 5
		for i := range 200 {
			s.y().Ints = append(s.y().Ints, label(i))
		}
		return s
	}
	for name, c := range map[string]struct {
		label func(i int) int32
		want  bool
	}{
		"sorted":    {func(i int) int32 { return int32(i / 40) }, true},
		"parts":     {func(i int) int32 { return int32(i % 50 / 10) }, true},
		"in turn":   {func(i int) int32 { return int32(i % 5) }, false},
		"at random": {func(i int) int32 { return int32(mix(1, 2, uint64(i)) % 5) }, false},
		"rare":      {func(i int) int32 { return map[bool]int32{true: 1}[mix(1, 2, uint64(i))%20 == 0] }, false},
		"one":       {func(i int) int32 { return 3 }, false},
	} {
		if got := set(c.label).runs(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
