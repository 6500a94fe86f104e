package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A federation over TLS comes to the bytes of one without; a client that does not trust the
// server's authority, or shows no certificate, does not get in.
func TestFederatedTLS(t *testing.T) {
	dir := t.TempDir()
	at := certificates(t, dir)
	ok(t, "model", "train", "mlp:64-10", "--data", "digits", "--epochs", "0", "-o", at("net.onnx"))
	client := func(url string, args ...string) []string {
		return append([]string{"federated", "client", at("net.onnx"), "--server", url, "--data", "digits", "--token-file", at("token")}, args...)
	}
	trusted := []string{"--tls-ca", at("ca.pem"), "--tls-cert", at("worker.pem"), "--tls-key", at("worker-key.pem")}
	federation := func(out string, tls []string, each ...string) {
		t.Helper()
		p, _ := program(t, dir, append([]string{"federated", "server", at("net.onnx"), "-o", out, "--data", "digits", "--clients", "2", "--rounds", "2", "--epochs", "1",
			"--batch", "32", "--sparsity", "0.5", "--listen", "127.0.0.1:0", "--token-file", at("token"), "--no-run", "--no-bench"}, tls...)...)
		p.Stderr = nil
		r, err := p.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		defer p.Process.Kill() //nolint:errcheck // it may have ended
		url, lines := "", bufio.NewScanner(r)
		for url == "" && lines.Scan() {
			_, url, _ = strings.Cut(lines.Text(), "clients join at ")
		}
		if url == "" {
			t.Fatal("the server does not say where it is")
		}
		go io.Copy(io.Discard, r) //nolint:errcheck // it ends with the server
		if tls != nil {
			for _, bad := range [][]string{nil, {"--tls-ca", at("ca.pem")}} {
				if s, _, e := pare(t, client(url, bad...)...); s != 1 || !strings.Contains(e, "cannot be reached") {
					t.Errorf("%v: status %d: %s", bad, s, e)
				}
			}
			if s, _, e := pare(t, client("http://127.0.0.1:1", "--tls-ca", at("ca.pem"))...); s != 2 || !strings.Contains(e, "https://") {
				t.Errorf("status %d: %s", s, e)
			}
		}
		one, said := program(t, dir, client(url, each...)...)
		if err := one.Start(); err != nil {
			t.Fatal(err)
		}
		if s, _, e := pare(t, client(url, each...)...); s != 0 {
			t.Errorf("a client: status %d: %s", s, e)
		}
		if s := status(t, one); s != 0 {
			t.Errorf("a client: status %d: %s", s, said)
		}
		if s := status(t, p); s != 0 {
			t.Errorf("the server: status %d", s)
		}
	}
	federation(at("plain.onnx"), nil)
	federation(at("secret.onnx"), []string{"--tls-cert", at("server.pem"), "--tls-key", at("server-key.pem"), "--tls-ca", at("ca.pem")}, trusted...)
	plain, err := os.ReadFile(at("plain.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := os.ReadFile(filepath.Join(dir, "secret.onnx"))
	if err != nil || string(plain) != string(secret) {
		t.Errorf("the networks are different, %v", err)
	}
	for _, args := range []string{"--listen 10.1.2.3:7357", "--tls-cert x", "--tls-ca x", "--tls-cert x --tls-key y"} {
		if s, _, e := pare(t, append([]string{"federated", "server", at("net.onnx"), "-o", at("no.onnx"), "--data", "digits"}, strings.Fields(args)...)...); s != 2 {
			t.Errorf("%s: status %d: %s", args, s, e)
		}
	}
}
