package data

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pare/dataset"
	"pare/npy"
	"pare/tensor"
)

func example() *Score {
	return &Score{Name: "forgetting", Hard: High, Data: "abc", Made: map[string]string{"seed": "1"}, Numbers: []int32{4, 0, 7}, Values: []float64{1.5, math.Inf(1), -2e-9},
		Never: []bool{false, true, false}, Cluster: []int32{0, 2, 1}}
}

// What is written is read back.
func TestScoreFiles(t *testing.T) {
	dir := t.TempDir()
	for _, ext := range []string{".csv", ".jsonl"} {
		for _, s := range []*Score{example(), {Name: "aum", Hard: Low, Numbers: []int32{1, 2}, Values: []float64{.1, 1. / 3}}} {
			b, err := s.Encode(ext)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "x"+ext)
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := ReadScore(path); err != nil || !reflect.DeepEqual(got, s) {
				t.Errorf("%s: %+v, not %+v (%v)", ext, got, s, err)
			}
		}
	}
	s := &Score{Name: "x", Hard: Low, Numbers: []int32{0, 1, 2}, Values: []float64{3, 1, 2}}
	b, err := s.Encode(".npy")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parseScore(b, ".npy"); err != nil || !slices.Equal(got.Values, s.Values) || !slices.Equal(got.Numbers, s.Numbers) || got.Hard != "" {
		t.Errorf("%+v: %v", got, err)
	}
	if _, err := example().Encode(".npy"); err == nil {
		t.Error("an array loses the numbers of samples")
	}
}

// A table that others wrote.
func TestForeignTable(t *testing.T) {
	s, err := parseScore([]byte("split,id,difficulty\n1,5,0.25\n1,3,-1\n"), ".csv")
	if err == nil && s.Name == "split" { // the first column that is not a known one
		s, err = parseScore([]byte("id,difficulty\n5,0.25\n3,-1\n"), ".csv")
	}
	if err != nil || s.Name != "difficulty" || s.Hard != "" || !slices.Equal(s.Numbers, []int32{5, 3}) || s.Values[1] != -1 {
		t.Errorf("%+v: %v", s, err)
	}
	if err := s.Check(); err == nil || !strings.Contains(err.Error(), "Hard") {
		t.Errorf("a score without a direction: %v", err)
	}
}

func TestBadScores(t *testing.T) {
	for _, c := range []struct{ ext, text, says string }{
		{".csv", "", ""}, {".csv", "id\n1\n", "values"}, {".csv", "x\n1\n", "id"}, {".csv", "id,x\n", "no samples"}, {".csv", "id,x\n1,NaN\n2,Inf\n3,0\n", "2 samples"},
		{".csv", "id,x\n1,2\n1,3\n", "twice"}, {".csv", "id,x\n-1,2\n", "none"}, {".csv", "id,x\n1,a\n", "line 2"}, {".csv", "id,x\n99999999999,1\n", "id"}, {".csv", "#{\"hard\":\"up\"}\nid,x\n1,1\n", "low or high"},
		{".csv", "#{\n", "description"}, {".csv", "id,id,x\n", "twice"}, {".csv", "id,x,cluster\n1,1,-4\n", "cluster"}, {".csv", "#{\"score\":\"x\",\"hard\":\"low\"}\nid,x,never\n1,inf,true\n", "not finite"},
		{".jsonl", "{\"id\":1}\n", "value"}, {".jsonl", "{\"score\":\"x\"}\n{\"value\":1}\n", "id"}, {".jsonl", "{\"id\":1,\"value\":2}\n{\"id\":1,\"value\":2}\n", "twice"},
		{".jsonl", "{\"id\":1,\"value\":2,\"cluster\":1}\n{\"id\":2,\"value\":2}\n", "cluster"}, {".npy", "x", ""}, {".bin", "x", ".csv"},
	} {
		if s, err := parseScore([]byte(c.text), c.ext); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %q: %+v, %v", c.ext, c.text, s, err)
		}
	}
}

func TestSubsetFiles(t *testing.T) {
	s := &Subset{Name: "ccs", Data: "abc", Of: 9, Made: map[string]string{"keep": "0.3"}, Numbers: []int32{1, 4, 8}}
	for _, ext := range Files {
		b, err := s.Encode(ext)
		if err != nil {
			t.Fatal(err)
		}
		want := s
		if ext == ".npy" {
			want = &Subset{Numbers: s.Numbers}
		}
		if got, err := parseSubset(b, ext); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", ext, got, err)
		}
	}
	if got, err := parseSubset([]byte("7\n3\n\n5\n"), ".txt"); err != nil || !slices.Equal(got.Numbers, []int32{3, 5, 7}) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, c := range []struct{ ext, text string }{{".txt", ""}, {".txt", "1\n1\n"}, {".txt", "-1"}, {".txt", "1.5"}, {".csv", "id\nx\n"}, {".jsonl", "{}\n{}\n"}, {".jsonl", "{\"id\":-3}"}, {".npy", ""}, {".x", "1"}, {".csv", "#{\"score\":\"aum\"}\nid,aum\n1,2\n"}, {".jsonl", "{\"score\":\"aum\"}\n{\"id\":1,\"value\":2}\n"}} {
		if got, err := parseSubset([]byte(c.text), c.ext); err == nil {
			t.Errorf("%s %q: %+v", c.ext, c.text, got)
		}
	}
}

func FuzzFiles(f *testing.F) {
	for _, ext := range []string{".csv", ".jsonl"} {
		b, err := example().Encode(ext)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("3\n5\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, ext := range Files {
			if s, err := parseScore(b, ext); err == nil && s.Hard != "" {
				again, err := s.Encode(".jsonl")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := parseScore(again, ".jsonl"); err != nil {
					t.Errorf("%q is written as %q: %v", b, again, err)
				}
			}
			if s, err := parseSubset(b, ext); err == nil && (len(s.Numbers) == 0 || !slices.IsSorted(s.Numbers)) {
				t.Errorf("%+v", s)
			}
		}
	})
}

func numbered(n int) *dataset.Set {
	x := &dataset.Field{Name: "x", Shape: []int{1}, Floats: make([]float32, n)}
	for i := range x.Floats {
		x.Floats[i] = float32(i)
	}
	return dataset.New("training", x, &dataset.Field{Name: "label", Classes: 2, Ints: make([]int32, n)})
}

// A score fits the data that it is of, however that is split, and no other.
func TestScoreOnSet(t *testing.T) {
	set := numbered(20)
	a, _, err := set.Split(.3, 1)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float64, 20)
	for i := range x {
		x[i] = float64(i)
	}
	s := NewScore(set, Low, x)
	s.Name, s.Data = "x", set.Stored().Digest()
	hard, err := s.Hardness(a)
	for i := range hard {
		if hard[i] != -float64(a.Number(i)) {
			t.Fatalf("sample %d has %v", a.Number(i), hard[i])
		}
	}
	if err != nil || len(hard) != 14 {
		t.Error(err)
	}
	if _, err := s.On(numbered(21)); err == nil || !strings.Contains(err.Error(), "other data") {
		t.Errorf("other data: %v", err)
	}
	s.Data = ""
	if _, err := s.On(numbered(21)); err == nil || !strings.Contains(err.Error(), "lacks 1 of the 21") {
		t.Errorf("fewer scores: %v", err)
	}
	if _, err := s.On(numbered(19)); err == nil || !strings.Contains(err.Error(), "sample 19") {
		t.Errorf("more scores: %v", err)
	}
	sub := Keep(a, []int{3, 1})
	if got, err := sub.Select(a); err != nil || got.Len() != 2 || got.Number(0) != a.Number(1) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []*Subset{{Numbers: []int32{20}}, {}, {Data: "other", Numbers: []int32{1}}} {
		if _, err := bad.Select(set); err == nil || !strings.Contains(err.Error(), "Subset") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestEmbeddings(t *testing.T) {
	set := numbered(4)
	half, err := set.Pick([]int32{1, 3})
	if err != nil {
		t.Fatal(err)
	}
	x := tensor.New(tensor.Float64, 4, 3)
	for i := range 12 {
		tensor.Of[float64](x)[i] = float64(i)
	}
	write := func(x *tensor.Tensor) string {
		b, err := npy.Encode(x)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "x.npy")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := write(x)
	if e, err := ReadEmbeddings(path, set); err != nil || e.N != 4 || e.D != 3 || e.At(2)[1] != 7 {
		t.Errorf("%+v: %v", e, err)
	}
	if e, err := ReadEmbeddings(path, half); err != nil || e.N != 2 || e.At(0)[0] != 3 || e.At(1)[0] != 9 {
		t.Errorf("of a part: %+v: %v", e, err)
	}
	if _, err := ReadEmbeddings(path, numbered(5)); err == nil || !strings.Contains(err.Error(), "5 samples") {
		t.Error(err)
	}
	tensor.Of[float64](x)[7] = math.NaN()
	if _, err := ReadEmbeddings(write(x), set); err == nil || !strings.Contains(err.Error(), "[2]") {
		t.Errorf("NaN: %v", err)
	}
	e := &Embeddings{2, 2, []float32{0, 0, 1, 1}}
	if err := e.Directed(); err == nil || !strings.Contains(err.Error(), "[0]") {
		t.Errorf("a zero: %v", err)
	}
}

// The coverage of a set by itself is 0; it never rises with more; and it is the mean of
// the least distances.
func TestCoverage(t *testing.T) {
	e := &Embeddings{N: 40, D: 3}
	for i := range 120 {
		e.X = append(e.X, float32(math.Sin(float64(i*i))))
	}
	last := math.Inf(1)
	for n := 1; n <= 40; n++ {
		var at []int
		for i := range n {
			at = append(at, i*7%40)
		}
		c, err := Coverage(e, e.Only(at))
		if err != nil || c > last+1e-9 {
			t.Errorf("%d: %v after %v, %v", n, c, last, err)
		}
		want := 0.0
		for i := range 40 {
			d := math.Inf(1)
			for _, q := range at {
				s := 0.0
				for k, v := range e.At(i) {
					s += math.Pow(float64(v)-float64(e.At(q)[k]), 2)
				}
				d = min(d, math.Sqrt(s))
			}
			want += d / 40
		}
		if last = c; math.Abs(c-want) > 1e-5 {
			t.Errorf("%d: %v, not %v", n, c, want)
		}
	}
	if last != 0 {
		t.Errorf("of all by all: %v", last)
	}
	if _, err := Coverage(e, &Embeddings{D: 3}); err == nil {
		t.Error("nothing covers")
	}
}

func TestQuotasFill(t *testing.T) {
	q := &Quotas{Least: []int{0, 2}, Most: []int{2, 9}}
	class := []int32{0, 0, 0, 1, 1, 1}
	got, err := q.Fill([]int{0, 1, 2, 3, 4, 5}, class, 4)
	if err != nil || fmt.Sprint(got) != "[3 4 0 1]" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := q.Fill([]int{0, 1, 2, 3, 4, 5}, class, 6); err == nil {
		t.Error("more than the most of all classes")
	}
}
