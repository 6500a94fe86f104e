package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	tcp "net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pare/catalog"
	"pare/model/all"
	runs "pare/run"
	"pare/run/job"
	"pare/run/queue"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/pflag"
)

// What a worker does not do, by job.
func TestWorkerRefuses(t *testing.T) {
	dir := t.TempDir()
	n := net(t, dir)
	for _, line := range []string{
		"methods", "runs remove latest", "quickstart", "federated client x", "worker --nats nats://127.0.0.1:4222", "model convert {net} -o {output}", "docs .",
		"model bench {net}", "model compare {net} -o {output}", "data prune digits -o {output}", "completion bash", "__complete model prune",
		"model prune {net} -o {output} --latency 0.5 --latency-cmd reboot",
		"model prune {net} -o {output} --method channels:latency-cmd=reboot:latency=1ms",
		"model prune {net} -o /etc/x.onnx", "model prune {net} -o ../x.onnx", "model prune {net} -o x.onnx", "model prune {net} -o {output}/../../x.onnx", "model prune {net} -o {net}",
		"model prune {net} -o {output} --report r.html", "model prune {net} -o {output} --card c.md", "model prune {net} -o {output} --front f", "model train mlp:64-10 --data digits -o {output} --record dynamics",
		"model prune {net} -o {output} --runs /tmp", "model prune {net} -o {output} --no-run", "model prune {net} -o {output} --resume", "model prune {net} -o {output} --force", "model prune {net} -o {output} --memory 1T",
		"model prune /etc/passwd -o {output}", "model prune ../net.onnx -o {output}", "model prune {net}/../x -o {output}", "model prune {other} -o {output}", "model prune ~/x -o {output}",
		"model prune {net} -o {output} --data npz:/root/x.npz", "model prune {net} -o {output} --data csv:{net},/etc/passwd", "model eval {net} --data ..",
		"model eval {net} --data digits --weights /x.safetensors", "model eval {net} --data digits --reference /x.onnx", "model train {net} --data digits -o {output} --subset /x.csv",
		"model train {net} --data digits -o {output} --teacher /x.onnx", "model train {net} --data digits -o {output} --loss onnx:/x.onnx",
		"model prune {net} -o {output} --method compresso --prompt-file /etc/passwd", "model prune {net} -o {output} --method nosuch", "model prune {net} -o {output} --nosuch",
		"model prune {net} -o {output} --help -- --x", "model", "-h",
	} {
		j := jobOf(t, "hostile", n, line, "x.onnx")
		if err := allowed(j); err == nil {
			t.Errorf("pare %s is allowed", line)
		}
	}
	for _, line := range []string{
		"model prune {net} -o {output} --method gmp:every=50 --sparsity 0.8 --data csv:{net}?val=0.1 --epochs 3 --exclude /features/conv --seed 3 --no-bench",
		"model prune {net} -o {output}/ --method wanda", "model train mlp:64-32-10 --data digits -o {output} --teacher {net} --lr 0.1 --loss cross-entropy(/logits,labels)",
		"model eval {net} --data digits?n=640 --reference {net} --json", "model train {net} --data digits -o {output} --loss onnx:{net}", "model prune {net} -o {output} --method channels --latency 0.5",
	} {
		if err := allowed(jobOf(t, "good", n, line, "x.onnx")); err != nil {
			t.Errorf("pare %s: %v", line, err)
		}
	}
}

// Every flag of a worker's commands whose value may be a path is known to be one.
func TestWorkerPaths(t *testing.T) {
	known := func(name string) bool {
		for _, f := range append(append([]string{"loss", "match", "metric", "method", "output"}, pathFlags...), forbidden...) {
			if f == name {
				return true
			}
		}
		return false
	}
	names := func(text string) bool {
		text = strings.ToLower(text)
		return strings.Contains(text, "file") || strings.Contains(text, "folder") || strings.Contains(text, "command") || strings.Contains(text, ".onnx")
	}
	c := newCLI([]string{"model", "prune"}, io.Discard, io.Discard)
	root := c.root()
	tried := 0
	for words, flags := range workerFlags {
		cmd, _, err := root.Find(strings.Fields(words))
		if err != nil {
			t.Fatal(err)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if _, setting := f.Value.(*settingFlag); !setting {
				ok := false
				for _, x := range flags {
					ok = ok || x == f.Name
				}
				if !ok {
					return
				}
			}
			tried++
			if s, setting := f.Value.(*settingFlag); setting && !s.text() || f.Value.Type() == "bool" {
				return
			}
			if names(f.Usage) && !known(f.Name) && !harmless[f.Name] {
				t.Errorf("pare %s --%s may name a file: %s", words, f.Name, f.Usage)
			}
		})
	}
	for _, m := range all.List() {
		for _, s := range catalog.Settings(m) {
			tried++
			if text := (&settingFlag{Setting: s}).text(); text && names(s.Usage()) && !known(s.Name) && !harmless[s.Name] {
				t.Errorf("setting %s of %s may name a file: %s", s.Name, m.Card().Name, s.Usage())
			}
		}
	}
	if tried < 100 {
		t.Errorf("%d flags were looked at", tried)
	}
}

// text says whether a setting takes any text.
func (f *settingFlag) text() bool {
	return f.Choices == nil && (f.Kind == "string" || f.Kind == "text" || f.Kind == "file" || f.IsList())
}

// harmless are flags whose help speaks of files, which they do not name.
var harmless = map[string]bool{"data-memory": true, "gguf-type": true, "json": true}

// A worker that has no token, or another, makes nothing; one that has makes a job. Over TLS it
// wants the authority of the server's certificate, and the server one of its own.
func TestWorkerAccess(t *testing.T) {
	dir := t.TempDir()
	net(t, dir)
	at := certificates(t, dir)
	config, err := queue.ServerTLS(at("server.pem"), at("server-key.pem"), at("ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := queue.ServerTLS(at("server.pem"), at("server-key.pem"), "")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o         queue.ServerOptions
		bad, good []string
	}{
		"token":         {queue.ServerOptions{Token: "secret"}, nil, []string{"--token-file", at("token")}},
		"token and TLS": {queue.ServerOptions{Token: "secret", TLS: plain}, []string{"--token-file", at("token")}, []string{"--token-file", at("token"), "--tls-ca", at("ca.pem")}},
		"certificate":   {queue.ServerOptions{TLS: config}, []string{"--tls-ca", at("ca.pem")}, []string{"--tls-ca", at("ca.pem"), "--tls-cert", at("worker.pem"), "--tls-key", at("worker-key.pem")}},
		"other token":   {queue.ServerOptions{Token: "secret"}, []string{"--token-file", at("other")}, []string{"--token-file", at("token")}},
	} {
		s := queueIn(t, filepath.Join(dir, "for "+name), c.o)
		p, said := program(t, t.TempDir(), append([]string{"worker", "--nats", s.URL(), "--cache", at("cache")}, c.bad...)...)
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		if got := status(t, p); got != 1 || !strings.Contains(said.String(), "queue nats://127.0.0.1") || name == "other token" && !strings.Contains(said.String(), "does not take the credential") {
			t.Errorf("%s: status %d: %s", name, got, said)
		}
		_, said = s.work(t, c.good...)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		d, err := s.Make(ctx, jobOf(t, "x", "", "model eval mlp:64-10 --data digits", ""), nil)
		cancel()
		if err != nil || d.Status != runs.Done {
			t.Errorf("%s: %+v, %v: %s", name, d, err, said)
		}
	}
	for _, args := range []string{"", "--nats http://x", "--nats nats://10.1.2.3:4222", "--nats nats://127.0.0.1:1 --jobs 0", "--nats nats://127.0.0.1:1 --tls-cert x", "--nats nats://127.0.0.1:1 --cache a,b", "--nats nats://127.0.0.1:1 --checkpoint-every 1ns"} {
		if s, _, e := pare(t, append([]string{"worker"}, strings.Fields(args)...)...); s != 2 {
			t.Errorf("pare worker %s: status %d: %s", args, s, e)
		}
	}
}

// certificates writes those of an authority, a server and a worker, and tokens.
func certificates(t *testing.T, dir string) func(string) string {
	t.Helper()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, kind string, b []byte) {
		if err := os.WriteFile(at(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var ca *x509.Certificate
	var caKey *ecdsa.PrivateKey
	for i, name := range []string{"ca", "server", "worker"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, IPAddresses: []tcp.IP{tcp.IPv4(127, 0, 0, 1)}}
		by, byKey := ca, caKey
		if i == 0 {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
			by, byKey = c, key
		}
		b, err := x509.CreateCertificate(rand.Reader, c, by, &key.PublicKey, byKey)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			ca, caKey = c, key
		}
		k, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		write(name+".pem", "CERTIFICATE", b)
		write(name+"-key.pem", "EC PRIVATE KEY", k)
	}
	for name, text := range map[string]string{"token": "secret\n", "other": "guessed"} {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return at
}

// A job that a worker may not make, and one whose file is not what it is said to be, have
// failed: no worker tries them again.
func TestWorkerHostileJob(t *testing.T) {
	dir := t.TempDir()
	n := net(t, dir)
	s := queueIn(t, dir, queue.ServerOptions{})
	s.work(t)
	d, err := s.Make(t.Context(), jobOf(t, "shell", n, "model prune {net} -o {output} --latency 0.5 --latency-cmd reboot", "x.onnx"), nil)
	if err != nil || d.Status != runs.Failed || !strings.Contains(d.Error, "refuses it: --latency-cmd") || d.Tries != 1 {
		t.Errorf("%+v, %v", d, err)
	}
	j := jobOf(t, "other", n, jobLines[3].line, "x.onnx")
	nc, err := s.Connect("stranger")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	files, err := js.ObjectStore(t.Context(), "pare_files")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(n)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2]++
	if _, err := files.PutBytes(t.Context(), "a/files/"+j.Files[0].SHA256, b); err != nil {
		t.Fatal(err)
	}
	d, err = s.Make(t.Context(), j, nil)
	if err != nil || d.Status != runs.Failed || !strings.Contains(d.Error, "SHA-256") || d.Tries != 1 {
		t.Errorf("%+v, %v", d, err)
	}
}

// cable is a connection to a server that can be cut.
type cable struct {
	l  tcp.Listener
	to string

	mu   sync.Mutex
	cut  bool
	ends []tcp.Conn
}

func lay(t *testing.T, to string) *cable {
	t.Helper()
	l, err := tcp.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{l: l, to: strings.TrimPrefix(to, "nats://")}
	t.Cleanup(func() { l.Close(); c.set(true) })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := tcp.Dial("tcp", c.to)
			c.mu.Lock()
			if c.cut || err != nil {
				near.Close()
				if err == nil {
					far.Close()
				}
				c.mu.Unlock()
				continue
			}
			c.ends = append(c.ends, near, far)
			c.mu.Unlock()
			go func() { io.Copy(near, far); near.Close() }() //nolint:errcheck // it is cut
			go func() { io.Copy(far, near); far.Close() }()  //nolint:errcheck // as well
		}
	}()
	return c
}

// set cuts it, or makes it whole.
func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	for _, e := range c.ends {
		e.Close()
	}
	c.ends = nil
}

// A worker that is cut off loses its job to another, and when it comes back it changes nothing.
func TestWorkerCutOff(t *testing.T) {
	dir := t.TempDir()
	net(t, dir)
	s := queueIn(t, dir, queue.ServerOptions{})
	c := lay(t, s.URL())
	p, far := program(t, t.TempDir(), "worker", "--nats", "nats://"+c.l.Addr().String(), "--cache", filepath.Join(dir, "far"), "--threads", "1", "--checkpoint-every", "50ms")
	log := &hearing{}
	p.Stderr = log
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Signal(os.Interrupt); p.Process.Kill(); status(t, p) }) //nolint:errcheck // it may have ended
	j := jobOf(t, "long", "", strings.Replace(jobLines[0].line, "--epochs 5", "--epochs 600", 1), "t.onnx")
	want := madeBy(t, j)
	began := make(chan struct{})
	var once sync.Once
	type outcome struct {
		d   *job.Done
		err error
	}
	ended := make(chan outcome, 1)
	go func() {
		d, err := s.Make(t.Context(), j, func(*runs.Point) { once.Do(func() { close(began) }) })
		ended <- outcome{d, err}
	}()
	select {
	case <-began:
	case o := <-ended:
		t.Fatalf("%+v, %v: %s", o.d, o.err, far)
	}
	c.set(true)
	s.work(t)
	o := <-ended
	sameBytes(t, "long", o.d, o.err, want)
	if o.d.Tries != 2 {
		t.Errorf("%+v", o.d)
	}
	before, err := s.Store.Entry(o.d.Run)
	if err != nil {
		t.Fatal(err)
	}
	c.set(false)
	until(t, "it saw that the job is another's", func() bool { return strings.Contains(log.String(), "another worker has it") })
	again, err := s.Make(t.Context(), j, nil)
	sameBytes(t, "long again", again, err, want)
	if after, err := s.Store.Entry(again.Run); err != nil || again.Tries != 2 || !after.Record.Ended.Equal(before.Record.Ended) || again.Worker != o.d.Worker {
		t.Errorf("%+v after %+v, %v", again, o.d, err)
	}
	d, err := s.Make(t.Context(), jobOf(t, "next", "", "model eval mlp:64-10 --data digits", ""), nil) // it works on
	if err != nil || d.Status != runs.Done {
		t.Errorf("%+v, %v", d, err)
	}
}

// hearing is what a process says, read while it runs.
type hearing struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *hearing) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *hearing) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
