package chat

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

const turns = `{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %}[{{ m.role }}] {{ m.content }}{{ eos_token }}
{% endfor %}{% if tools %}{{ tools|tojson }}{% endif %}{{ mood }}{% if add_generation_prompt %}[assistant] {% endif %}`

func TestRender(t *testing.T) {
	tpl, err := Parse(turns)
	if err != nil {
		t.Fatal(err)
	}
	talk := []Message{{Role: "user", Content: "hi"}, {JSON: json.RawMessage(`{"role": "assistant", "content": " The sky is "}`)}}
	for _, c := range []struct {
		c    Conversation
		want string
	}{
		{Conversation{Messages: talk, EOS: "</s>", Prompt: true}, "[user] hi</s>\n[assistant]  The sky is </s>\n[assistant] "},
		{Conversation{Messages: talk, EOS: "</s>", Continue: true}, "[user] hi</s>\n[assistant]  The sky is "},
		{Conversation{Messages: talk[:1], Tools: []json.RawMessage{json.RawMessage(`{"z": 1, "a": 2}`)}, Variables: map[string]json.RawMessage{"mood": json.RawMessage(`"glad"`)}}, "[user] hi\n[{\"z\": 1, \"a\": 2}]glad"},
	} {
		if got, err := tpl.Render(context.Background(), c.c); err != nil || got != c.want {
			t.Errorf("%q, %v, want %q", got, err, c.want)
		}
	}
	var refusal *Refusal
	if _, err := tpl.Render(context.Background(), Conversation{Messages: []Message{{Role: "tool"}}}); !errors.As(err, &refusal) || refusal.Message != "no tools" {
		t.Errorf("%v", err)
	}
	for want, c := range map[string]Conversation{
		"message 0":     {Messages: []Message{{JSON: json.RawMessage(`[1]`)}}},
		"tool 0":        {Tools: []json.RawMessage{json.RawMessage(`{`)}},
		"variable mood": {Variables: map[string]json.RawMessage{"mood": json.RawMessage(strings.Repeat("[", 1000))}},
		"not with both": {Messages: talk, Continue: true, Prompt: true},
	} {
		if _, err := tpl.Render(context.Background(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
	if _, err := Parse("{% include '/etc/passwd' %}"); err == nil || !strings.Contains(err.Error(), "include") {
		t.Errorf("%v", err)
	}
}

func TestConfig(t *testing.T) {
	c, err := ReadConfig([]byte(`{"chat_template": [{"name": "default", "template": "a"}, {"name": "tool_use", "template": "b"}], "bos_token": {"content": "<s>"}, "eos_token": "</s>", "pad_token": null, "add_bos_token": false}`))
	if err != nil || c.Template != "a" || c.Named["tool_use"] != "b" || c.BOS != "<s>" || c.EOS != "</s>" || c.Pad != "" || c.AddBOS == nil || *c.AddBOS || c.AddEOS != nil {
		t.Errorf("%+v, %v", c, err)
	}
	for text, want := range map[string]string{`[`: "not a tokenizer_config.json", `{"chat_template": 5}`: "chat_template", `{"bos_token": 5}`: "bos_token"} {
		if _, err := ReadConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
