// Package chat writes conversations as the texts that language models were trained on,
// by the templates that come with models: chat_template of a tokenizer_config.json, a
// chat_template.jinja, or tokenizer.chat_template of a GGUF file. Texts are those of
// transformers' apply_chat_template.
package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"pare/internal/jinja"
)

// Message is a part of a conversation.
type Message struct {
	Role    string // system, user, assistant, tool
	Content string
	JSON    json.RawMessage // the whole message in place of the two, with tool calls and such
}

// Conversation is what a template is given.
type Conversation struct {
	Messages  []Message
	Tools     []json.RawMessage          // functions that the model may call, by JSON Schema
	Prompt    bool                       // the beginning of an answer follows (add_generation_prompt)
	Continue  bool                       // the text ends with the last message, which goes on (continue_final_message)
	BOS, EOS  string                     // the tokens that texts begin and end with
	Variables map[string]json.RawMessage // others that the template has, enable_thinking for example
	Now       time.Time                  // zero: it is asked for
}

// Template writes conversations. It can be used by several goroutines at once.
type Template struct{ t *jinja.Template }

// Parse reads a template of Jinja2. What it has that is not understood is an error, in
// which it is named.
func Parse(source string) (*Template, error) {
	t, err := jinja.Parse(source)
	if err != nil {
		return nil, err
	}
	return &Template{t}, nil
}

// Refusal is the error of a template that refuses a conversation, in its words: roles
// that do not take turns, for example.
type Refusal = jinja.Raised

// Limits of what a template may take.
const (
	maxBytes = 64 << 20
	maxSteps = 10_000_000
)

// Render writes a conversation. Templates are bounded in steps and bytes, and end when
// the context does.
func (t *Template) Render(ctx context.Context, c Conversation) (string, error) {
	if c.Continue && (c.Prompt || len(c.Messages) == 0) {
		return "", errors.New("a conversation goes on with the last message or with an answer, and not with both or nothing")
	}
	messages := &jinja.List{}
	for i, m := range c.Messages {
		v, err := m.value()
		if err != nil {
			return "", fmt.Errorf("message %d: %w", i, err)
		}
		messages.Items = append(messages.Items, v)
	}
	values := map[string]any{"messages": messages, "tools": nil, "documents": nil, "add_generation_prompt": c.Prompt, "bos_token": c.BOS, "eos_token": c.EOS}
	if c.Tools != nil {
		tools := &jinja.List{}
		for i, b := range c.Tools {
			v, err := jinja.FromJSON(b)
			if err != nil {
				return "", fmt.Errorf("tool %d: %w", i, err)
			}
			tools.Items = append(tools.Items, v)
		}
		values["tools"] = tools
	}
	for name, b := range c.Variables {
		v, err := jinja.FromJSON(b)
		if err != nil {
			return "", fmt.Errorf("the variable %s: %w", name, err)
		}
		values[name] = v
	}
	limits := jinja.Limits{Bytes: maxBytes, Steps: maxSteps}
	if !c.Now.IsZero() {
		limits.Clock = func() time.Time { return c.Now }
	}
	out, err := t.t.Render(ctx, values, limits)
	if err != nil || !c.Continue {
		return out, err
	}
	return upTo(out, messages.Items[len(messages.Items)-1])
}

func (m Message) value() (any, error) {
	if m.JSON != nil {
		v, err := jinja.FromJSON(m.JSON)
		if _, ok := v.(*jinja.Dict); err == nil && !ok {
			err = errors.New("it is no object")
		}
		return v, err
	}
	d := jinja.NewDict()
	d.Set("role", m.Role)
	d.Set("content", m.Content)
	return d, nil
}

// upTo is a text up to the end of the last message.
func upTo(out string, last any) (string, error) {
	v, _ := last.(*jinja.Dict).Get("content")
	content, ok := v.(string)
	if !ok {
		return "", errors.New("the last message has no text that could go on")
	}
	k := strings.LastIndex(out, strings.TrimSpace(content))
	if k < 0 {
		return "", errors.New("the template does not write the last message as it is: it cannot go on")
	}
	if end := strings.TrimLeftFunc(content, unicode.IsSpace); strings.HasPrefix(out[k:], end) {
		return out[:k+len(end)], nil
	}
	return out[:k+len(strings.TrimSpace(content))], nil
}
