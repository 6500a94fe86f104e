package queue

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Server is a queue in this process: NATS with JetStream, whose files are in a folder.
type Server struct {
	s     *server.Server
	token string
}

// ServerOptions say where a server keeps what it has, and who reaches it.
type ServerOptions struct {
	Dir    string      // of its files
	Listen string      // HOST:PORT, port 0 for any that is free; "": this process alone reaches it
	Token  string      // that whoever joins has to have
	TLS    *tls.Config // see ServerTLS
}

// started is how long a server may take to be ready: it reads what is in its folder.
const started = 30 * time.Second

// Check returns an error where others could join without a credential.
func (o *ServerOptions) Check() error {
	if o.Listen == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return fmt.Errorf("%w; such as 127.0.0.1:4222 is needed", err)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%s: the port is a number up to 65535", o.Listen)
	}
	known := o.TLS != nil && o.TLS.ClientAuth == tls.RequireAndVerifyClientCert
	if !IsLoopback(o.Listen) && o.Token == "" && !known {
		return fmt.Errorf("%s is reached from other machines and no credential is asked for: %w", o.Listen, ErrAnonymous)
	}
	return nil
}

// Start starts a server, with what an earlier one has left in its folder.
func Start(o ServerOptions) (*Server, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if o.Dir == "" {
		return nil, errors.New("a queue needs a folder for its files")
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	c := &server.Options{ServerName: "pare", JetStream: true, StoreDir: o.Dir, SyncInterval: 10 * time.Second, NoLog: true, NoSigs: true,
		DontListen: o.Listen == "", Authorization: o.Token, MaxPayload: maxPayload}
	if o.Listen != "" {
		host, port, err := net.SplitHostPort(o.Listen)
		if err != nil {
			return nil, err
		}
		if c.Port, err = strconv.Atoi(port); err != nil {
			return nil, err
		}
		c.Host, c.Port = cmp.Or(host, "0.0.0.0"), cmp.Or(c.Port, server.RANDOM_PORT)
		if o.TLS != nil {
			c.TLSConfig, c.TLS, c.TLSTimeout = o.TLS, true, 5
			c.TLSVerify = o.TLS.ClientAuth == tls.RequireAndVerifyClientCert
		}
		l, err := net.Listen("tcp", o.Listen) // the server itself would end the process
		if err != nil {
			return nil, err
		}
		l.Close() //nolint:errcheck // it was to see whether it can be
	}
	s, err := server.NewServer(c)
	if err != nil {
		return nil, fmt.Errorf("queue in %s: %w", o.Dir, err)
	}
	go s.Start()
	if !s.ReadyForConnections(started) {
		s.Shutdown()
		return nil, fmt.Errorf("queue in %s: it was not ready within %v", o.Dir, started)
	}
	if !s.JetStreamEnabled() {
		s.Shutdown()
		return nil, fmt.Errorf("queue in %s: its files cannot be used: is another process using them, or the disk full?", o.Dir)
	}
	return &Server{s: s, token: o.Token}, nil
}

// URL is where others reach it; "" where they do not.
func (s *Server) URL() string {
	a, ok := s.s.Addr().(*net.TCPAddr)
	if !ok || a == nil {
		return ""
	}
	return "nats://" + a.String()
}

// Connect joins it from this process.
func (s *Server) Connect(name string) (*nats.Conn, error) {
	opts := append(lasting(name), nats.InProcessServer(s.s))
	if s.token != "" {
		opts = append(opts, nats.Token(s.token))
	}
	return nats.Connect("", opts...)
}

// Traffic is what has gone through a server: messages and bytes from those who joined it, and to
// them. What the server keeps for itself is not among it.
type Traffic struct {
	InMsgs, OutMsgs, InBytes, OutBytes int64
}

// Traffic is that since it was started.
func (s *Server) Traffic() (Traffic, error) {
	v, err := s.s.Varz(nil)
	if err != nil {
		return Traffic{}, err
	}
	return Traffic{v.InMsgs, v.OutMsgs, v.InBytes, v.OutBytes}, nil
}

// Close ends it. What it has stays in its folder.
func (s *Server) Close() {
	s.s.Shutdown()
	s.s.WaitForShutdown()
}
