package main

import (
	"fmt"

	"pare/graph"
	"pare/lm/files"
	"pare/report"
	"pare/tokenizer"

	"github.com/spf13/cobra"
)

// reducing is what the flags of vocabulary say.
type reducing struct {
	to          destination
	texts       []string
	most, least int
	force       bool
}

func (c *cli) vocabulary() *cobra.Command {
	q := &reducing{}
	cmd := &cobra.Command{Use: "vocabulary MODEL --text FILE -o OUT", Short: "Leave a language model the tokens that your texts need", Args: args("MODEL"),
		Long: `Counts the tokens of texts, and takes all others out of a language model: their rows of the table of embeddings and of the
output layer, and their places in the tokenizer. Tokens are numbered anew in all files that name them. What stays, too:
tokens that others are merged of, special tokens, and the bytes or characters that all texts can be written in.

Texts like those that were counted come to the same tokens as before, and the model gives them the same logits. Other
texts still can be read and written, in shorter tokens than before. Small models gain most: of SmolLM2-135M a fifth of the
weights is the vocabulary. With --tokens the rarest tokens go too, and the texts come to shorter tokens there.

MODEL is a folder as Hugging Face has them, with its tokenizer.json, or a GGUF file of a Llama, Qwen2 or Qwen3; OUT is the
same: a folder (OUT/), or a .gguf file. Compare them by the bits a byte of pare model perplexity: the perplexity of a
token is another thing where tokens are others.`,
		Example: `  pare model vocabulary SmolLM2-135M.gguf --text support-mails.txt -o small.gguf
  pare model vocabulary FOLDER --text a.txt --text b.txt.gz --tokens 8000 -o small/`,
		RunE: func(_ *cobra.Command, a []string) error { return c.runVocabulary(a[0], q) }}
	f := cmd.Flags()
	f.StringVarP(&q.to.path, "output", "o", "", "folder (OUT/) or .gguf file to write")
	f.StringArrayVar(&q.texts, "text", nil, "file of text like what the model is to read and write (.gz or not; may be given several times)")
	f.IntVar(&q.most, "tokens", 0, "most tokens that stay, the most frequent ones (0: any number)")
	f.IntVar(&q.least, "min-count", 1, "a token stays that is there this often")
	f.BoolVar(&q.force, "force", false, "write over what is there")
	q.to.flags(f)
	settle := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if q.to.path == "" {
			return usage("no output: give -o OUT/ or -o OUT.gguf")
		}
		if err := q.to.settle(cmd); err != nil {
			return err
		}
		return settle(cmd, a)
	}
	return cmd
}

// check says what is wrong with the flags.
func (q *reducing) check(path string) error {
	switch {
	case len(q.texts) == 0:
		return usage("give --text FILE: the tokens that are in it stay")
	case q.most < 0 || q.least < 1:
		return usage("--tokens is not negative, and --min-count at least 1")
	case !files.Is(path):
		return usage("%s is no language model: a folder with a config.json, or a .gguf file, is needed", path)
	case files.IsGGUF(path) != files.IsGGUF(q.to.path) || q.to.folder == files.IsGGUF(path):
		return usage("-o %s: a folder is written as a folder (OUT/), and a .gguf file as another", q.to.path)
	}
	return nil
}

func (c *cli) runVocabulary(path string, q *reducing) error {
	if err := q.check(path); err != nil {
		return err
	}
	in := []input{{"input", path, false}}
	for _, t := range q.texts {
		in = append(in, input{what: "text", path: t})
	}
	if err := c.claim(places{in, []file{{"output", q.to.path, q.to.ends()}}, q.force}); err != nil {
		return err
	}
	f, err := files.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	tok, err := f.Tokenizer()
	switch {
	case err != nil:
		return fmt.Errorf("%s: the tokenizer: %w", path, err)
	case tok == nil:
		return fmt.Errorf("%s has no tokenizer.json, whose tokens are counted and numbered anew", path)
	case tok.Size > f.Config.Vocab:
		return fmt.Errorf("%s: the tokenizer has tokens up to %d, and the model a vocabulary of %d: they do not belong together", path, tok.Size-1, f.Config.Vocab)
	}
	named, err := f.NamedTokens()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	counts, err := c.count(tok, q.texts)
	if err != nil {
		return err
	}
	chosen := tok.Choose(counts, named, q.least, q.most)
	if q.most > 0 && len(chosen.Kept) > q.most {
		return usage("--tokens %d: %d stay whatever is counted, special tokens and what all texts can be written in", q.most, chosen.Base)
	}
	return c.reduce(path, f, chosen, q)
}

// count counts the tokens of texts.
func (c *cli) count(tok *tokenizer.Tokenizer, texts []string) ([]int, error) {
	counts, all := make([]int, tok.Size), 0
	for _, path := range texts {
		ids, err := await(c.ctx, func() ([]int32, error) {
			text, err := readText(path)
			if err != nil {
				return nil, err
			}
			return tok.Tokens(text)
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for _, id := range ids {
			counts[id]++
		}
		all += len(ids)
	}
	if all == 0 {
		return nil, usage("--text: there is no text in it")
	}
	return counts, nil
}

// reduce writes what is left, and says what that is.
func (c *cli) reduce(path string, f *files.File, chosen tokenizer.Chosen, q *reducing) error {
	was := f.Config.Vocab
	g, err := await(c.ctx, f.Graph)
	if err != nil {
		return err
	}
	before := parameters(g)
	if err := f.Keep(chosen.Kept); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if g, err = await(c.ctx, f.Graph); err != nil {
		return err
	}
	after := parameters(g)
	var notes []string
	if q.to.folder {
		notes, err = files.WriteFolder(q.to.path, g, f)
	} else {
		notes, err = files.WriteGGUF(q.to.path, g, f, files.Types[q.to.types])
	}
	if err != nil {
		return err
	}
	for _, n := range notes {
		c.say("note: %s: %s", q.to.path, n)
	}
	if c.json {
		return c.printJSON(map[string]any{"tokens": map[string]int{"before": was, "after": len(chosen.Kept)}, "parameters": map[string]int64{"before": before, "after": after},
			"whole": chosen.Whole, "base": chosen.Base})
	}
	fmt.Fprintf(c.out, "%d of %d tokens stay, and %s of %s parameters (%.1f %% fewer)\n", len(chosen.Kept), was, report.Scaled(float64(after)).Text, report.Scaled(float64(before)).Text, 100*(1-float64(after)/float64(before)))
	if chosen.Whole < 1 {
		fmt.Fprintf(c.out, "%.3f %% of the tokens of the texts stay as they are; the others come to shorter ones\n", 100*chosen.Whole)
	}
	return nil
}

// parameters counts the weights of a network.
func parameters(g *graph.Graph) (n int64) {
	for _, v := range g.Params() {
		n += int64(v.Const.Len())
	}
	return n
}
