package main

import (
	"context"
	"errors"
	"fmt"
	tcp "net"
	"net/http"
	"time"

	"pare/lm"
	"pare/lm/serve"

	"github.com/spf13/cobra"
)

func (c *cli) serveLM() *cobra.Command {
	q := &speaking{}
	addr := ""
	cmd := &cobra.Command{Use: "serve-lm MODEL", Short: "Serve a language model as an endpoint of OpenAI's API", Args: args("MODEL"),
		Long: `Serves a language model at http://ADDRESS/v1 as OpenAI's API has it: models, chat/completions, completions (with echo
and log-probabilities), streams of both, and embeddings. Existing clients use it with that base URL and any key. Requests are worked on
one after the other. It is for this machine: an address that others reach is refused, for nobody is asked who they are.

` + languageHelp,
		Example: `  pare serve-lm SmolLM2-135M-Instruct.gguf
  pare serve-lm FOLDER --address 127.0.0.1:8001 --name small`,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runServeLM(cmd.Context(), a[0], addr, q) }}
	cmd.Flags().StringVar(&addr, "address", "127.0.0.1:8000", "where it listens, on this machine (port 0: any that is free)")
	cmd.Flags().StringVar(&q.open.Name, "name", "", "what the model is called (default: as its file)")
	q.openFlags(cmd)
	return cmd
}

func (c *cli) runServeLM(ctx context.Context, path, addr string, q *speaking) error {
	host, _, err := tcp.SplitHostPort(addr)
	if err != nil {
		return usage("--address %s: %v; such as 127.0.0.1:8000 is needed", addr, err)
	}
	if ip := tcp.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return usage("--address %s is no address of this machine alone: give 127.0.0.1:PORT", addr)
	}
	m, err := c.language(path, q)
	if err != nil {
		return err
	}
	defer m.Close()
	h, err := serve.New(serve.Config{Models: []lm.Model{m}})
	if err != nil {
		return spoken(err)
	}
	l, err := tcp.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("--address %s: %w", addr, err)
	}
	c.say("%s is served at http://%s/v1 (Ctrl-C ends it)", m.Info().Name, l.Addr())
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(tcp.Listener) context.Context { return ctx }}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := s.Shutdown(wait); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return stopped("stopped; nothing is served any more")
}
