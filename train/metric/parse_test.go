package metric

import (
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	uses, err := Parse(` top-k( logits , label , k = 3 ) + accuracy ; mse("a b",'c,d\'e'),mae(target=y)`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range uses {
		got = append(got, u.String())
	}
	want := []string{"top-k(logits,label,k=3)", "accuracy", `mse(a b,'c,d\'e')`, "mae(target=y)"}
	if !slices.Equal(got, want) {
		t.Fatalf("%q, not %q", got, want)
	}
	if u := uses[0]; u.Arg(0) != "logits" || u.Arg(1) != "label" || u.Param("k") != "3" || u.Param("axis") != "auto" {
		t.Errorf("%+v", u)
	}
	if b := uses[0].Bind("k", "4").Bind("axis", "2"); b.Param("k") != "3" || b.Param("axis") != "2" || uses[0].Param("axis") != "auto" {
		t.Errorf("%+v", b)
	}
}

// Names skip the roles that may be left out where there are just enough for the others.
func TestSpread(t *testing.T) {
	for text, want := range map[string][]string{
		"ap(found,box,label)":                  {"found", "", "", "box", "label"},
		"ap(boxes,scores,classes,b,l)":         {"boxes", "scores", "classes", "b", "l"},
		"ap(boxes,scores,box=b)":               {"boxes", "scores", "", "b"},
		"ap(found)":                            {"found"},
		"spearman(similarity,score)":           {"similarity", "", "score"},
		"spearman(left,other=right,target=s)":  {"left", "right", "s"},
		"ap(boxes,confidence=s,box=b,label=l)": {"boxes", "s", "", "b", "l"},
	} {
		uses, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(uses[0].Args, want) {
			t.Errorf("%s names %q, not %q", text, uses[0].Args, want)
		}
		if again, err := Parse(uses[0].String()); err != nil || !slices.Equal(again[0].Args, want) {
			t.Errorf("%s is written %s: %v", text, uses[0], err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for text, words := range map[string][]string{
		"":                          {"character 1", "missing at the end"},
		"accurcy":                   {"character 1", "did you mean accuracy?"},
		"zzz":                       {"no metric", "use accuracy"},
		"mse, acuracy":              {"character 6", "did you mean accuracy?"},
		"accuracy(":                 {"character 10"},
		"accuracy(a":                {"character 9", "not closed"},
		"accuracy(a,b,c)":           {"character 14", "one more"},
		"accuracy(a,scores=b)":      {"character 12", "logits or probabilities"},
		"accuracy(label=a,label=b)": {"character 18", "given twice"},
		"accuracy(label=a,x,y)":     {"character 20", "given twice"},
		"top-k(k=0)":                {"character 7", "whole number of at least 1"},
		"top-k(k=1.5)":              {"whole number"},
		"top-k(k=NaN)":              {"whole number"},
		"top-k(kk=2)":               {`no parameter "kk"; did you mean k?`},
		"top-k(k=2,k=3)":            {"given twice"},
		"accuracy accuracy":         {"no metric"},
		"accuracy(a) b":             {"character 13", "separated by commas"},
		"accuracy,":                 {"missing at the end"},
		"accuracy,accuracy":         {"given twice"},
		"accuracy('')":              {"empty"},
		"accuracy('a":               {"character 10", "quote is not closed"},
		"accuracy(a(b))":            {"character 11", "quotes"},
		"onnx:":                     {"file"},
		"onnx:/no/such.onnx":        {"no such file"},
		"\xff":                      {"UTF-8"},
	} {
		_, err := Parse(text)
		if err == nil {
			t.Errorf("%q: no error", text)
			continue
		}
		fails(t, err, words...)
	}
}

// What is parsed is written so that it is parsed to the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"accuracy", "top-k(logits,labels,k=5)", "mse(a)+mae(target='x y')", `mse("a\"b",c);rmse`, "accuracy(label=y,axis=1)", "ap(a,b,c)", "spearman(a,other=b)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1000 {
			return
		}
		uses, err := Parse(s)
		if err != nil {
			return
		}
		for _, u := range uses {
			again, err := Parse(u.String())
			if err != nil || len(again) != 1 || again[0].String() != u.String() || !slices.Equal(again[0].Args, u.Args) {
				t.Fatalf("%q is written %q and read %v, %v", s, u, again, err)
			}
			if _, err := u.New(); err != nil {
				t.Fatalf("%q: %v", s, err)
			}
		}
	})
}
