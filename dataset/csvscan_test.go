package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

// What a scan of lines divides is what the library does.
func FuzzCSVScan(f *testing.F) {
	for _, s := range []string{
		"a,b\n1,2\n", "a;b\r\n1;2\r\n", "\"a\",\"b,c\"\n\"d\"\"e\" ,f\n", "a,\"b\"\n", "a, \"b\nc\r\nd\"\n#x\n\n1,2", "#\"\na,\"b\"", "a,\"b\"\r", "a,b\r",
		"\"\"\"\",\"\"", "a\"b,c", "\"a\"b,c", "\"a", "\"a\"\rb", " ,\t\n", "a,b\n\n#c\nd,e\n", "\r\n\r", "a,\"b\rc\"\r\n", "\u00a0\"a\",b", "a\tb\n \"c\"\td",
	} {
		for _, sep := range []byte(",;\t") {
			f.Add([]byte(s), sep, uint8(3))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, sep byte, some uint8) {
		if !strings.ContainsRune(",;\t|", rune(sep)) {
			return
		}
		s := &csvScan{window: window{in: iotest.HalfReader(bytes.NewReader(b))}, sep: sep}
		if some%2 == 0 {
			s.in = iotest.OneByteReader(bytes.NewReader(b))
		}
		c := &csvReader{csvOptions: csvOptions{sep: rune(sep)}}
		l := c.divide(bytes.NewReader(b))
		for k := 0; ; k++ {
			ok := s.row()
			if !ok && s.odd {
				return
			}
			rec, err := c.rec.Read()
			if !ok {
				if err != io.EOF || s.comments != l.comments {
					t.Fatalf("%q: row %d is the end after %d comments, the library says %q, %v after %d", b, k, s.comments, rec, err, l.comments)
				}
				return
			}
			var got, want []string
			for _, w := range s.fields {
				got = append(got, string(bytes.TrimSpace(w)))
			}
			for _, w := range rec {
				want = append(want, strings.TrimSpace(w))
			}
			line, _ := c.rec.FieldPos(0)
			if err != nil || !slices.Equal(got, want) || s.line != line || s.offset() != c.rec.InputOffset() {
				t.Fatalf("%q: row %d is %q in line %d, to byte %d; the library says %q in line %d to byte %d: %v", b, k, got, s.line, s.offset(), want, line, c.rec.InputOffset(), err)
			}
		}
	})
}

// A number that is read plainly is the one nearest to what is written.
func TestPlainNumbers(t *testing.T) {
	c := &csvReader{csvOptions: csvOptions{sep: ','}}
	r := rand.New(rand.NewPCG(3, 4))
	words := []string{"0", "-0", "+1", "1.", ".5", "-.5", "", "-", ".", "1e5", "0.1", "16777217", "16777216.0000001", "1.00000005960464477", "1.000000059604644775390625", "123456789012345678", "1234567890123456789", "99999999999999999999",
		"0.000000000000000000000000000000000000011754943", "340282350000000000000000000000000000000", "1_0", "0x10", "1,5", " 1", "00012", "8388608.5", "8388609.5"}
	for range 20000 {
		w := strconv.FormatFloat(r.NormFloat64()*math.Pow(10, float64(r.IntN(12)-6)), 'f', r.IntN(14), 64)
		words = append(words, w)
		if f, err := strconv.ParseFloat(w, 32); err == nil { // between two numbers of 32 bits, and beside that
			mid := (f + float64(math.Nextafter32(float32(f), math.MaxFloat32))) / 2
			words = append(words, strconv.FormatFloat(mid, 'f', -1, 64), strconv.FormatFloat(mid, 'f', 9, 64))
		}
	}
	plain := 0
	for _, w := range words {
		got, ok := c.quick([]byte(w))
		if !ok {
			continue
		}
		plain++
		want, err := strconv.ParseFloat(w, 32)
		if err != nil || math.Float32bits(float32(want)) != math.Float32bits(got) {
			t.Fatalf("%q is read as %v, and is %v, %v", w, got, want, err)
		}
		d, _, _ := csvNumber([]byte(strings.TrimLeft(w, "+-")))
		x, _ := d.float()
		if want, _ := strconv.ParseFloat(strings.TrimLeft(w, "+-"), 64); want != x {
			t.Fatalf("%q is read as %v, and is %v", w, x, want)
		}
	}
	if plain < len(words)/2 {
		t.Errorf("of %d numbers %d are read plainly", len(words), plain)
	}
}

// Samples and records of a file are the same, scanned or read by the library.
func TestScannedIsRead(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	dir := t.TempDir()
	word := func(k int) string {
		switch k % 5 {
		case 0:
			return strconv.Itoa(r.IntN(300) - 20)
		case 1:
			return strconv.FormatFloat(r.NormFloat64(), 'g', -1, 32)
		case 2:
			return fmt.Sprintf(" %.3f ", r.Float64())
		case 3:
			return fmt.Sprintf("%q", strconv.Itoa(r.IntN(9)))
		}
		return "1e3"
	}
	for n, sep := range []string{",", ";", "\t"} {
		var b strings.Builder
		fmt.Fprintf(&b, "# x\nid%[1]sa%[1]sb%[1]sc%[1]sd%[1]stext%[1]skind\r\n", sep)
		for i := range 300 {
			fmt.Fprintf(&b, "%d%s", i, sep)
			for k := range 4 {
				b.WriteString(word(k) + sep)
			}
			fmt.Fprintf(&b, "\"some \"\"words\"\"%s\r\n%d\"%s\"k%d\"\r\n", sep, i, sep, i*i%7)
			if i%90 == 5 {
				b.WriteString("\n#1\n")
			}
		}
		path := write(t, filepath.Join(dir, fmt.Sprintf("%d.csv", n)), []byte(b.String()))
		d := &Data{bound: 1 << 20}
		f, err := d.openRecords(path)
		if err != nil {
			t.Fatal(err)
		}
		fresh := func() *csvReader {
			return &csvReader{csvOptions: csvOptions{skip: []string{"text"}}, marks: d.marks(0)}
		}
		a, err := readSamples(f, fresh)
		if err != nil || !a.plain {
			t.Fatalf("%q is not scanned: %v", sep, err)
		}
		c := fresh()
		if err := c.through(f); err != nil {
			t.Fatal(err)
		}
		for what, of := range map[string][2]any{"values": {a.floats, c.floats}, "classes": {a.labels, c.labels}, "names": {a.names, c.names}, "notes": {a.notes, c.notes}, "marks": {a.marks, c.marks}} {
			if !reflect.DeepEqual(of[0], of[1]) {
				t.Errorf("%q: %s are %v, by the library %v", sep, what, of[0], of[1])
			}
		}
		rows := func(scanned bool) (*csvRows, map[string]any) {
			f, err := d.openCSVRows(path, csvOptions{}, func(string, int, int) bool { return false })
			if err != nil || f.cols == nil {
				t.Fatalf("%q is not scanned: %v", sep, err)
			}
			o := recordOptions{texts: map[string]bool{"text": true, "kind": true}, fieldOptions: &fieldOptions{left: map[string]bool{}}}
			tab := &table{d: d, o: o, at: map[string]*cells{}, count: map[string]int{}}
			if !scanned {
				f.cols, f.where = nil, d.marks(0)
			}
			if n, err := tab.learn(f, "train"); err != nil || n != 300 {
				t.Fatalf("%q: %d records, %v", sep, n, err)
			}
			if err := errors.Join(tab.plan(), tab.allocate(300), f.each(tab, tab.keep)); err != nil {
				t.Fatal(err)
			}
			s, err := tab.set("train")
			if err != nil {
				t.Fatal(err)
			}
			out := map[string]any{}
			for _, g := range s.Fields {
				out[g.Name] = *g
			}
			for _, c := range tab.cols {
				c.cell, c.part, c.held = cell{}, nil, nil
				out["column "+c.name] = fmt.Sprintf("%+v", *c)
			}
			return f, out
		}
		_, got := rows(true)
		_, want := rows(false)
		for k := range want {
			if !reflect.DeepEqual(got[k], want[k]) {
				t.Errorf("%q: %s is %v, by the library %v", sep, k, got[k], want[k])
			}
		}
	}
}
