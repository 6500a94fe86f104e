package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	tcp "net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"pare/model"
	"pare/model/federated"
	"pare/run/queue"

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
	addr, token, cert, key, ca := "", "", "", "", ""
	cmd.Use, cmd.Short = "server FILE -o OUT", "Be the server: wait for clients, and prune by what they say (method fedtiny)"
	cmd.Long = `Prunes a network by FedTiny (pare methods fedtiny) with clients that are other processes: pare federated client. It
waits until as many have joined as --clients says. --data is the server's own: it is measured on its test set, and with
--proxy above 0 trains on its training set first; no sample is sent anywhere. A client that does not answer for a minute,
or answers what cannot be, is left out of the round. Where no token is given one is made and shown.

Without a certificate the connection is not encrypted, so the address has to be one of this machine. With --tls-cert and
--tls-key clients may be elsewhere; with --tls-ca they have to show certificates of that authority.`
	cmd.Example = `  PARE_TOKEN=secret pare federated server net.onnx -o net95.onnx --data digits --clients 2 --rounds 20 --epochs 1
  PARE_TOKEN=secret pare federated client net.onnx --server http://127.0.0.1:7357 --data FOLDER
  PARE_TOKEN=secret pare federated server net.onnx -o net95.onnx --data digits --clients 9 --listen 0.0.0.0:7357 --tls-cert cert.pem --tls-key key.pem`
	f := cmd.Flags()
	f.StringVar(&addr, "listen", "127.0.0.1:7357", "where it listens: on this machine, or with a certificate anywhere (port 0: any that is free)")
	f.StringVar(&cert, "tls-cert", "", "certificate of the server, a PEM file")
	f.StringVar(&key, "tls-key", "", "key of that certificate, a PEM file")
	f.StringVar(&ca, "tls-ca", "", "certificates of the authorities that clients have certificates of, a PEM file (default: clients need the token alone)")
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
		secure, err := serverTLS(cert, key, ca)
		if err != nil {
			return err
		}
		if ip := tcp.ParseIP(host); secure == nil && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return usage("--listen %s is no address of this machine alone: give 127.0.0.1:PORT, or --tls-cert and --tls-key, so that nobody reads what is sent", addr)
		}
		secret, err := secretOf(token)
		if err != nil {
			return err
		}
		l, err := tcp.Listen("tcp", addr)
		if err != nil {
			return usage("--listen %s: %v", addr, err)
		}
		at := &url.URL{Scheme: "http", Host: l.Addr().String()}
		if secure != nil {
			l, at.Scheme = tls.NewListener(l, secure), "https"
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
		c.say("clients join at %s", at)
		c.method = &federated.Hosted{FedTiny: *c.method.(*federated.FedTiny), Gate: gate}
		return inner(cmd, a)
	}
	return cmd
}

// serverTLS is how a server shows who it is; nil: it has no certificate.
func serverTLS(cert, key, ca string) (*tls.Config, error) {
	switch {
	case (cert == "") != (key == ""):
		return nil, usage("--tls-cert and --tls-key go together")
	case cert == "" && ca != "":
		return nil, usage("--tls-ca asks whoever joins for a certificate: give --tls-cert and --tls-key, too")
	case cert == "":
		return nil, nil
	}
	t, err := queue.ServerTLS(cert, key, ca)
	if err != nil {
		return nil, usage("--tls-cert: %v", err)
	}
	return t, nil
}

// clientTLS is whom a client trusts, and what it shows; nil: the authorities of the system, and nothing.
func clientTLS(ca, cert, key string) (*http.Client, error) {
	if (cert == "") != (key == "") {
		return nil, usage("--tls-cert and --tls-key go together")
	}
	if ca == "" && cert == "" {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		b, err := os.ReadFile(ca)
		if err != nil {
			return nil, usage("--tls-ca: %v", err)
		}
		if t.RootCAs = x509.NewCertPool(); !t.RootCAs.AppendCertsFromPEM(b) {
			return nil, usage("--tls-ca %s holds no certificate", ca)
		}
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, usage("--tls-cert: %v", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: t, Proxy: http.ProxyFromEnvironment}}, nil
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
	server, token, data, ca, cert, key := "", "", "", "", "", ""
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
			if (ca != "" || cert != "" || key != "") && u.Scheme != "https" {
				return usage("--tls-ca, --tls-cert and --tls-key are for a server at https://, not %s", server)
			}
			h, err := clientTLS(ca, cert, key)
			if err != nil {
				return err
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
			return (&federated.Caller{URL: server, Token: secret, HTTP: h}).Serve(cmd.Context(), j)
		}}
	f := cmd.Flags()
	f.StringVar(&server, "server", "", "where the server is")
	f.StringVar(&token, "token-file", "", tokenHelp)
	f.StringVar(&ca, "tls-ca", "", "certificates of the authorities that the server's certificate may be of, a PEM file (default: the system's)")
	f.StringVar(&cert, "tls-cert", "", "certificate of its own to join with, a PEM file")
	f.StringVar(&key, "tls-key", "", "key of that certificate, a PEM file")
	c.dataFlags(cmd, &data, "samples of this client")
	return cmd
}
