// Package openai is the JSON of OpenAI's API, as far as Pare speaks it: what a client
// reads and a server writes (https://platform.openai.com/docs/api-reference), with
// vLLM's log-probabilities of prompts
// (https://docs.vllm.ai/en/stable/serving/openai_compatible_server.html). A field that
// a reply may lack is a pointer.
package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Reply is the body of chat/completions and completions, and of a piece of their
// streams.
type Reply struct {
	ID             string            `json:"id"`
	Object         string            `json:"object"`
	Created        int64             `json:"created"`
	Model          string            `json:"model"`
	Choices        List[Choice]      `json:"choices"`
	Usage          *Usage            `json:"usage,omitempty"`
	PromptLogprobs List[PromptToken] `json:"prompt_logprobs,omitempty"` // vLLM, of chats
	Error          *Error            `json:"error,omitempty"`           // in a stream
}

// Choice is a sample, or a piece of one.
type Choice struct {
	Index          *int              `json:"index"`
	Message        *Message          `json:"message,omitempty"` // of a chat
	Delta          *Message          `json:"delta,omitempty"`   // of a chat's stream
	Text           *string           `json:"text,omitempty"`    // of a completion
	Logprobs       *Logprobs         `json:"logprobs"`
	FinishReason   *string           `json:"finish_reason"`
	PromptLogprobs List[PromptToken] `json:"prompt_logprobs,omitempty"` // vLLM, of completions
}

// Message is what an assistant says.
type Message struct {
	Role             string  `json:"role,omitempty"`
	Content          *string `json:"content,omitempty"`
	Refusal          *string `json:"refusal,omitempty"`
	ReasoningContent *string `json:"reasoning_content,omitempty"` // of servers that keep thoughts apart
	Reasoning        *string `json:"reasoning,omitempty"`         // the same under its newer name
}

// Logprobs is the tokens of a choice: Content in chats, the others in completions.
type Logprobs struct {
	Content List[Token] `json:"content,omitzero"`

	Tokens        List[string]             `json:"tokens,omitzero"`
	TokenLogprobs List[*float64]           `json:"token_logprobs,omitzero"`
	TextOffset    List[int]                `json:"text_offset,omitzero"` // in characters
	TopLogprobs   List[map[string]float64] `json:"top_logprobs,omitzero"`
}

// Token is a token of a chat.
type Token struct {
	Token       string    `json:"token"`
	Logprob     *float64  `json:"logprob"`
	Bytes       List[int] `json:"bytes"`
	TopLogprobs List[Top] `json:"top_logprobs"`
}

// Top is an alternative of a token of a chat.
type Top struct {
	Token   string    `json:"token"`
	Logprob *float64  `json:"logprob"`
	Bytes   List[int] `json:"bytes"`
}

// PromptToken is a token of a prompt as vLLM gives it: an object of one entry, whose
// name is the token's number; null for the first.
type PromptToken struct {
	Name         string
	Logprob      *float64 `json:"logprob"`
	DecodedToken *string  `json:"decoded_token"`
}

// MarshalJSON writes the object.
func (p PromptToken) MarshalJSON() ([]byte, error) {
	if p.DecodedToken == nil {
		return []byte("null"), nil
	}
	type plain struct {
		Logprob      *float64 `json:"logprob"`
		DecodedToken *string  `json:"decoded_token"`
	}
	return json.Marshal(map[string]plain{p.Name: {p.Logprob, p.DecodedToken}})
}

// UnmarshalJSON reads the object. One with alternatives does not say which of them
// stands in the prompt.
func (p *PromptToken) UnmarshalJSON(b []byte) error {
	var in map[string]struct {
		Logprob      *float64 `json:"logprob"`
		DecodedToken *string  `json:"decoded_token"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	if len(in) > 1 {
		return errors.New("a place of prompt_logprobs holds several tokens, and does not say which of them stands there")
	}
	for name, t := range in {
		if t.DecodedToken == nil {
			return errors.New("a token of prompt_logprobs lacks decoded_token")
		}
		*p = PromptToken{name, t.Logprob, t.DecodedToken}
	}
	return nil
}

// Usage is what a reply took.
type Usage struct {
	PromptTokens        *int     `json:"prompt_tokens"`
	CompletionTokens    *int     `json:"completion_tokens,omitempty"`
	TotalTokens         *int     `json:"total_tokens"`
	PromptTokensDetails *Details `json:"prompt_tokens_details,omitempty"`
}

// Details says more of the tokens of a prompt.
type Details struct {
	CachedTokens int `json:"cached_tokens"`
}

// Embeddings is the body of embeddings.
type Embeddings struct {
	Object string       `json:"object"`
	Model  string       `json:"model"`
	Data   List[Vector] `json:"data"`
	Usage  *Usage       `json:"usage,omitempty"`
}

// Vector is an embedding: an array of numbers, or a string of base64 of little-endian
// float32.
type Vector struct {
	Object    string          `json:"object"`
	Index     *int            `json:"index"`
	Embedding json.RawMessage `json:"embedding"`
}

// Models is the body of models.
type Models struct {
	Object string      `json:"object"`
	Data   List[Model] `json:"data"`
}

// Model is a model that a server has.
type Model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
	// MaxModelLen is vLLM's name for the most tokens of prompt and completion.
	MaxModelLen int `json:"max_model_len,omitempty"`
}

// Error is what went wrong.
type Error struct {
	Message string `json:"message"`
	Type    string `json:"type"`
	Param   any    `json:"param"`
	Code    any    `json:"code"` // a word at OpenAI, a number at others
}

// Word is the code where it is a word.
func (e *Error) Word() string {
	s, _ := e.Code.(string)
	return s
}

// Failure is the body of a reply that is an error.
type Failure struct {
	Error *Error `json:"error"`
}

// Escape writes a token as completions do: as it is where it is whole characters, and
// as bytes:\xe2\x82 where it is not.
func Escape(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var s strings.Builder
	s.WriteString("bytes:")
	for _, c := range b {
		fmt.Fprintf(&s, `\x%02x`, c)
	}
	return s.String()
}

// Unescape reads what Escape has written.
func Unescape(s string) []byte {
	hex, ok := strings.CutPrefix(s, "bytes:")
	if !ok || len(hex) == 0 || len(hex)%4 != 0 {
		return []byte(s)
	}
	var b []byte
	for ; hex != ""; hex = hex[4:] {
		n, err := strconv.ParseUint(hex[2:4], 16, 8)
		if err != nil || hex[:2] != `\x` {
			return []byte(s)
		}
		b = append(b, byte(n))
	}
	return b
}
