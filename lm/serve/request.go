package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"pare/internal/openai"
	"pare/lm"
)

// common is the fields of chats and completions.
type common struct {
	Model             string   `json:"model"`
	N                 int      `json:"n"`
	Temperature       *float64 `json:"temperature"` // 1
	TopP              *float64 `json:"top_p"`       // 1
	TopK              int      `json:"top_k"`
	MinP              float64  `json:"min_p"`
	RepetitionPenalty float64  `json:"repetition_penalty"`
	MaxTokens         *int     `json:"max_tokens"`
	Seed              *int64   `json:"seed"`
	Stop              texts    `json:"stop"`
	Stream            bool     `json:"stream"`
	StreamOptions     *struct {
		IncludeUsage       bool `json:"include_usage"`
		IncludeObfuscation bool `json:"include_obfuscation"`
	} `json:"stream_options"`
	PromptLogprobs *int `json:"prompt_logprobs"` // vLLM's: 0 asks for the tokens of the prompt

	harmless
	neutral
}

// harmless is fields that change nothing of a reply.
type harmless struct {
	User             any `json:"user"`
	Metadata         any `json:"metadata"`
	Store            any `json:"store"`
	ServiceTier      any `json:"service_tier"`
	SafetyIdentifier any `json:"safety_identifier"`
	PromptCacheKey   any `json:"prompt_cache_key"`
}

// neutral is fields of which only the values that mean nothing are understood.
type neutral struct {
	FrequencyPenalty float64        `json:"frequency_penalty"`
	PresencePenalty  float64        `json:"presence_penalty"`
	LogitBias        map[string]any `json:"logit_bias"`
	ResponseFormat   *struct {
		Type string `json:"type"`
	} `json:"response_format"`
	Tools      openai.List[json.RawMessage] `json:"tools"`
	ToolChoice any                          `json:"tool_choice"`
	Parallel   any                          `json:"parallel_tool_calls"`
}

// check refuses what is not understood.
func (n neutral) check() error {
	for name, set := range map[string]bool{
		"frequency_penalty": n.FrequencyPenalty != 0, "presence_penalty": n.PresencePenalty != 0, "logit_bias": len(n.LogitBias) > 0,
		"response_format": n.ResponseFormat != nil && n.ResponseFormat.Type != "text", "tools": len(n.Tools) > 0,
		"tool_choice": n.ToolChoice != nil && n.ToolChoice != "none" && n.ToolChoice != "auto",
	} {
		if set {
			return unsupported(name)
		}
	}
	return nil
}

func unsupported(name string) error {
	return &problem{status: 400, code: string(lm.Unsupported), param: name, text: name + " is not supported here: leave it out"}
}

// chatting is the body of chat/completions.
type chatting struct {
	common
	Messages            openai.List[message] `json:"messages"`
	MaxCompletionTokens *int                 `json:"max_completion_tokens"`
	Logprobs            bool                 `json:"logprobs"`
	TopLogprobs         int                  `json:"top_logprobs"`
	ContinueFinal       bool                 `json:"continue_final_message"`
	AddPrompt           *bool                `json:"add_generation_prompt"`
}

// completing is the body of completions.
type completing struct {
	common
	Prompt   texts  `json:"prompt"`
	Logprobs *int   `json:"logprobs"`
	Echo     bool   `json:"echo"`
	BestOf   int    `json:"best_of"`
	Suffix   string `json:"suffix"`
}

// embedding is the body of embeddings.
type embedding struct {
	Model      string `json:"model"`
	Input      texts  `json:"input"`
	Dimensions int    `json:"dimensions"`
	Format     string `json:"encoding_format"`
	harmless
}

// texts is a text or an array of texts.
type texts []string

// UnmarshalJSON reads either.
func (t *texts) UnmarshalJSON(b []byte) error {
	var one string
	switch {
	case string(b) == "null":
		*t = nil
		return nil
	case json.Unmarshal(b, &one) == nil:
		*t = texts{one}
		return nil
	}
	var many openai.List[string]
	if err := json.Unmarshal(b, &many); err != nil {
		return errors.New("a text or an array of texts is needed; numbers of tokens are not understood, as models differ in them")
	}
	*t = texts(many)
	return nil
}

// message is a turn of a chat.
type message struct {
	Role    string `json:"role"`
	Content parts  `json:"content"`
	// What stands in replies that are sent back.
	Refusal     *string                      `json:"refusal"`
	Annotations openai.List[json.RawMessage] `json:"annotations"`
	ToolCalls   openai.List[json.RawMessage] `json:"tool_calls"`
	Audio       any                          `json:"audio"`
	Function    any                          `json:"function_call"`
	Reasoning   *string                      `json:"reasoning_content"` // a template leaves old thoughts out
}

// parts is a text, or an array of parts that are texts.
type parts string

// UnmarshalJSON reads either.
func (p *parts) UnmarshalJSON(b []byte) error {
	var one *string
	if json.Unmarshal(b, &one) == nil {
		if one != nil {
			*p = parts(*one)
		}
		return nil
	}
	var many openai.List[struct {
		Type string  `json:"type"`
		Text *string `json:"text"`
	}]
	if err := json.Unmarshal(b, &many); err != nil {
		return errors.New("content is neither a text nor an array of parts")
	}
	var s strings.Builder
	for _, x := range many {
		if x.Type != "text" || x.Text == nil {
			return fmt.Errorf("a part of the type %.40q is not supported here: texts alone are", x.Type)
		}
		s.WriteString(*x.Text)
	}
	*p = parts(s.String())
	return nil
}

// decode reads a body; a field that is not known is refused.
func decode(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more follows after the object")
		}
	}
	if err == nil {
		return nil
	}
	if field, ok := strings.CutPrefix(err.Error(), `json: unknown field "`); ok {
		return unsupported(strings.TrimSuffix(field, `"`))
	}
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		field := kind.Field
		for _, inside := range []string{"common.", "neutral.", "harmless."} {
			field = strings.TrimPrefix(field, inside)
		}
		return bad(field, "%s: a %s is not what belongs there", field, kind.Value)
	}
	return bad("", "the body is not understood: %s", strings.TrimPrefix(err.Error(), "json: "))
}

// request is what the common fields ask for. limit is the tokens where none are
// given.
func (c common) request(limit int) (lm.Request, error) {
	r := lm.Request{N: c.N, Temperature: 1, TopK: max(c.TopK, 0), MinP: c.MinP, RepetitionPenalty: c.RepetitionPenalty, Seed: c.Seed, Stop: c.Stop, MaxTokens: limit}
	if c.Temperature != nil {
		r.Temperature = *c.Temperature
	}
	if c.TopP != nil {
		if r.TopP = *c.TopP; r.TopP == 0 { // the likeliest token alone
			r.TopP = 1e-12
		}
	}
	if c.MaxTokens != nil {
		r.MaxTokens = *c.MaxTokens
	}
	if c.PromptLogprobs != nil && *c.PromptLogprobs != 0 {
		return r, bad("prompt_logprobs", "prompt_logprobs %d: 0 is understood, which gives the tokens of the prompt without alternatives", *c.PromptLogprobs)
	}
	return r, c.check()
}

// turns is the messages of a chat.
func (c chatting) turns() ([]lm.Message, error) {
	if len(c.Messages) == 0 {
		return nil, bad("messages", "messages is empty")
	}
	var out []lm.Message
	for i, m := range c.Messages {
		if m.Role == "developer" {
			m.Role = lm.System
		}
		if len(m.ToolCalls) > 0 || m.Function != nil || m.Audio != nil {
			return nil, unsupported(fmt.Sprintf("messages[%d].tool_calls", i))
		}
		out = append(out, lm.Message{Role: m.Role, Text: string(m.Content)})
	}
	return out, nil
}
