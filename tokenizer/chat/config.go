package chat

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Config is what a tokenizer_config.json says of conversations.
type Config struct {
	Template       string            // chat_template: the one that is for all; "": there is none
	Named          map[string]string // those for a purpose, tool_use for example
	BOS, EOS       string            // bos_token and eos_token; "": there is none
	Pad, Unk       string
	AddBOS, AddEOS *bool // add_bos_token and add_eos_token; nil: it is not said
}

// maxConfig bounds a tokenizer_config.json: vocabularies of added tokens are in it.
const maxConfig = 64 << 20

// ReadConfig reads a tokenizer_config.json.
func ReadConfig(b []byte) (*Config, error) {
	if len(b) > maxConfig {
		return nil, fmt.Errorf("a tokenizer_config.json of more than %d bytes", maxConfig)
	}
	var f struct {
		Template json.RawMessage `json:"chat_template"`
		BOS      json.RawMessage `json:"bos_token"`
		EOS      json.RawMessage `json:"eos_token"`
		Pad      json.RawMessage `json:"pad_token"`
		Unk      json.RawMessage `json:"unk_token"`
		AddBOS   *bool           `json:"add_bos_token"`
		AddEOS   *bool           `json:"add_eos_token"`
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("not a tokenizer_config.json: %w", err)
	}
	c := &Config{AddBOS: f.AddBOS, AddEOS: f.AddEOS}
	for _, t := range []struct {
		name string
		from json.RawMessage
		to   *string
	}{{"bos_token", f.BOS, &c.BOS}, {"eos_token", f.EOS, &c.EOS}, {"pad_token", f.Pad, &c.Pad}, {"unk_token", f.Unk, &c.Unk}} {
		var added struct{ Content string }
		if len(t.from) > 0 && json.Unmarshal(t.from, t.to) != nil {
			if err := json.Unmarshal(t.from, &added); err != nil {
				return nil, fmt.Errorf("%s is neither a text nor a token", t.name)
			}
			*t.to = added.Content
		}
	}
	if len(f.Template) == 0 || json.Unmarshal(f.Template, &c.Template) == nil {
		return c, nil
	}
	var named []struct{ Name, Template string }
	if err := json.Unmarshal(f.Template, &named); err != nil {
		return nil, errors.New("chat_template is neither a text nor a list of named ones")
	}
	c.Named = map[string]string{}
	for _, t := range named {
		c.Named[t.Name] = t.Template
	}
	c.Template = c.Named["default"]
	return c, nil
}
