package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// servedPage is pare serve with flags, until the test ends: its address, and its end.
func servedPage(t *testing.T, args ...string) (url string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	c := newCLI(nil, w, io.Discard)
	cmd := c.root()
	cmd.SetArgs(append([]string{"serve", "--address", "127.0.0.1:0", "--json"}, args...))
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.ExecuteContext(ctx)
		w.Close()
	}()
	var said struct{ URL string }
	if err := json.NewDecoder(r).Decode(&said); err != nil {
		t.Fatal(err, <-ended)
	}
	go io.Copy(io.Discard, r) //nolint:errcheck // it ends with the command
	t.Cleanup(cancel)
	return said.URL, func() error { cancel(); return <-ended }
}

// look asks for a path.
func look(t *testing.T, url string, head ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(head); i += 2 {
		r.Header.Set(head[i], head[i+1])
	}
	a, err := (&http.Client{Timeout: 20 * time.Second}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(b)
}

// The runs that commands leave are served: their layers, reports, drawings and networks.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	out, runs := filepath.Join(dir, "cut.onnx"), filepath.Join(dir, "runs")
	ok(t, "model", "prune", net(t, dir), "-o", out, "--method", "magnitude", "--sparsity", "0.5", "--data", "digits?n=200", "--epochs", "1", "--no-bench", "--runs", runs)
	t.Setenv("PARE_TOKEN", "")
	url, stop := servedPage(t, "--runs", runs)
	code, b := look(t, url+"api/runs")
	var list struct {
		Runs []struct {
			Name, Status string
			Values       map[string]float64
		}
	}
	if err := json.Unmarshal([]byte(b), &list); err != nil || code != 200 || len(list.Runs) != 1 || list.Runs[0].Status != "done" || list.Runs[0].Values["sparsity"] < .45 {
		t.Fatalf("%d %s", code, b)
	}
	name := list.Runs[0].Name
	for path, want := range map[string]string{
		"": `<div id="app">`, "api/runs/" + name: `"state":"there"`, "api/runs/" + name + "/layers": "conv1.weight", "api/runs/" + name + "/points": "event: end\n",
		"runs/" + name + "/report": "<h1>", "runs/" + name + "/drawing/0": `class="diagram"`, "runs/" + name + "/files/run.json": `"pare_run": 1`,
	} {
		if code, b := look(t, url+path); code != 200 || !strings.Contains(b, want) {
			t.Errorf("%s: %d %.300s", path, code, b)
		}
	}
	written, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if code, b := look(t, url+"runs/"+name+"/outputs/0"); code != 200 || b != string(written) {
		t.Errorf("the network: %d, %d bytes", code, len(b))
	}
	if err := stop(); err == nil || !strings.Contains(err.Error(), "nothing is served any more") {
		t.Errorf("it ends with %v", err)
	}
}

// A token is asked for where there is one, and is not written into a log.
func TestServeToken(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("sixteen letters!\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url, _ := servedPage(t, "--runs", dir, "--token-file", secret)
	if strings.Contains(url, "token") {
		t.Errorf("it says %s", url)
	}
	if code, _ := look(t, url+"api/runs"); code != 401 {
		t.Errorf("without a token: %d", code)
	}
	if code, _ := look(t, url+"api/runs", "Authorization", "Bearer sixteen letters!"); code != 200 {
		t.Errorf("with it: %d", code)
	}
}

// What would let others look, or makes no sense, is refused before anything listens.
func TestServeRefused(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PARE_TOKEN", "")
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"with a token only", []string{"--address", "0.0.0.0:0"}}, {"with a token only", []string{"--address", ":0"}}, {"with a token only", []string{"--address", "example.org:0"}}, {"with a token only", []string{"--address", "[::]:0"}},
		{"--address here", []string{"--address", "here"}}, {"--token-file", []string{"--token-file", filepath.Join(dir, "none")}}, {"is empty", []string{"--token-file", empty}}, {"--runs is empty", []string{"--runs", ""}}, {"takes no", []string{"more"}},
		{"is a file; a folder is needed", []string{"--runs", empty}}, {"up to 65535", []string{"--address", "127.0.0.1:99999"}},
	} {
		if status, _, said := pare(t, append([]string{"serve"}, c.args...)...); status != 2 || !strings.Contains(said, c.want) {
			t.Errorf("%v: %d %s, want status 2 and something with %q", c.args, status, said, c.want)
		}
	}
	t.Setenv("PARE_TOKEN", "short")
	if status, _, said := pare(t, "serve", "--address", "127.0.0.1:0"); status != 2 || !strings.Contains(said, "the token has 5 characters") {
		t.Errorf("%d %s", status, said)
	}
}
