package main

import (
	"context"
	"crypto/rand"
	tcp "net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"pare/model"
	"pare/model/federated"

	"github.com/spf13/cobra"
)

func (c *cli) federated() *cobra.Command {
	m := &cobra.Command{Use: "federated", Short: "Prune and train a network on the data of several processes, which stays where it is", RunE: noCommand}
	m.AddCommand(c.federatedServer(), c.federatedClient())
	return m
}

const tokenHelp = "file of the secret that clients join with (default: the environment's PARE_TOKEN)"

// federatedServer is prune by FedTiny whose clients are elsewhere.
func (c *cli) federatedServer() *cobra.Command {
	method, spec, wrong := c.method, c.spec, c.wrong
	c.hosting = true
	cmd := c.prune()
	c.hosting = false
	if i := slices.IndexFunc(c.args, func(a string) bool { return !strings.HasPrefix(a, "-") }); i < 0 || c.args[i] != "federated" {
		c.method, c.spec, c.wrong = method, spec, wrong
	}
	addr, token := "", ""
	cmd.Use, cmd.Short = "server FILE -o OUT", "Be the server: wait for clients, and prune by what they say (method fedtiny)"
	cmd.Long = `Prunes a network by FedTiny (pare methods fedtiny) with clients that are other processes: pare federated client. It
waits until as many have joined as --clients says. --data is the server's own: it is measured on its test set, and with
--proxy above 0 trains on its training set first; no sample is sent anywhere. A client that does not answer for a minute,
or answers what cannot be, is left out of the round. Where no token is given one is made and shown.

The connection is not encrypted, so the address has to be one of this machine: put something that speaks TLS before it
where clients are elsewhere.`
	cmd.Example = `  PARE_TOKEN=secret pare federated server net.onnx -o net95.onnx --data digits --clients 2 --rounds 20 --epochs 1
  PARE_TOKEN=secret pare federated client net.onnx --server http://127.0.0.1:7357 --data FOLDER`
	f := cmd.Flags()
	f.StringVar(&addr, "listen", "127.0.0.1:7357", "where it listens, on this machine (port 0: any that is free)")
	f.StringVar(&token, "token-file", "", tokenHelp)
	f.MarkHidden("method") //nolint:errcheck // it is there
	inner := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if cmd.Flags().Changed("method") {
			return usage("--method: a federation prunes by fedtiny")
		}
		host, _, err := tcp.SplitHostPort(addr)
		if err != nil {
			return usage("--listen %s: %v; such as 127.0.0.1:7357 is needed", addr, err)
		}
		if ip := tcp.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return usage("--listen %s is no address of this machine alone: give 127.0.0.1:PORT", addr)
		}
		secret, err := secretOf(token)
		if err != nil {
			return err
		}
		l, err := tcp.Listen("tcp", addr)
		if err != nil {
			return usage("--listen %s: %v", addr, err)
		}
		if secret == "" {
			secret = rand.Text()
			c.say("token: %s", secret)
		}
		gate := &federated.Gate{Token: secret, Log: c.log()}
		s := &http.Server{Handler: gate, ReadHeaderTimeout: 10 * time.Second}
		go s.Serve(l) //nolint:errcheck // it ends when it is shut down
		defer func() {
			wait, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), 5*time.Second)
			defer cancel()
			gate.Close()
			s.Shutdown(wait) //nolint:errcheck // the network is written
		}()
		c.say("clients join at http://%s", l.Addr())
		c.method = &federated.Hosted{FedTiny: *c.method.(*federated.FedTiny), Gate: gate}
		return inner(cmd, a)
	}
	return cmd
}

// secretOf is the token that a file, or else the environment, has; "" for none.
func secretOf(path string) (string, error) {
	if path == "" {
		return os.Getenv("PARE_TOKEN"), nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", usage("--token-file: %v", err)
	}
	if s := strings.TrimSpace(string(b)); s != "" {
		return s, nil
	}
	return "", usage("--token-file %s is empty", path)
}

func (c *cli) federatedClient() *cobra.Command {
	server, token, data := "", "", ""
	cmd := &cobra.Command{Use: "client FILE --server URL --data SPEC", Short: "Be a client: train on samples that stay here, as a server says", Args: args("FILE"),
		Long: `Joins a server (pare federated server) and trains as it says until it ends. FILE is the server's network: its weights
are those that the server sends. --data is this client's own; its training set is used, and no sample is sent.`,
		Example: `  PARE_TOKEN=secret pare federated client net.onnx --server http://127.0.0.1:7357 --data csv:mine.csv`,
		RunE: func(cmd *cobra.Command, a []string) error {
			u, err := url.Parse(server)
			if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
				return usage("--server %q: such as http://127.0.0.1:7357 is needed", server)
			}
			if data == "" {
				return usage("a client trains on samples of its own: give --data")
			}
			secret, err := secretOf(token)
			if err != nil {
				return err
			}
			if secret == "" {
				return usage("no token: give --token-file, or set PARE_TOKEN")
			}
			o, err := c.engine()
			if err != nil {
				return err
			}
			j := &model.Job{Recipe: model.Defaults(), Engine: o, Log: c.log()}
			if j.Graph, err = c.load(a[0]); err != nil {
				return err
			}
			if j.Data, err = c.open(data); err != nil {
				return err
			}
			if err := c.fits(a[0], j.Graph, j.Data, &j.Recipe); err != nil {
				return err
			}
			return (&federated.Caller{URL: server, Token: secret}).Serve(cmd.Context(), j)
		}}
	f := cmd.Flags()
	f.StringVar(&server, "server", "", "where the server is")
	f.StringVar(&token, "token-file", "", tokenHelp)
	c.dataFlags(cmd, &data, "samples of this client")
	return cmd
}
