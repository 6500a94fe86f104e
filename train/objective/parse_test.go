package objective

import (
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Objective{
		"cross-entropy": {{Weight: 1, Loss: CrossEntropy}},
		"cross-entropy(logits,labels)+0.5*smooth-l1(boxes,box)": {{Weight: 1, Loss: CrossEntropy, Args: []string{"logits", "labels"}},
			{Weight: .5, Loss: SmoothL1, Args: []string{"boxes", "box"}}},
		" 1e+2 * huber ( a , delta = 2 ) ": {{Weight: 100, Loss: Huber, Args: []string{"a"}, Params: Params{"delta": {2}}}},
		"cross-entropy(logits,labels,ignore=-100,weights=1:2:0.5)": {{Weight: 1, Loss: CrossEntropy, Args: []string{"logits", "labels"},
			Params: Params{"ignore": {-100}, "weights": {1, 2, .5}}}},
		`mse("a+b, \"c\"",/head/Gemm_output:0)`: {{Weight: 1, Loss: MSE, Args: []string{`a+b, "c"`, "/head/Gemm_output:0"}}},
		"mse()":                                 {{Weight: 1, Loss: MSE}},
		"2*onnx:dir/loss.onnx":                  {{Weight: 2, Loss: File, File: "dir/loss.onnx"}},
		`onnx:"a (b).onnx"(x=y,z="+")+l1`:       {{Weight: 1, Loss: File, File: "a (b).onnx", Bind: map[string]string{"x": "y", "z": "+"}}, {Weight: 1, Loss: L1}},
	} {
		o, err := Parse(text)
		if err != nil || !reflect.DeepEqual(o, want) {
			t.Errorf("%s: %+v, %v", text, o, err)
			continue
		}
		again, err := Parse(o.String())
		if err != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("%s was written as %s: %+v, %v", text, o, again, err)
		}
		for _, x := range o {
			if err := x.Check(); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}

// Complaints say where, what, and what was probably meant.
func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "at 1: a loss is expected here, not the end",
		"cross-entrpy":                       `at 1: there is no loss "cross-entrpy" (did you mean cross-entropy?)`,
		"mse+":                               "at 5: a loss is expected",
		"mse l1":                             "at 5: + and another term, or the end, is expected here, not 'l'",
		"mse(a,b,c)":                         `at 9: "c" is one name too many: mse takes output, target`,
		"mse(a":                              "at 6: , or ) is expected here, not the end",
		"mse(a,)":                            "at 7: a name or a setting is expected here, not ')'",
		"0*mse":                              "at 1: the weight 0 is not above 0",
		"-1*mse":                             "the weight -1 is not above 0",
		"1e999*mse":                          "at 1: a weight is expected here, a number",
		"2 mse":                              "at 3: * is expected behind a weight, not 'm'",
		"huber(deta=1)":                      `at 7: huber has no setting "deta" (did you mean delta?)`,
		"huber(delta=0)":                     "at 7: delta=0: a number above 0 is needed",
		"huber(delta=x)":                     "at 13: the value of delta is expected here, a number",
		"huber(delta=1,delta=2)":             "at 15: delta is set twice",
		"huber(delta=1:2)":                   "at 7: delta takes one number, not 2",
		"mse(delta=1)":                       `mse has no setting "delta": it has none`,
		"cross-entropy(smoothing=1)":         "smoothing=1: a number in [0,1) is needed",
		"cross-entropy(ignore=.5)":           "ignore=0.5: a whole number is needed",
		`mse("a)`:                            "at 5: the quote does not end",
		`mse("")`:                            "at 5: a name or a setting is empty",
		"onnx:":                              "at 6: the path of an ONNX file is expected",
		"onnx:f(a)":                          `"a" is one name too many: onnx takes no names`,
		"onnx:f(a=b,a=c)":                    `at 12: input "a" is bound twice`,
		strings.Repeat("l1+", 70) + "l1":     "more than 64 terms",
		strings.Repeat("l", 1<<16) + "l1+l1": "at most 65536",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
}

// Terms that were made by hand are held to the same.
func TestCheck(t *testing.T) {
	for want, x := range map[string]Term{
		"has no loss":         {Weight: 1},
		"weight 0":            {Loss: MSE},
		"needs its path":      {Weight: 1, Loss: File},
		"not read from":       {Weight: 1, Loss: MSE, File: "x"},
		"3 names are written": {Weight: 1, Loss: MSE, Args: []string{"a", "b", "c"}},
		"is empty":            {Weight: 1, Loss: MSE, Args: []string{""}},
		"has no setting":      {Weight: 1, Loss: Huber, Params: Params{"beta": {1}}},
		"a number above 0":    {Weight: 1, Loss: Huber, Params: Params{"delta": {-1}}},
	} {
		if err := x.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", x, err, want)
		}
	}
}

// Every loss says what it is, and its own defaults are in range.
func TestLosses(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range Losses() {
		if l.Doc == "" || l.Build == nil || len(l.Outputs) == 0 || seen[l.Name] || Lookup(l.Name) != l {
			t.Errorf("%s is not described, or twice", l.Name)
		}
		seen[l.Name] = true
		if (l.Target == None) != (len(l.Targets) == 0) {
			t.Errorf("%s has targets %v and wants %v", l.Name, l.Targets, l.Target)
		}
		for _, p := range l.Params {
			if p.Doc == "" || p.Default != nil && p.check(p.Default) != nil {
				t.Errorf("%s: %s is not described, or its default is out of range", l.Name, p.Name)
			}
		}
	}
}

// What is read is written so that it reads the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"cross-entropy(logits,labels,ignore=-100,weights=1:2:0.5)+0.5*smooth-l1(boxes,\"a\\x00 b\")", `2*onnx:"l.onnx"(a=b)`, "1e-3*ctc(blank=-1)", `mse("\xff")`, "mse(\"\u202e\")"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(o.String())
		if err != nil || !reflect.DeepEqual(o, again) {
			t.Errorf("%q was written as %q: %v", text, o.String(), err)
		}
		for _, x := range o {
			if err := x.Check(); err != nil {
				t.Errorf("%q: %v", text, err)
			}
		}
	})
}
