package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"pare/lm"

	"github.com/spf13/cobra"
)

func (c *cli) chat() *cobra.Command {
	q := &speaking{}
	cmd := &cobra.Command{Use: "chat MODEL", Short: "Talk with a language model", Args: args("MODEL"),
		Long: `Reads questions from the standard input, a line each, and writes the answers as they come. An empty line begins a new
conversation. Ctrl-C ends an answer's writing and the command; so does the end of the input.

` + languageHelp,
		Example: `  pare model chat SmolLM2-135M-Instruct.gguf --temperature 0.7 --top-p 0.9
  pare model chat FOLDER --system "Answer in one sentence."`,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runChat(cmd.Context(), a[0], q, os.Stdin) }}
	cmd.Flags().StringVar(&q.system, "system", "", "what the model is told first")
	q.samplingFlags(cmd)
	q.openFlags(cmd)
	return cmd
}

// longestLine bounds a question.
const longestLine = 1 << 20

func (c *cli) runChat(ctx context.Context, path string, q *speaking, from io.Reader) error {
	q.asked()
	m, err := c.language(path, q)
	if err != nil {
		return err
	}
	defer m.Close()
	if !m.Info().Can.Chat {
		return usage("%s has no template of chats: pare model generate goes on from a text", path)
	}
	q.tell(c)
	begin := func() (ms []lm.Message) {
		if q.system != "" {
			ms = append(ms, lm.Message{Role: lm.System, Text: q.system})
		}
		return ms
	}
	q.r.Messages = begin()
	in := lines(ctx, from)
	for {
		if c.errTTY != nil {
			fmt.Fprint(c.err, "> ")
		}
		var line string
		select {
		case <-ctx.Done():
			return stopped("stopped")
		case l, ok := <-in:
			if !ok {
				return nil
			}
			if l.err != nil {
				return l.err
			}
			line = strings.TrimSpace(l.text)
		}
		if line == "" {
			q.r.Messages = begin()
			continue
		}
		q.r.Messages = append(q.r.Messages, lm.Message{Role: lm.User, Text: line})
		reply, err := m.Stream(ctx, q.r, func(d lm.Delta) error {
			_, err := io.WriteString(c.out, shown(d.Text))
			return err
		})
		fmt.Fprintln(c.out)
		if err != nil {
			return spoken(err)
		}
		q.r.Messages = append(q.r.Messages, lm.Message{Role: lm.Assistant, Text: reply.Choices[0].Text})
	}
}

// line is one that was read.
type line struct {
	text string
	err  error
}

// lines reads lines as they come, so that who waits for one can be stopped.
func lines(ctx context.Context, from io.Reader) <-chan line {
	out := make(chan line)
	go func() {
		defer close(out)
		s := bufio.NewScanner(from)
		s.Buffer(nil, longestLine)
		for s.Scan() {
			select {
			case out <- line{text: s.Text()}:
			case <-ctx.Done():
				return
			}
		}
		if err := s.Err(); err != nil {
			select {
			case out <- line{err: fmt.Errorf("the question: %w", err)}:
			case <-ctx.Done():
			}
		}
	}()
	return out
}
