package serve

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
)

// pagePolicy is what the page may do: nothing but what it brings and asks of this server.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// ServeHTTP answers who may ask.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	for k, v := range map[string]string{
		"Content-Security-Policy": pagePolicy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
	} {
		h.Set(k, v)
	}
	if why := s.foreign(r); why != "" {
		http.Error(w, why, http.StatusForbidden)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "nothing is changed here: only GET and HEAD are answered", http.StatusMethodNotAllowed)
		return
	}
	if s.Token != "" && !strings.HasPrefix(r.URL.Path, "/page/") && !s.admitted(w, r) { // the program's own files are no secret
		return
	}
	s.mux.ServeHTTP(w, r)
}

// foreign says why a request is not of the page itself: a page of another site makes the
// browser ask, or has its name point here.
func (s *Server) foreign(r *http.Request) string {
	if !s.known(r.Host) {
		return fmt.Sprintf("the page is not reached by the name %.100q: give it with --host", r.Host)
	}
	if o := r.Header.Get("Origin"); o != "" {
		if u, err := url.Parse(o); err != nil || u.Host != r.Host {
			return "another site asks"
		}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default: // a link from elsewhere may be followed, and nothing else
		if r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document" {
			return "another site asks"
		}
	}
	return ""
}

// known says whether the page is reached by a name. Another site can let its name point
// here, but cannot make an address of it.
func (s *Server) known(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"))
	if a, err := netip.ParseAddr(name); err == nil {
		return !s.Local || a.Unmap().IsLoopback()
	}
	if name == "localhost" {
		return true
	}
	for _, h := range s.Hosts {
		if strings.EqualFold(h, name) {
			return true
		}
	}
	own, err := os.Hostname()
	return err == nil && !s.Local && name != "" && strings.EqualFold(own, name)
}

// cookie is the name of the cookie: browsers keep those of all ports together.
func cookie(r *http.Request) string {
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		return "pare-" + port
	}
	return "pare"
}

// admitted lets those in who show the token: in the link that the command has said, whose
// answer leaves a cookie, by that cookie, or as a bearer.
func (s *Server) admitted(w http.ResponseWriter, r *http.Request) bool {
	if c, err := r.Cookie(cookie(r)); err == nil && same(c.Value, s.session) {
		if r.URL.Path == "/" && r.URL.Query().Has("token") { // it need not stay in the address
			onward(w)
			return false
		}
		return true
	}
	if b, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && same(b, s.Token) {
		return true
	}
	if r.URL.Path == "/" && same(r.URL.Query().Get("token"), s.Token) {
		http.SetCookie(w, &http.Cookie{Name: cookie(r), Value: s.session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		onward(w)
		return false
	}
	ask(w, r)
	return false
}

// onward leads to the page. A redirect would not do: where the link was on another site
// the browser would not show the cookie yet.
func onward(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, `<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="/page/icon.svg"><meta http-equiv="refresh" content="0;url=/"><title>Pare</title><p><a href="/">The runs</a>`)
}

// ask asks for the token: of a person by a form.
func ask(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="pare serve"`)
	if r.URL.Path != "/" || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Error(w, "the token is needed: open the link that pare serve has shown", http.StatusUnauthorized)
		return
	}
	b, err := page.ReadFile("page/token.html")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusUnauthorized)
	w.Write(b) //nolint:errcheck // nobody is left to tell
}

// same compares secrets in a time that tells nothing of them.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
