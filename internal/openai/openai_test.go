package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"pare/internal/hostile"
)

func TestEvents(t *testing.T) {
	for in, want := range map[string]string{
		"data: a\n\ndata: [DONE]\n\n":                      "a| end",
		"data:a\r\n\r\ndata: b\r\n\r\ndata: [DONE]":        "a|b| end",
		": a comment\n\nevent: x\ndata: a\ndata: b\n\n":    "a\nb| " + io.ErrUnexpectedEOF.Error(),
		"data: a\n\ndata: half":                            "a| " + io.ErrUnexpectedEOF.Error(),
		"":                                                 " " + io.ErrUnexpectedEOF.Error(),
		"data: [DONE]\n\ndata: after\n\n":                  " end",
		"data: " + strings.Repeat("x", mostEvent) + "\n\n": fmt.Sprintf(" an event has more than %d bytes", mostEvent),
		strings.Repeat("data: "+strings.Repeat("x", 1<<20)+"\n", 9) + "\n": fmt.Sprintf(" an event has more than %d bytes", mostEvent),
	} {
		var got strings.Builder
		err := Events(strings.NewReader(in), func(b []byte) error { got.Write(b); got.WriteString("|"); return nil })
		if err == nil {
			err = errors.New("end")
		}
		if s := got.String() + " " + err.Error(); s != want {
			t.Errorf("%.60q: %q, not %q", in, s, want)
		}
	}
	stop := errors.New("stop")
	if err := Events(strings.NewReader("data: a\n\n"), func([]byte) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
}

func TestEscape(t *testing.T) {
	for b, want := range map[string]string{"é": "é", "\xc3": `bytes:\xc3`, "\xf0\x9f": `bytes:\xf0\x9f`, "": ""} {
		if got := Escape([]byte(b)); got != want || string(Unescape(got)) != b {
			t.Errorf("%q: %q, back %q", b, got, Unescape(got))
		}
	}
	for _, s := range []string{"bytes:", "bytes:xyz1", `bytes:\xzz`, `bytes:\x1`, "bytes"} {
		if got := string(Unescape(s)); got != s {
			t.Errorf("%q is read as %q", s, got)
		}
	}
}

// An array of very many small elements is refused before it takes memory.
func TestLongList(t *testing.T) {
	for _, element := range []string{"{}", "null"} {
		body := []byte(`{"choices":[` + strings.Repeat(element+",", mostElements) + element + `]}`)
		err := hostile.Read(t, len(body), func() error {
			var r Reply
			return json.Unmarshal(body, &r)
		})
		if err == nil {
			t.Errorf("%s: no error", element)
		}
	}
}

func TestPromptToken(t *testing.T) {
	var l List[PromptToken]
	if err := json.Unmarshal([]byte(`[null,{"12":{"logprob":-1.5,"rank":3,"decoded_token":" a"}}]`), &l); err != nil {
		t.Fatal(err)
	}
	if len(l) != 2 || l[0].DecodedToken != nil || *l[1].DecodedToken != " a" || *l[1].Logprob != -1.5 {
		t.Errorf("%+v", l)
	}
	if b, err := json.Marshal(l); err != nil || string(b) != `[null,{"12":{"logprob":-1.5,"decoded_token":" a"}}]` {
		t.Errorf("%s, %v", b, err)
	}
	for _, bad := range []string{`[{"1":{"logprob":-1,"decoded_token":"a"},"2":{"logprob":-1,"decoded_token":"b"}}]`, `[{"1":{"logprob":-1}}]`, `[3]`, `{}`} {
		if err := json.Unmarshal([]byte(bad), &l); err == nil {
			t.Errorf("%s: %+v", bad, l)
		}
	}
}

// Commas inside of texts and of elements are not those of the array.
func TestElements(t *testing.T) {
	for s, want := range map[string]int{`[1,2,3]`: 3, `["a,\",b",{"x":[1,2],"y":3},[4,5]]`: 3, `["\\",2]`: 2, `[[1,2]]`: 1} {
		if got := elements([]byte(s)); got != want {
			t.Errorf("%s has %d elements, not %d", s, got, want)
		}
	}
	var l List[int]
	if err := json.Unmarshal([]byte(`[]`), &l); err != nil || l == nil {
		t.Errorf("an empty array is %#v, %v", l, err)
	}
	if err := json.Unmarshal([]byte(`null`), &l); err != nil || l != nil {
		t.Errorf("null is %#v, %v", l, err)
	}
}
