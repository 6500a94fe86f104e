package endpoint

import "pare/lm"

// kind is what servers of a kind understand.
type kind struct {
	can lm.Capabilities
	// maxTokens and penalty are names of fields.
	maxTokens, penalty string
	// all is the number that stands for no cut by rank.
	all int
	// score is how the server gives log-probabilities of a prompt.
	score way
}

type way int

const (
	never  way = iota
	echo       // completions with echo and logprobs
	prompt     // prompt_logprobs
)

// Kinds are the kinds of servers that a client knows.
const (
	// Compatible is any server that understands what OpenAI's first chat and
	// completion models did, and perhaps no more.
	Compatible = "compatible"
	// OpenAI is api.openai.com.
	OpenAI = "openai"
	// VLLM is vLLM's server.
	VLLM = "vllm"
	// LlamaCPP is llama.cpp's server.
	LlamaCPP = "llama.cpp"
	// Pare is Pare's own, lm/serve.
	Pare = "pare"
)

// kinds says what each understands. Fields for cuts and penalties are always sent
// where they are understood, as servers have defaults of their own for them.
var kinds = map[string]kind{
	Compatible: {
		can: lm.Capabilities{Chat: true, Text: true, Samples: 1, Logprobs: true, Alternatives: 5, Embed: true, Texts: 64, Seed: true, Stops: 4},
	},
	OpenAI: {
		can:       lm.Capabilities{Chat: true, Samples: 128, Logprobs: true, Alternatives: 20, Embed: true, Texts: 64, Seed: true, Stops: 4},
		maxTokens: "max_completion_tokens",
	},
	VLLM: {
		// With alternatives a place of prompt_logprobs does not say which token
		// stands there (vllm-project/vllm issue 10607), so none are asked for.
		can: lm.Capabilities{Chat: true, Text: true, Continue: true, Logprobs: true, Alternatives: 20, Score: true, ScoreChat: true,
			Embed: true, Texts: 64, Seed: true, TopK: true, MinP: true, RepetitionPenalty: true, Stops: 64},
		all:   -1, // older versions refuse 0
		score: prompt,
	},
	LlamaCPP: {
		can: lm.Capabilities{Chat: true, Text: true, Samples: 1, Logprobs: true, Alternatives: 20, Embed: true, Texts: 64, Seed: true,
			TopK: true, MinP: true, RepetitionPenalty: true, Stops: 64},
		penalty: "repeat_penalty",
	},
	Pare: {
		can: lm.Capabilities{Chat: true, Text: true, Continue: true, Logprobs: true, Alternatives: 20, Score: true, ScoreChat: true, ScoreAlternatives: 20,
			Embed: true, Texts: 64, Seed: true, TopK: true, MinP: true, RepetitionPenalty: true, Stops: 64},
		score: echo,
	},
}
