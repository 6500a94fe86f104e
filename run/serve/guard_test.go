package serve

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"pare/run"
)

const secret = "a+secret/of=some&length"

// Who may look is checked before anything is served.
func TestConfig(t *testing.T) {
	s, err := run.NewStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]Config{
		"Store":                 {Local: true},
		"wants a Token":         {Store: s},
		"it has 15 characters":  {Store: s, Token: strings.Repeat("x", 15)},
		"it has 6 characters, ": {Store: s, Local: true, Token: "secret"},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	for _, c := range []Config{{Store: s, Local: true}, {Store: s, Token: secret}, {Store: s, Local: true, Token: secret}} {
		if _, err := New(c); err != nil {
			t.Error(err)
		}
	}
}

// ask gives the status of a request with a host and headers.
func status(s *Server, method, path, host string, head ...string) (int, http.Header) {
	r := httptest.NewRequest(method, path, nil)
	r.Host = host
	for i := 0; i < len(head); i += 2 {
		r.Header.Set(head[i], head[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Header()
}

// Another site's page can neither ask nor have its name point here, and nothing is changed.
func TestForeign(t *testing.T) {
	m := newStore(t)
	s, _ := serving(t, Config{Store: m.Store, Hosts: []string{"pare.example"}})
	own, _ := os.Hostname()
	for host, want := range map[string]int{
		"localhost": 200, "localhost:7300": 200, "LOCALHOST:7300": 200, "127.0.0.1:7300": 200, "127.8.8.8": 200, "[::1]:7300": 200, "[::ffff:127.0.0.1]:1": 200, "pare.example": 200, "Pare.Example:443": 200,
		"": 403, "evil.example": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example:7300": 403, "10.0.0.1:7300": 403, "evil.example#localhost": 403, "2130706433": 403, own + ".": 403, "0.0.0.0:7300": 403,
	} {
		if code, _ := status(s, "GET", "/api/runs", host); code != want {
			t.Errorf("host %q: %d, want %d", host, code, want)
		}
	}
	const here = "127.0.0.1:7300"
	for _, c := range []struct {
		want int
		head []string
	}{
		{200, []string{"Origin", "http://" + here}}, {200, []string{"Origin", "https://" + here}}, {403, []string{"Origin", "http://evil.example"}}, {403, []string{"Origin", "null"}}, {403, []string{"Origin", "http://127.0.0.1:7301"}}, {403, []string{"Origin", "http://127.0.0.1"}},
		{200, []string{"Sec-Fetch-Site", "same-origin"}}, {200, []string{"Sec-Fetch-Site", "none"}}, {403, []string{"Sec-Fetch-Site", "cross-site"}}, {403, []string{"Sec-Fetch-Site", "same-site"}},
		{200, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}}, {403, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}},
		{403, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"}},
	} {
		if code, _ := status(s, "GET", "/api/runs", here, c.head...); code != c.want {
			t.Errorf("%q: %d, want %d", c.head, code, c.want)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"} {
		if code, _ := status(s, method, "/api/runs", here); code != 405 {
			t.Errorf("%s: %d", method, code)
		}
	}
	if code, _ := status(s, "HEAD", "/api/runs/"+m.live.Name+"/points", here); code != 200 {
		t.Errorf("HEAD of a stream: %d", code)
	}
}

// A server that others reach is reached by any address, but by no name that was not given.
func TestForeignRemote(t *testing.T) {
	st, err := run.NewStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Store: st, Token: secret, Hosts: []string{"box"}})
	if err != nil {
		t.Fatal(err)
	}
	own, _ := os.Hostname()
	for host, want := range map[string]int{"10.0.0.1:7300": 200, "[fe80::1]:7300": 200, "box": 200, "localhost": 200, own: 200, "evil.example": 403, "box.evil.example": 403, "": 403} {
		if code, _ := status(s, "GET", "/api/runs", host, "Authorization", "Bearer "+secret); code != want {
			t.Errorf("host %q: %d, want %d", host, code, want)
		}
	}
}

// Every answer says what the browser may do with it.
func TestHeaders(t *testing.T) {
	m := newStore(t)
	_, h := serving(t, Config{Store: m.Store})
	for _, path := range []string{"/", "/page/main.js", "/page/lib/uPlot.iife.min.js", "/api/runs", "/nothing", "/runs/" + m.cut + "/report", "/runs/" + m.cut + "/drawing/0", "/runs/" + m.cut + "/files/run.json", "/runs/" + m.cut + "/outputs/0"} {
		_, head, _ := get(t, h, path)
		csp := head.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe-eval") || strings.Contains(csp, "script-src 'unsafe-inline'") || strings.Contains(csp, "*") || strings.Contains(csp, "http") {
			t.Errorf("%s: %s", path, csp)
		}
		framed := strings.HasSuffix(path, "/report") || strings.HasSuffix(path, "/0") && strings.Contains(path, "drawing")
		if framed != strings.Contains(csp, "frame-ancestors 'self'") || framed != strings.Contains(csp, "sandbox allow-scripts") || framed != strings.Contains(csp, "'sha256-") {
			t.Errorf("%s: %s", path, csp)
		}
		if !framed && strings.Contains(csp, "unsafe-inline") {
			t.Errorf("%s: %s", path, csp)
		}
		for _, k := range []string{"Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy"} {
			if head.Get(k) != "same-origin" {
				t.Errorf("%s: %s %s", path, k, head.Get(k))
			}
		}
		if head.Get("X-Content-Type-Options") != "nosniff" || head.Get("Referrer-Policy") != "no-referrer" || head.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", path, head)
		}
	}
}

// With a token only who shows it gets anything of the runs: by the link, whose answer leaves
// a cookie without the token in it, or as a bearer.
func TestToken(t *testing.T) {
	m := newStore(t)
	_, h := serving(t, Config{Store: m.Store, Token: secret})
	for _, path := range []string{"/", "/api/runs", "/api/runs/" + m.cut, "/api/runs/" + m.cut + "/points", "/runs/" + m.cut + "/report", "/runs/" + m.cut + "/files/run.json", "/?token=", "/?token=" + url.QueryEscape(secret[1:]), "/?token=another+secret+here", "/api/runs?token=" + url.QueryEscape(secret)} {
		if code, head, b := get(t, h, path); code != 401 || strings.Contains(b, m.cut) || head.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %.200s", path, code, b)
		}
		if code, _, _ := get(t, h, path, "Authorization", "Bearer "+secret+" "); path != "/" && !strings.Contains(path, "?") && code != 200 { // the end of a header is trimmed
			t.Errorf("%s with the token: %d", path, code)
		}
	}
	for _, head := range [][]string{{"Authorization", "Bearer x"}, {"Authorization", secret}, {"Authorization", "Bearer"}, {"Cookie", "pare=" + secret}, {"Cookie", "pare-" + port(h) + "="}, {"Cookie", "pare-" + port(h) + "=" + "x"}} {
		if code, _, _ := get(t, h, "/api/runs", head...); code != 401 {
			t.Errorf("%q: %d", head, code)
		}
	}
	if code, _, b := get(t, h, "/", "Accept", "text/html,*/*"); code != 401 || !strings.Contains(b, `<input type="password" name="token"`) {
		t.Errorf("a person: %d %.200s", code, b)
	}
	if code, _, _ := get(t, h, "/page/style.css"); code != 200 {
		t.Errorf("the style of the question: %d", code)
	}
	code, head, b := get(t, h, "/?token="+url.QueryEscape(secret))
	cookie := head.Get("Set-Cookie")
	if code != 200 || !strings.Contains(b, `content="0;url=/"`) || !strings.HasPrefix(cookie, "pare-"+port(h)+"=") || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Strict") || strings.Contains(cookie, "secret") {
		t.Fatalf("%d %q %s", code, cookie, b)
	}
	cookie, _, _ = strings.Cut(cookie, ";")
	if code, _, b := get(t, h, "/api/runs", "Cookie", cookie); code != 200 || !strings.Contains(b, m.cut) {
		t.Errorf("%d %.200s", code, b)
	}
	if code, _, b := get(t, h, "/?token="+url.QueryEscape(secret), "Cookie", cookie); code != 200 || !strings.Contains(b, `content="0;url=/"`) {
		t.Errorf("the link once more: %d %.200s", code, b)
	}
	_, other := serving(t, Config{Store: m.Store, Token: secret})
	_, value, _ := strings.Cut(cookie, "=")
	if code, _, _ := get(t, other, "/api/runs", "Cookie", "pare-"+port(other)+"="+value); code != 401 {
		t.Errorf("the cookie of another server: %d", code)
	}
}

func port(h *httptest.Server) string { return h.URL[strings.LastIndexByte(h.URL, ':')+1:] }
