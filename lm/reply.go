package lm

// Why a sample ended.
const (
	FinishStop    = "stop"           // at its end, or before a stop string
	FinishLength  = "length"         // at MaxTokens, or where the context was full
	FinishFilter  = "content_filter" // what followed was withheld
	FinishRefusal = "refusal"        // the home marked the text as a refusal to answer
)

// Reply is what a model said.
type Reply struct {
	// Choices is a choice a sample, in the order in which they were drawn.
	Choices []Choice `json:"choices"`
	Usage   Usage    `json:"usage"`
	// Kept says that the reply was not made now but kept by a cache or a recording.
	// Usage is then what it took when it was made.
	Kept bool `json:"-"`
}

// Choice is a sample.
type Choice struct {
	Text string `json:"text"`
	// Reasoning is what the model thought before it spoke, where the home keeps that
	// apart.
	Reasoning string `json:"reasoning,omitempty"`
	// Finish says why the sample ended; "" where it was broken off.
	Finish string `json:"finish"`
	// Tokens is what the text was made of, where log-probabilities were asked for.
	// They may go on past a stop string, and hold tokens without text, such as the
	// end of the text.
	Tokens []Token `json:"tokens,omitempty"`
}

// Token is a token with its natural log-probability given all before it. It is the
// model's own, before Temperature and cuts, as far as the home says so: local models
// and vLLM do.
type Token struct {
	Text string `json:"text"`
	// Bytes is the token where it is no whole characters; Text then shows what can be
	// shown.
	Bytes []byte `json:"bytes,omitempty"`
	// Offset is where the token begins in the choice's text, or in the scored text,
	// in bytes.
	Offset  int     `json:"offset"`
	Logprob float64 `json:"logprob"`
	// Unscored says that there is no log-probability, for nothing stands before.
	Unscored bool `json:"unscored,omitempty"`
	// Alternatives is the likeliest tokens at this place, best first. The token itself
	// may be among them.
	Alternatives []Alternative `json:"alternatives,omitempty"`
}

// Raw is the bytes of the token.
func (t Token) Raw() []byte {
	if t.Bytes != nil {
		return t.Bytes
	}
	return []byte(t.Text)
}

// Alternative is a token that might have stood there.
type Alternative struct {
	Text    string  `json:"text"`
	Bytes   []byte  `json:"bytes,omitempty"`
	Logprob float64 `json:"logprob"`
}

// Scores is how likely a text is.
type Scores struct {
	// Tokens is the text in tokens. One that begins before the text and ends in it
	// belongs to no side: homes refuse such a request.
	Tokens []Token `json:"tokens"`
	Usage  Usage   `json:"usage"`
	Kept   bool    `json:"-"`
}

// Sum is the log-probability of a text in tokens: the sum over those that have one.
func Sum(ts []Token) float64 {
	sum := 0.0
	for _, t := range ts {
		if !t.Unscored {
			sum += t.Logprob
		}
	}
	return sum
}

// Mean is the log-probability a token; 0 for none.
func Mean(ts []Token) float64 {
	n := 0
	for _, t := range ts {
		if !t.Unscored {
			n++
		}
	}
	return Sum(ts) / float64(max(n, 1))
}

// Embeddings is a vector for each text; nil for one that failed.
type Embeddings struct {
	Vectors [][]float32 `json:"vectors"`
	Usage   Usage       `json:"usage"`
	Kept    bool        `json:"-"`
}

// Usage is what a reply took.
type Usage struct {
	// Calls is how many calls of the home it was. 0: one.
	Calls int `json:"calls,omitempty"`
	// Prompt is tokens that were read; Cached of them the home had read before.
	Prompt int `json:"prompt"`
	Cached int `json:"cached,omitempty"`
	// Completion is tokens that were written, by all samples.
	Completion int `json:"completion"`
	// Unknown says that the home did not tell the numbers of tokens.
	Unknown bool `json:"unknown,omitempty"`
}

// Add adds what another call took.
func (u *Usage) Add(v Usage) {
	u.Calls = max(u.Calls, 1) + max(v.Calls, 1)
	u.Prompt += v.Prompt
	u.Cached += v.Cached
	u.Completion += v.Completion
	u.Unknown = u.Unknown || v.Unknown
}

// Delta is a piece of a choice. Its text is whole characters.
type Delta struct {
	Index     int // of the choice
	Text      string
	Reasoning string
	Tokens    []Token
	Finish    string // with the last piece of the choice; a refusal is one piece
}

// Add puts a piece to the reply that it belongs to.
func (r *Reply) Add(d Delta) {
	for len(r.Choices) <= d.Index {
		r.Choices = append(r.Choices, Choice{})
	}
	c := &r.Choices[d.Index]
	c.Text += d.Text
	c.Reasoning += d.Reasoning
	c.Tokens = append(c.Tokens, d.Tokens...)
	if d.Finish != "" {
		c.Finish = d.Finish
	}
}
