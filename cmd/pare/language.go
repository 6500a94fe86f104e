package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"pare/catalog"
	"pare/lm"
	"pare/lm/decode"
	"pare/lm/local"

	"github.com/spf13/cobra"
)

// speaking is what flags say of a language model and of how it writes.
type speaking struct {
	open   local.Options
	prompt string
	system string
	chat   bool
	seed   int64
	r      lm.Request
}

// languageHelp says what a language model is read from.
const languageHelp = `MODEL is a folder as Hugging Face has them (config.json, safetensors, tokenizer.json), a GGUF file of a Llama, Qwen2 or
Qwen3, or a model of llama2.c (.bin) with its tokenizer beside it. Nothing is fetched from the network.`

// openFlags are those of opening a model.
func (q *speaking) openFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&q.open.Tokenizer, "tokenizer", "", "tokenizer.json, or the vocabulary of a model of llama2.c (default: what lies beside the weights)")
	cmd.Flags().IntVar(&q.open.Context, "context", 0, "most tokens of a text (default: what the model was made for, 4096 at most)")
	cmd.Flags().StringVar((*string)(&q.open.Weights), "weights", "", "how weights are held, which decoding reads: f32, f16, int8 (each 32 times a scale, and what they multiply likewise), or auto, of the forms that keep the weights the smallest; all but f32 leave zeros out where there are many (default: f32, and auto for a quantised GGUF file)")
	cmd.Flags().StringVar((*string)(&q.open.Cache), "cache", "", "how the keys and values of a text's tokens are held: f32, or f16 in half the memory (default: f32 where the weights are, else f16)")
}

// samplingFlags say how tokens are chosen.
func (q *speaking) samplingFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&q.r.MaxTokens, "max-tokens", 0, "most tokens that are written (0: as many as there is room for)")
	f.Float64Var(&q.r.Temperature, "temperature", 0, "divides the logits (0: the likeliest token each time)")
	f.IntVar(&q.r.TopK, "top-k", 0, "only so many of the likeliest tokens (0: all)")
	f.Float64Var(&q.r.TopP, "top-p", 0, "only the likeliest tokens that have this probability together (0: all)")
	f.Float64Var(&q.r.MinP, "min-p", 0, "only tokens with at least this share of the likeliest one's probability (0: all)")
	f.Float64Var(&q.r.RepetitionPenalty, "repetition-penalty", 0, "divides positive logits of tokens that have occurred, and multiplies negative ones (0: none)")
	f.Int64Var(&q.seed, "seed", 1, "of the draws")
	f.StringArrayVar(&q.r.Stop, "stop", nil, "a text ends before this (may be given several times)")
}

// asked sets what follows from the flags.
func (q *speaking) asked() {
	q.r.Seed = &q.seed
}

// tell says which flags do nothing where the likeliest token is taken each time.
func (q *speaking) tell(c *cli) {
	if q.r.Temperature > 0 {
		return
	}
	if q.r.TopK > 0 || q.r.TopP > 0 || q.r.MinP > 0 {
		c.say("note: at --temperature 0 the likeliest token is taken each time: --top-k, --top-p and --min-p do nothing")
	}
	if q.r.N > 1 {
		c.say("note: at --temperature 0 all %d texts are the same", q.r.N)
	}
}

// language opens the model of a command.
func (c *cli) language(path string, q *speaking) (*local.Model, error) {
	q.open.Threads = c.threads
	if c.memory > 0 {
		q.open.Memory = int(c.memory) / 2
	}
	m, err := local.Open(path, q.open)
	if err != nil {
		return nil, spoken(err)
	}
	if form, read, left := m.Held(); len(left) > 0 {
		c.say("%d matrices stay float32, since %s cannot hold them, such as %s", len(left), form, left[0])
	} else if form != decode.F32 {
		cache, bytes := m.Kept()
		c.say("weights as %s: %.4g MB are read for a token; keys and values as %s: %.4g kB for each token of a text", form, float64(read)/1e6, cache, float64(bytes)/1e3)
	}
	return m, nil
}

// spoken names the flags in an error of a language model, which is wrong use where the
// request means nothing.
func spoken(err error) error {
	if err == nil {
		return nil
	}
	kind := lm.KindOf(err)
	text := catalog.Rename(err, flagName)
	if kind == lm.Cancelled {
		return stopped("stopped")
	}
	var bad *catalog.Error
	if kind == lm.Invalid || kind == lm.Unsupported || errors.As(err, &bad) {
		return usageError{errors.New(text)}
	}
	return errors.New(text)
}

// flagName writes a field as a flag: MaxTokens is --max-tokens.
func flagName(field string) string {
	var b strings.Builder
	b.WriteString("--")
	for i, r := range field {
		if unicode.IsUpper(r) {
			if i > 0 {
				b.WriteByte('-')
			}
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (c *cli) generate() *cobra.Command {
	q := &speaking{}
	cmd := &cobra.Command{Use: "generate MODEL --prompt TEXT", Short: "Write what follows a text, or answer it, by a language model", Args: args("MODEL"),
		Long: `Writes what a language model makes follow a text, token by token as they come.

` + languageHelp + `

With --chat the text is a question, which the model's own template of chats is put around, and the answer is written.
The same seed gives the same text on the same machine, for any number of threads.`,
		Example: `  pare model generate stories260K.bin --prompt "Once upon a time" --max-tokens 100
  pare model generate SmolLM2-135M-Instruct.gguf --chat --prompt "Name three rivers." --temperature 0.7 --top-p 0.9 --n 3
  cat question.txt | pare model generate FOLDER --prompt - --json`,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runGenerate(cmd.Context(), a[0], q) }}
	f := cmd.Flags()
	f.StringVar(&q.prompt, "prompt", "", "the text (-: of the standard input)")
	f.BoolVar(&q.chat, "chat", false, "the text is a question, which is answered")
	f.StringVar(&q.system, "system", "", "with --chat: what the model is told first")
	f.IntVar(&q.r.N, "n", 1, "number of texts")
	f.BoolVar(&q.r.Logprobs, "logprobs", false, "with --json: the tokens with their log-probabilities")
	f.IntVar(&q.r.Alternatives, "alternatives", 0, "with --logprobs: so many of the likeliest tokens at each place")
	q.samplingFlags(cmd)
	q.openFlags(cmd)
	return cmd
}

func (c *cli) runGenerate(ctx context.Context, path string, q *speaking) error {
	q.asked()
	if q.prompt == "" {
		return usage("give --prompt TEXT, or --prompt - for the standard input")
	}
	if q.system != "" && !q.chat {
		return usage("--system goes with --chat")
	}
	if q.r.Logprobs && !c.json {
		return usage("--logprobs goes with --json, which shows them")
	}
	if q.prompt == "-" {
		b, err := io.ReadAll(io.LimitReader(os.Stdin, 64<<20))
		if err != nil {
			return err
		}
		q.prompt = strings.TrimSuffix(string(b), "\n")
	}
	if q.chat {
		if q.system != "" {
			q.r.Messages = append(q.r.Messages, lm.Message{Role: lm.System, Text: q.system})
		}
		q.r.Messages = append(q.r.Messages, lm.Message{Role: lm.User, Text: q.prompt})
	} else {
		q.r.Prompt = q.prompt
	}
	m, err := c.language(path, q)
	if err != nil {
		return err
	}
	defer m.Close()
	q.tell(c)
	begun, first := time.Now(), time.Duration(0) // until a text begins
	one := q.r.Samples() == 1 && !c.json
	reply, err := m.Stream(ctx, q.r, func(d lm.Delta) error {
		if first == 0 {
			first = time.Since(begun)
		}
		if one {
			_, err := io.WriteString(c.out, shown(d.Text))
			return err
		}
		return nil
	})
	took, read := time.Since(begun).Seconds(), first.Seconds()
	if err != nil {
		if one && reply != nil {
			fmt.Fprintln(c.out)
		}
		return spoken(err)
	}
	switch {
	case c.json:
		return c.printJSON(map[string]any{"choices": reply.Choices, "usage": reply.Usage, "seconds": took, "seconds_to_first": read})
	case one:
		fmt.Fprintln(c.out)
	default:
		for i, x := range reply.Choices {
			fmt.Fprintf(c.out, "--- %d\n%s\n", i+1, shown(x.Text))
		}
	}
	u := reply.Usage
	c.say("%d tokens of prompt read in %.2f s, %.0f a second; %d written in %.2f s, %.1f a second", u.Prompt, read, float64(u.Prompt)/max(read, 1e-9),
		u.Completion, took-read, float64(max(u.Completion-q.r.Samples(), 0))/max(took-read, 1e-9))
	return nil
}

// shown is a model's text without what would steer a terminal.
func shown(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return utf8.RuneError
		}
		return r
	}, s)
}

// scoring is what the flags of perplexity say.
type scoring struct {
	speaking
	text   string
	window int
	most   int
}

func (c *cli) perplexity() *cobra.Command {
	q := &scoring{}
	cmd := &cobra.Command{Use: "perplexity MODEL --text FILE", Short: "Say how well a language model foretells a text", Args: args("MODEL"),
		Long: `Scores a text in windows that do not overlap, each by itself, in which the first token is not scored. Perplexity is exp
of the mean loss of a token; models of different vocabularies are compared by bits per byte.

` + languageHelp,
		Example: `  pare model perplexity SmolLM2-135M-Instruct.gguf --text wikitext2-test.txt.gz --window 2048
  pare model perplexity stories260K.bin --text stories.txt`,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runPerplexity(cmd.Context(), a[0], q) }}
	cmd.Flags().StringVar(&q.text, "text", "", "file of the text (.gz or not)")
	cmd.Flags().IntVar(&q.window, "window", 0, "tokens of a window (default: as many as --context)")
	cmd.Flags().IntVar(&q.most, "windows", 0, "only so many windows from the beginning (0: all)")
	q.openFlags(cmd)
	return cmd
}

func (c *cli) runPerplexity(ctx context.Context, path string, q *scoring) error {
	if q.text == "" {
		return usage("give --text FILE, a text to score")
	}
	if q.window < 0 || q.most < 0 {
		return usage("--window and --windows are not negative")
	}
	if err := c.claim(places{in: []input{{what: "text", path: q.text}}}); err != nil {
		return err
	}
	text, err := readText(q.text)
	if err != nil {
		return err
	}
	m, err := c.language(path, &q.speaking)
	if err != nil {
		return err
	}
	defer m.Close()
	b := c.bar(1, "scoring")
	defer b.done()
	begun := time.Now()
	p, err := m.TextPerplexity(ctx, text, q.window, q.most, func(done, all int) {
		b.grow(all)
		b.set(done, "scoring")
	})
	b.clear()
	if err != nil {
		return spoken(err)
	}
	took := time.Since(begun).Seconds()
	if p.Left > 0 {
		c.say("note: the last %d tokens of the text fill no window and are not scored", p.Left)
	}
	if c.json {
		return c.printJSON(map[string]any{"perplexity": p, "seconds": took})
	}
	fmt.Fprintf(c.out, "perplexity %.4g (loss %.4f ± %.4f a token, %.4f bits a byte) of %d tokens in windows of %d\n", p.Value, p.Loss, p.Error, p.Bits, p.Tokens, p.Window)
	c.say("%.1f s: %.0f tokens a second", took, float64(p.Tokens)/took)
	return nil
}

// largestText bounds a text that is scored.
const largestText = 1 << 30

// readText reads a text, gzipped or not.
func readText(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	in := bufio.NewReader(f)
	var r io.Reader = in
	if head, err := in.Peek(2); err == nil && head[0] == 0x1f && head[1] == 0x8b {
		if r, err = gzip.NewReader(in); err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
	}
	b, err := io.ReadAll(io.LimitReader(r, largestText+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", path, err)
	case len(b) > largestText:
		return "", fmt.Errorf("%s has more than %d bytes of text: score a part of it", path, largestText)
	case !utf8.Valid(b):
		return "", fmt.Errorf("%s is no text in UTF-8", path)
	}
	return string(b), nil
}
