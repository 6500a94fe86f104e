package queue

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Access is how a queue is reached.
type Access struct {
	URL   string // of the server, such as nats://127.0.0.1:4222; of several of a cluster with commas between
	Token string // the secret that whoever joins has
	Creds string // file of a NATS credential (.creds), in place of a token

	CA        string // PEM file of the authority that the server's certificate is of; "": the system's
	Cert, Key string // PEM files of a certificate of one's own, which a server may ask for
}

// ErrAnonymous is wrapped by the error of who would join, or let join, without a credential
// over a network.
var ErrAnonymous = errors.New("whoever reaches it could make and take jobs")

// IsLoopback says whether an address, HOST:PORT or HOST, is reached from this machine alone.
func IsLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = strings.Trim(addr, "[]")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Check returns an error where an address cannot be, or is to be joined without a credential.
func (a *Access) Check() error {
	if a.URL == "" {
		return errors.New("no address of a queue is given")
	}
	if (a.Cert == "") != (a.Key == "") {
		return errors.New("a certificate and its key go together")
	}
	for s := range strings.SplitSeq(a.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(s))
		if err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" && u.Scheme != "ws" && u.Scheme != "wss" {
			return fmt.Errorf("%q is no address of a queue: such as nats://127.0.0.1:4222 is needed", s)
		}
		if !IsLoopback(u.Host) && a.Token == "" && a.Creds == "" && a.Cert == "" && u.User == nil {
			return fmt.Errorf("%s is another machine's and no credential is given: %w", u.Host, ErrAnonymous)
		}
	}
	return nil
}

// Connect joins a queue. The connection comes back by itself where it is lost.
func (a *Access) Connect(name string, more ...nats.Option) (*nats.Conn, error) {
	if err := a.Check(); err != nil {
		return nil, err
	}
	opts := append(lasting(name), more...)
	if a.Token != "" {
		opts = append(opts, nats.Token(a.Token))
	}
	if a.Creds != "" {
		opts = append(opts, nats.UserCredentials(a.Creds))
	}
	if a.CA != "" {
		opts = append(opts, nats.RootCAs(a.CA))
	}
	if a.Cert != "" {
		opts = append(opts, nats.ClientCert(a.Cert, a.Key))
	}
	nc, err := nats.Connect(a.URL, opts...)
	switch {
	case errors.Is(err, nats.ErrNoServers):
		return nil, fmt.Errorf("queue %s: nobody answers there: is the address right, the queue open, and its port let through? (%w)", a.shown(), err)
	case errors.Is(err, nats.ErrAuthorization):
		return nil, fmt.Errorf("queue %s: it does not take the credential, or wants one (%w)", a.shown(), err)
	case err != nil:
		return nil, fmt.Errorf("queue %s: %w", a.shown(), err)
	}
	return nc, nil
}

// shown is the address without what is secret in it.
func (a *Access) shown() string {
	var out []string
	for s := range strings.SplitSeq(a.URL, ",") {
		if u, err := url.Parse(strings.TrimSpace(s)); err == nil {
			if _, both := u.User.Password(); u.User != nil && !both { // a token
				u.User = url.User("xxxxx")
			}
			s = u.Redacted()
		}
		out = append(out, s)
	}
	return strings.Join(out, ",")
}

// lasting are the options of a connection that outlasts its server.
func lasting(name string) []nats.Option {
	return []nats.Option{nats.Name(name), nats.MaxReconnects(-1), nats.ReconnectWait(500 * time.Millisecond), nats.ReconnectJitter(500*time.Millisecond, time.Second),
		nats.PingInterval(20 * time.Second), nats.MaxPingsOutstanding(2), nats.Timeout(5 * time.Second), nats.IgnoreAuthErrorAbort()}
}

// ServerTLS is the TLS of a server: its certificate and key, and, where an authority is given,
// the demand that whoever joins has a certificate of it.
func ServerTLS(cert, key, ca string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if ca == "" {
		return c, nil
	}
	b, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !c.ClientCAs.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s holds no certificate", ca)
	}
	return c, nil
}
