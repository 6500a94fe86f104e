// Package lm speaks to language models: one interface for a model on this machine
// and for one behind an endpoint. Requests and replies are plain data. What is put
// around a model is a model again: a cache, a budget, a ledger, a recording. The
// package knows no network; lm/endpoint and lm/serve do.
package lm

import "context"

// Model is a language model, wherever it is. Its methods may be called by many
// goroutines at once. An error is an [*Error] and says of which [Kind] it is; where
// something had been done when it came, the result holds that and is not nil.
type Model interface {
	// Info says what the model is and can do. It asks nobody.
	Info() Info
	// Generate goes on from a prompt or answers a chat.
	Generate(ctx context.Context, r Request) (*Reply, error)
	// Score gives the log-probabilities of a text after another.
	Score(ctx context.Context, r ScoreRequest) (*Scores, error)
	// Embed gives a vector for each text.
	Embed(ctx context.Context, r EmbedRequest) (*Embeddings, error)
}

// Streamer is a model that gives a reply piece by piece.
type Streamer interface {
	Model
	// Stream is Generate that calls each with the pieces as they come, from one
	// goroutine. The pieces of a choice are in order; those of different choices may
	// be mixed. An error of each ends the reply and is returned, as [Cancelled].
	Stream(ctx context.Context, r Request, each func(Delta) error) (*Reply, error)
}

// Info is what a model is.
type Info struct {
	// Name is what the model is called, as "Qwen3-0.6B".
	Name string `json:"name"`
	// Home says where it is, for people: "http://127.0.0.1:8000/v1", "model.gguf".
	Home string `json:"home,omitempty"`
	// Fingerprint stands for all that decides the replies beside the request: the
	// weights, the address, settings of the home. A cache and a recording know a
	// model by it.
	Fingerprint string `json:"fingerprint"`
	// Context is the most tokens of prompt and completion together. 0: not known.
	Context int `json:"context,omitempty"`
	// Parallel is how many requests at once are worth it. 0: one.
	Parallel int `json:"parallel,omitempty"`
	// Can is what the model can do.
	Can Capabilities `json:"can"`
}

// Capabilities is what a home can do. A request that needs more is refused with
// [Unsupported], and never answered without what it asks for.
type Capabilities struct {
	Chat              bool `json:"chat,omitempty"`               // answers messages
	Text              bool `json:"text,omitempty"`               // goes on from a prompt as it stands
	Continue          bool `json:"continue,omitempty"`           // goes on from an assistant's last message
	Samples           int  `json:"samples,omitempty"`            // most samples that one call makes; a request for more is several calls. 0: any
	Logprobs          bool `json:"logprobs,omitempty"`           // gives log-probabilities of what it generates
	Alternatives      int  `json:"alternatives,omitempty"`       // most alternatives a token
	Score             bool `json:"score,omitempty"`              // scores a text after a prompt
	ScoreChat         bool `json:"score_chat,omitempty"`         // scores a text after messages
	ScoreAlternatives int  `json:"score_alternatives,omitempty"` // most alternatives a scored token
	Embed             bool `json:"embed,omitempty"`
	Texts             int  `json:"texts,omitempty"` // most texts that one call embeds; more are several calls. 0: any
	Seed              bool `json:"seed,omitempty"`
	TopK              bool `json:"top_k,omitempty"`
	MinP              bool `json:"min_p,omitempty"`
	RepetitionPenalty bool `json:"repetition_penalty,omitempty"`
	Stops             int  `json:"stops,omitempty"` // most stop strings
}

// Stream gives a reply piece by piece where the model can, and as one piece a choice
// where it cannot.
func Stream(ctx context.Context, m Model, r Request, each func(Delta) error) (*Reply, error) {
	if s, ok := m.(Streamer); ok {
		return s.Stream(ctx, r, each)
	}
	reply, err := m.Generate(ctx, r)
	if err != nil {
		return reply, err
	}
	return reply, Play(reply, each)
}

// Play gives a whole reply as one piece a choice.
func Play(reply *Reply, each func(Delta) error) error {
	for i, c := range reply.Choices {
		if err := each(Delta{Index: i, Text: c.Text, Reasoning: c.Reasoning, Tokens: c.Tokens, Finish: c.Finish}); err != nil {
			return &Error{Kind: Cancelled, Err: err}
		}
	}
	return nil
}
