package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	runs "pare/run"
	"pare/run/job"
	"pare/run/queue"
	"pare/run/sweep"

	"github.com/nats-io/nats.go"
)

// settleQueue checks the flags of a queue.
func (q *sweeping) settleQueue() error {
	switch {
	case q.listen != "" && q.join.access.URL != "":
		return usage("--listen opens a queue, and --nats joins one that is there: give one of them")
	case q.join.access.URL != "":
		return q.join.settle()
	case q.listen == "":
		if name := q.join.given(); name != "" {
			return usage("--%s is for a queue: give --listen or --nats", name)
		}
		return nil
	}
	o, err := q.server()
	if err != nil {
		return err
	}
	err = o.Check()
	switch {
	case errors.Is(err, queue.ErrAnonymous):
		return usage("--listen: %v: give --token-file, or PARE_TOKEN", err)
	case err != nil:
		return usage("--listen: %v", err)
	}
	return nil
}

// server is how the queue of this process is reached.
func (q *sweeping) server() (o queue.ServerOptions, err error) {
	o.Dir, o.Listen = filepath.Join(q.dir, "queue"), q.listen
	if o.Token, err = secretOf(q.join.token); err != nil {
		return o, err
	}
	a := &q.join.access
	if a.Creds != "" {
		return o, usage("--creds is for --nats: whoever joins a queue of --listen has a token or a certificate")
	}
	o.TLS, err = serverTLS(a.Cert, a.Key, a.CA)
	return o, err
}

// maker makes the runs: as children of this process, or by workers.
func (c *cli) maker(ctx context.Context, q *sweeping) (job.Maker, error) {
	store, err := runs.NewStore(filepath.Join(q.dir, sweep.RunsFolder))
	if err != nil {
		return nil, err
	}
	work, err := filepath.Abs(filepath.Join(q.dir, sweep.WorkFolder))
	if err != nil {
		return nil, err
	}
	tags := []string{sweepTag(q.file)}
	if !q.queued() {
		program, err := os.Executable()
		return &job.Local{Program: program, Store: store, Dir: work, Tags: tags}, err
	}
	nc, err := c.connect(q)
	if err != nil {
		return nil, err
	}
	m, err := queue.New(ctx, nc, queue.Options{Sweep: queueName(work), Store: store, Dir: work, Tags: tags})
	if err != nil {
		return nil, err
	}
	c.held = slices.Insert(c.held, 0, m.Close) // before its connection
	return m, nil
}

// queueName is the name of a sweep in a queue that several may use: that of its folder, and
// what tells it from others of the same name.
func queueName(folder string) string {
	host, _ := os.Hostname()
	h := sha256.Sum256([]byte(host + " " + folder))
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9') {
			return r
		}
		return '-'
	}, filepath.Base(filepath.Dir(folder)))
	return fmt.Sprintf("%.40s-%s", name, hex.EncodeToString(h[:4]))
}

// connect opens a queue, or joins one.
func (c *cli) connect(q *sweeping) (*nats.Conn, error) {
	if q.listen == "" {
		nc, err := q.join.access.Connect("pare sweep")
		if err == nil {
			c.held = append(c.held, nc.Close)
		}
		return nc, err
	}
	o, err := q.server()
	if err != nil {
		return nil, err
	}
	s, err := queue.Start(o)
	if err != nil {
		return nil, fmt.Errorf("--listen %s: %w", q.listen, err)
	}
	nc, err := s.Connect("pare sweep")
	if err != nil {
		s.Close()
		return nil, err
	}
	c.held = append(c.held, func() { nc.Close(); s.Close() })
	how := ""
	if o.Token != "" {
		how = " with the token"
	}
	if o.TLS != nil && o.TLS.ClientAuth == tls.RequireAndVerifyClientCert {
		how += " and a certificate"
	}
	c.say("workers join%s: pare worker --nats %s", how, s.URL())
	return nc, nil
}
