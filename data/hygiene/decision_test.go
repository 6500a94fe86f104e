package hygiene

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/dataset"
)

var some = []Decision{
	{ID: "training:0", Found: "duplicate;leak", With: "test:2", Action: Drop},
	{ID: "training:4", Found: `label, "odd"`, Score: .25, Action: Relabel, Label: "0"},
	{ID: "test:3", Found: "outlier", Score: 1e-7, Action: Keep},
}

// What is written is read, in both formats, and as a spreadsheet leaves it.
func TestDecisionsAgain(t *testing.T) {
	of := small().Digests()
	for _, write := range []func(io.Writer, Digests, []Decision) error{WriteCSV, WriteJSONL} {
		var b bytes.Buffer
		if err := write(&b, of, some); err != nil {
			t.Fatal(err)
		}
		h, got, err := ReadDecisions(&b)
		if err != nil || len(h) != 2 || h["test"] != of["test"] {
			t.Fatalf("%v, %v", h, err)
		}
		for i := range got {
			got[i].Line = 0
		}
		if !slices.Equal(got, some) {
			t.Errorf("%+v", got)
		}
	}
	sheet := "\xef\xbb\xbf\"# {\"\"pare_decisions\"\":1,\"\"digests\"\":{\"\"test\"\":\"\"ab\"\"}}\",,\r\nAction, id ,notes\r\nDROP,training:1,\"seen\r\ntwice\"\r\n keep ,test:0,\r\n"
	h, got, err := ReadDecisions(strings.NewReader(sheet))
	if err != nil || h["test"] != "ab" || len(got) != 2 || got[0].Action != Drop || got[0].ID != "training:1" || got[1].Action != Keep || got[1].Line != 5 {
		t.Errorf("%v %+v, %v", h, got, err)
	}
}

// What a person may get wrong is refused, with its line.
func TestDecisionsRefused(t *testing.T) {
	const top = "id,action,label\n"
	for text, want := range map[string]string{
		"": "empty",
		top + "training:1,drop,\ntraining:1,keep,\n":   `line 3: sample "training:1" has a decision already, in line 2`,
		top + "training:1,drop,\ntraining:2,delete,\n": `line 3: action "delete"`,
		top + "training:1,relabel,\n":                  "line 2: sample \"training:1\" is to be relabelled",
		top + ",drop,\n":                               "line 2: there is no id",
		top + "training:1,drop\n":                      "line 2: wrong number of fields",
		"id,label\ntraining:1,2\n":                     `line 1: there is no column "action"`,
		"id,id,action\na,b,drop\n":                     `column "id" comes twice`,
		"# {}\nid,action\n":                            "line 1: this is no file of decisions",
		"# {\"pare_decisions\":2}\nid,action\n":        "version 2",
		"id,action,score\ntraining:1,drop,x\n":         `line 2: score "x"`,
		`{"id":"training:1","action":"drop"}` + "\n" + `{"id":"training:2","act":"drop"}`: "line 2:",
		`{"id":"training:1","action":"drop"} {}`:                                          "line 1: there is more than one value",
		`{"id":"training:1","action":"burn"}`:                                             `line 1: action "burn"`,
	} {
		if _, _, err := ReadDecisions(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Decisions do what they say, to the samples that they name.
func TestApply(t *testing.T) {
	c := small()
	part := *c[0]
	part.Index = []int32{5, 1, 3, 4}
	c[0] = &part
	got, a, err := c.Apply(c.Digests(), []Decision{{ID: "training:1", Action: Drop}, {ID: "training:2", Action: Relabel, Label: "1"}, {ID: "training:0", Action: Keep}, {ID: "test:3", Action: Drop}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got[0].Index, []int32{5, 3, 4}) || !slices.Equal(got[1].Index, []int32{0, 1, 2}) || a.Kept["training"] != 3 || a.Dropped["test"] != 1 || a.Relabeled != 1 {
		t.Errorf("%v %v %+v", got[0].Index, got[1].Index, a)
	}
	if got[0].Label(1) != 1 || got[0].Label(2) != 1 || c[0].Label(2) != 0 {
		t.Errorf("labels %d %d, before %d", got[0].Label(1), got[0].Label(2), c[0].Label(2))
	}
	// all of a class gone is said
	_, a, err = c.Apply(nil, []Decision{{ID: "test:2", Action: Drop}})
	if err != nil || len(a.Notes) != 2 || !strings.Contains(a.Notes[1], "no sample of class 1 any more") {
		t.Errorf("%q, %v", a.Notes, err)
	}
	of := c.Digests()
	of["test"] = "00"
	for want, f := range map[string]func() error{
		`line 7: there is no sample "test:4": the test set has 4`: func() error { _, _, err := c.Apply(nil, []Decision{{ID: "test:4", Action: Keep, Line: 7}}); return err },
		`line 7: there is no sample "val:0"`:                      func() error { _, _, err := c.Apply(nil, []Decision{{ID: "val:0", Line: 7}}); return err },
		`line 7: "test:+1" is no id`:                              func() error { _, _, err := c.Apply(nil, []Decision{{ID: "test:+1", Line: 7}}); return err },
		`line 7: label "2": there is no such class`: func() error {
			_, _, err := c.Apply(nil, []Decision{{ID: "test:1", Action: Relabel, Label: "2", Line: 7}})
			return err
		},
		"another test set":       func() error { _, _, err := c.Apply(of, nil); return err },
		"about a validation set": func() error { _, _, err := c.Apply(Digests{"validation": "0"}, nil); return err },
		"drop all samples of the test set": func() error {
			_, _, err := c.Apply(nil, []Decision{{ID: "test:0", Action: Drop}, {ID: "test:1", Action: Drop}, {ID: "test:2", Action: Drop}, {ID: "test:3", Action: Drop}})
			return err
		},
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// The file that is written is read as the samples that stay.
func TestSaveNPZ(t *testing.T) {
	c := small()
	got, _, err := c.Apply(nil, []Decision{{ID: "training:0", Action: Drop}, {ID: "training:1", Action: Relabel, Label: "0"}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "clean.npz")
	if err := got.SaveNPZ(context.Background(), path); err != nil {
		t.Fatal(err)
	}
	d, err := dataset.Open("npz:" + path)
	if err != nil {
		t.Fatal(err)
	}
	if d.Train.Len() != 5 || d.Test.Len() != 4 || d.Train.Label(0) != 0 || d.Train.X().Floats[0] != 3 || d.Test.X().Floats[7] != 9 {
		t.Errorf("%d and %d samples; %v", d.Train.Len(), d.Test.Len(), d.Train.X().Floats)
	}
}

// A file that means harm is refused, or read as decisions that can be written again.
func FuzzReadDecisions(f *testing.F) {
	for _, write := range []func(io.Writer, Digests, []Decision) error{WriteCSV, WriteJSONL} {
		var b bytes.Buffer
		if err := write(&b, small().Digests(), some); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte("id,action\n\"training:1,drop"))
	f.Add([]byte("\"#,\nid,action\n"))
	f.Add([]byte("{\"pare_decisions\":1,\"digests\":null}\n{\"id\":\"a\",\"action\":\"keep\",\"score\":1e999}"))
	c := small()
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ds, err := ReadDecisions(bytes.NewReader(b))
		if err != nil {
			return
		}
		var w bytes.Buffer
		if err := WriteJSONL(&w, h, ds); err != nil {
			return // a score that JSON does not have
		}
		_, again, err := ReadDecisions(&w)
		if err != nil || len(again) != len(ds) {
			t.Fatalf("%d decisions are %d when read again: %v", len(ds), len(again), err)
		}
		c.Apply(nil, ds) //nolint:errcheck // it may not fit
	})
}
