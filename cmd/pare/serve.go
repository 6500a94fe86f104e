package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	tcp "net"
	"net/http"
	"net/url"
	"time"

	"pare/run/serve"

	"github.com/spf13/cobra"
)

// serving is what the flags of serve say.
type serving struct {
	addr, token string
	hosts       []string
}

func (c *cli) serve() *cobra.Command {
	q := &serving{}
	cmd := &cobra.Command{Use: "serve", Short: "Show the runs in a browser: table, live curves, Pareto plot, layers, drawings, comparison, files", Args: args(),
		Long: `Serves a page of the runs that commands have left: a table with filters, curves of what is running as they come, what runs
cost and are worth, layers, the network's drawing, two runs compared, reports and files to keep. The page needs no
network, and nothing is changed by it. ? in the page shows its keys.

It is for this machine. Whoever can log in here can look, too, unless there is a token: in --token-file, or the
environment's PARE_TOKEN, of at least 16 characters. An address that others reach is served with a token only, and is not
encrypted: put something that speaks TLS before it, and give the name that it is reached by with --host.`,
		Example: `  pare serve
  pare serve --runs experiments --address 127.0.0.1:0
  pare serve --address 0.0.0.0:7300 --token-file secret.txt`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runServe(cmd, q) }}
	f := cmd.Flags()
	f.StringVar(&c.rec.dir, "runs", "", "folder of the runs, `DIR` (default "+runsFolder+", or the environment's "+runsEnv+")")
	f.StringVar(&q.addr, "address", "127.0.0.1:7300", "where it listens (port 0: any that is free)")
	f.StringVar(&q.token, "token-file", "", "file of the secret that the page is looked at with (default: the environment's PARE_TOKEN)")
	f.StringSliceVar(&q.hosts, "host", nil, "`name` that the page is reached by, beside localhost and addresses")
	inSections(cmd)
	return cmd
}

func (c *cli) runServe(cmd *cobra.Command, q *serving) error {
	host, port, err := tcp.SplitHostPort(q.addr)
	if err != nil {
		return usage("--address %s: %v; such as 127.0.0.1:7300 is needed", q.addr, err)
	}
	if n, err := tcp.LookupPort("tcp", port); err != nil || n < 0 {
		return usage("--address %s: the port is a number up to 65535", q.addr)
	}
	ip := tcp.ParseIP(host)
	local := host == "localhost" || ip != nil && ip.IsLoopback()
	secret, err := secretOf(q.token)
	switch {
	case err != nil:
		return err
	case !local && secret == "":
		return usage("--address %s is no address of this machine alone, and is served with a token only: give --token-file, or set PARE_TOKEN", q.addr)
	case secret != "" && len(secret) < serve.LeastToken:
		return usage("the token has %d characters, and one of fewer than %d can be guessed: openssl rand -hex 16 makes one", len(secret), serve.LeastToken)
	}
	store, err := c.kept(cmd)
	if err != nil {
		return err
	}
	if ip == nil && host != "" && host != "localhost" {
		q.hosts = append(q.hosts, host)
	}
	h, err := serve.New(serve.Config{Store: store, Token: secret, Local: local, Hosts: q.hosts, Log: c.say})
	if err != nil {
		return err
	}
	l, err := tcp.Listen("tcp", q.addr)
	if err != nil {
		return fmt.Errorf("--address %s: %w", q.addr, err)
	}
	at := &url.URL{Scheme: "http", Host: l.Addr().String(), Path: "/"}
	if ip != nil && ip.IsUnspecified() || host == "" { // no address to go to
		_, port, _ := tcp.SplitHostPort(l.Addr().String())
		at.Host = tcp.JoinHostPort("localhost", port)
	}
	how := "Ctrl-C ends it"
	switch {
	case secret == "":
	case terminal(c.err) != nil:
		at.RawQuery = url.Values{"token": {secret}}.Encode()
	default: // a log is no place for a secret
		how = "it asks for the token; " + how
	}
	if c.json {
		if err := c.printJSON(map[string]string{"url": at.String(), "runs": store.Dir}); err != nil {
			return err
		}
	} else {
		c.say("the runs of %s are at %s (%s)", store.Dir, at, how)
	}
	return c.serveUntil(cmd.Context(), l, h)
}

// serveUntil serves until the context ends.
func (c *cli) serveUntil(ctx context.Context, l tcp.Listener, h *serve.Server) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: log.New(io.Discard, "", 0)}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	h.Close()
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := s.Shutdown(wait); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return stopped("stopped; nothing is served any more")
}
