package lm

import (
	"fmt"
	"math"
	"unicode/utf8"

	"pare/catalog"
)

// Roles of messages.
const (
	System    = "system"
	User      = "user"
	Assistant = "assistant"
)

// Message is a turn of a chat.
type Message struct {
	Role string `json:"role"`
	Text string `json:"text"`
}

// Request asks for what follows: the assistant's answer to Messages, or what comes
// after Prompt. Zero values mean what they say here; every home makes the same of
// them, whatever the defaults of its own.
type Request struct {
	// Messages is a chat. The home writes it as its model was taught to read it.
	Messages []Message `json:"messages,omitempty"`
	// Prompt is a text that is continued as it stands. It excludes Messages.
	Prompt string `json:"prompt,omitempty"`
	// Continue goes on inside the last message, which is the assistant's, and gives
	// what follows there.
	Continue bool `json:"continue,omitempty"`
	// N is how many samples are wanted. 0: one.
	N int `json:"n,omitempty"`
	// MaxTokens is the most tokens of a sample. 0: as many as the home allows.
	MaxTokens int `json:"max_tokens,omitempty"`
	// Temperature divides the logits. 0: the likeliest token each time.
	Temperature float64 `json:"temperature,omitempty"`
	// TopP keeps the likeliest tokens that have this probability together
	// (Holtzman 2020, arXiv 1904.09751). 0: all.
	TopP float64 `json:"top_p,omitempty"`
	// TopK keeps so many of the likeliest tokens. 0: all.
	TopK int `json:"top_k,omitempty"`
	// MinP keeps tokens with at least this share of the likeliest one's probability
	// (Nguyen 2024, arXiv 2407.01082). 0: all.
	MinP float64 `json:"min_p,omitempty"`
	// RepetitionPenalty divides positive logits of tokens that have occurred, and
	// multiplies negative ones (Keskar 2019, arXiv 1909.05858). 0 and 1: none.
	RepetitionPenalty float64 `json:"repetition_penalty,omitempty"`
	// Seed makes samples come out the same again, as far as the home can. Sample i of
	// a request is sample 0 of one with a seed that is i higher only where the home
	// says so. nil: none.
	Seed *int64 `json:"seed,omitempty"`
	// Stop ends a sample before any of these strings; the string is left out.
	Stop []string `json:"stop,omitempty"`
	// Logprobs asks for the tokens of the samples with their log-probabilities.
	Logprobs bool `json:"logprobs,omitempty"`
	// Alternatives asks for so many of the likeliest tokens at each place, too.
	Alternatives int `json:"alternatives,omitempty"`
}

// ScoreRequest asks how likely a text is after another.
type ScoreRequest struct {
	// Messages or Prompt is what stands before, as in a Request. Where neither is
	// given the text stands at the beginning.
	Messages []Message `json:"messages,omitempty"`
	Prompt   string    `json:"prompt,omitempty"`
	// Continue puts Text inside the last message, which is the assistant's, after
	// what it says.
	Continue bool `json:"continue,omitempty"`
	// Text is what is scored.
	Text string `json:"text"`
	// Alternatives asks for so many of the likeliest tokens at each place.
	Alternatives int `json:"alternatives,omitempty"`
}

// EmbedRequest asks for a vector for each text.
type EmbedRequest struct {
	Texts []string `json:"texts"`
	// Dimensions shortens the vectors, where the model was trained for that. 0: whole.
	Dimensions int `json:"dimensions,omitempty"`
}

// Samples is how many samples are asked for.
func (r Request) Samples() int { return max(r.N, 1) }

// Most a request may ask for.
const (
	mostSamples = 4096
	mostTokens  = 1 << 24
	mostStops   = 64
)

// Check refuses a request that means nothing, by the field, and one that needs more
// than the model can do, with the way on. Homes call it before they work.
func (r Request) Check(i Info) error {
	if err := firstOf(
		prefix(r.Messages, r.Prompt, r.Continue),
		within("N", r.N, 0, mostSamples),
		within("MaxTokens", r.MaxTokens, 0, mostTokens),
		within("Temperature", r.Temperature, 0, 100),
		within("TopP", r.TopP, 0, 1),
		within("TopK", r.TopK, 0, mostTokens),
		within("MinP", r.MinP, 0, 1),
		within("RepetitionPenalty", r.RepetitionPenalty, 0, 100),
		within("Alternatives", r.Alternatives, 0, 1000),
		within("Stop", len(r.Stop), 0, mostStops),
	); err != nil {
		return err
	}
	if len(r.Messages) == 0 && r.Prompt == "" {
		return invalid("there is nothing to answer: give {Messages} or {Prompt}")
	}
	if r.Alternatives > 0 && !r.Logprobs {
		return invalid("{Alternatives} belong to log-probabilities: set {Logprobs}")
	}
	for _, s := range r.Stop {
		if s == "" || !utf8.ValidString(s) {
			return invalid("{Stop} holds %q: a text that is not empty is needed", s)
		}
	}
	return r.able(i)
}

// able refuses what a model cannot do.
func (r Request) able(i Info) error {
	can := i.Can
	penalty := r.RepetitionPenalty != 0 && r.RepetitionPenalty != 1
	return firstOf(
		needs(i, len(r.Messages) > 0 && !can.Chat, "answer chats", "give {Prompt}"),
		needs(i, r.Prompt != "" && !can.Text, "go on from a plain text", "give {Messages}"),
		needs(i, r.Continue && !can.Continue, "go on inside an assistant's message", "give {Prompt} with the whole chat written out, or another model"),
		needs(i, r.Logprobs && !can.Logprobs, "give log-probabilities", "leave out {Logprobs}, or use a home that gives them, such as a local model"),
		needs(i, r.Alternatives > can.Alternatives, fmt.Sprintf("give more than %d alternatives", can.Alternatives), "ask for fewer {Alternatives}"),
		needs(i, r.Seed != nil && !can.Seed, "sample by a seed", "leave out {Seed} and record the session"),
		needs(i, r.TopK > 0 && !can.TopK, "cut by rank", "leave out {TopK}; {TopP} is understood"),
		needs(i, r.MinP > 0 && !can.MinP, "cut by a least share", "leave out {MinP}; {TopP} is understood"),
		needs(i, penalty && !can.RepetitionPenalty, "punish repetition", "leave out {RepetitionPenalty}"),
		needs(i, len(r.Stop) > can.Stops, fmt.Sprintf("take more than %d stop strings", can.Stops), "give fewer in {Stop}, and cut the text yourself"),
	)
}

// Check refuses what means nothing or is more than the model can do.
func (r ScoreRequest) Check(i Info) error {
	if err := firstOf(prefix(r.Messages, r.Prompt, r.Continue), within("Alternatives", r.Alternatives, 0, 1000)); err != nil {
		return err
	}
	if r.Text == "" || !utf8.ValidString(r.Text) {
		return invalid("{Text} %.40q: a text to score is needed", r.Text)
	}
	way := "use a local model, or an endpoint that gives log-probabilities of prompts, such as vLLM's"
	return firstOf(
		needs(i, len(r.Messages) == 0 && !i.Can.Score, "score a given text", way),
		needs(i, len(r.Messages) > 0 && !i.Can.ScoreChat, "score a given text after messages", "give {Prompt} with the whole chat written out, or "+way),
		needs(i, r.Continue && !i.Can.Continue, "go on inside an assistant's message", "give {Prompt} with the whole chat written out"),
		needs(i, r.Alternatives > i.Can.ScoreAlternatives, fmt.Sprintf("give more than %d alternatives to a given text", i.Can.ScoreAlternatives), "ask for fewer {Alternatives}"),
	)
}

// Check refuses what means nothing or is more than the model can do.
func (r EmbedRequest) Check(i Info) error {
	if len(r.Texts) == 0 {
		return invalid("{Texts} is empty: there is nothing to embed")
	}
	for n, s := range r.Texts {
		if s == "" || !utf8.ValidString(s) {
			return invalid("{Texts} %d is %.40q: a text that is not empty is needed", n, s)
		}
	}
	return firstOf(
		within("Dimensions", r.Dimensions, 0, 1<<20),
		needs(i, !i.Can.Embed, "embed texts", "use a home with an embedding model"),
	)
}

// prefix checks what stands before.
func prefix(ms []Message, prompt string, inside bool) error {
	if len(ms) > 0 && prompt != "" {
		return invalid("{Messages} and {Prompt} are both given: a request is one or the other")
	}
	if !utf8.ValidString(prompt) {
		return invalid("{Prompt} is no valid UTF-8")
	}
	for i, m := range ms {
		if m.Role != System && m.Role != User && m.Role != Assistant {
			return invalid("{Messages} %d has the role %.40q: %s, %s or %s is needed", i, m.Role, System, User, Assistant)
		}
		if !utf8.ValidString(m.Text) {
			return invalid("{Messages} %d is no valid UTF-8", i)
		}
	}
	if inside && (len(ms) == 0 || ms[len(ms)-1].Role != Assistant) {
		return invalid("{Continue} goes on inside an assistant's message, which has to be the last of {Messages}")
	}
	return nil
}

// within checks a number.
func within[T int | float64](field string, x, low, high T) error {
	if x >= low && x <= high && !math.IsNaN(float64(x)) {
		return nil
	}
	return &Error{Kind: Invalid, Err: catalog.Bad(field, x, fmt.Sprintf("%v to %v", low, high))}
}

func invalid(format string, a ...any) error {
	return &Error{Kind: Invalid, Err: catalog.Errorf(format, a...)}
}

// needs is the error of a model that cannot do what a request asks.
func needs(i Info, lacks bool, what, way string) error {
	if !lacks {
		return nil
	}
	return &Error{Kind: Unsupported, Model: i.Name, Err: catalog.Errorf("it cannot %s: %s", what, way)}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
