package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pare/run"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	devlog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// tab is a page in a real browser without a window.
type tab struct {
	t   testing.TB
	at  string // of the server
	ctx context.Context

	mu    sync.Mutex
	asked []string // for what, in all
	wrong []string // what the browser complains of
}

// browser is one for all tests, in which no name and no address but this machine's is
// reached; why says why there is none.
var browser = sync.OnceValues(func() (ctx context.Context, why error) {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		return nil, exec.ErrNotFound
	}
	dir, err := os.MkdirTemp("", "pare-serve-")
	if err != nil {
		return nil, err
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(dir),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, stopTab := chromedp.NewContext(ctx)
	closeBrowser = func() {
		stopTab()
		stop()
		for range 100 { // its processes may write for a moment
			if os.RemoveAll(dir) == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	return ctx, chromedp.Do(ctx, chromedp.Navigate("about:blank"))
})

var closeBrowser = func() {}

func TestMain(m *testing.M) {
	code := m.Run()
	closeBrowser()
	os.Exit(code)
}

// browse opens a tab. The test is skipped where there is no browser.
func browse(t testing.TB, at string) *tab {
	t.Helper()
	parent, err := browser()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("there is no chromium")
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(parent, 5*time.Minute)
	ctx, stopTab := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		stopTab()
		stop()
	})
	b := &tab{t: t, at: at, ctx: ctx}
	if err := chromedp.Listen(ctx, b.heard); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, devlog.Enable, struct{}{}); err != nil {
		t.Fatal(err)
	}
	return b
}

// heard notes what the page asks for, and what goes wrong in it.
func (b *tab) heard(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := ev.(type) {
	case *network.EventRequestWillBeSent:
		b.asked = append(b.asked, e.Request.URL)
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			text += " " + x.Description
		}
		b.wrong = append(b.wrong, text)
	case *devlog.EventEntryAdded:
		if e.Entry.Level == "error" || e.Entry.Level == "warning" {
			b.wrong = append(b.wrong, e.Entry.Text+" "+e.Entry.URL)
		}
	}
}

// fine fails the test where the browser has complained, or the page has asked for anything
// that is not its own server's.
func (b *tab) fine() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.wrong {
		b.t.Errorf("the browser complains: %s", w)
	}
	for _, a := range b.asked {
		if !strings.HasPrefix(a, b.at+"/") && a != "about:blank" {
			b.t.Errorf("the page asks for %.200s", a)
		}
	}
	if len(b.asked) == 0 {
		b.t.Error("the page asks for nothing")
	}
	b.wrong = nil
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// open opens a view.
func (b *tab) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.at + path))
}

// blank leaves the page, so that the next view is loaded anew.
func (b *tab) blank() { b.t.Helper(); b.do(chromedp.Navigate("about:blank")) }

// js is the value of an expression in the page, as text.
func (b *tab) js(expr string) string {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expr+")"))
	if err != nil {
		b.t.Fatalf("%s: %v", expr, err)
	}
	return v
}

// until waits until an expression is true.
func (b *tab) until(expr string) {
	b.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if b.js("Boolean("+expr+")") == "true" {
			return
		}
	}
	b.t.Fatalf("not within a minute: %s\nat %s: %.2000s", expr, b.js("location.hash"), b.js("document.body?.innerText"))
}

// has waits until the page shows a text.
func (b *tab) has(text string) {
	b.t.Helper()
	b.until("document.body?.innerText.includes(" + quoted(text) + ")")
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// press presses keys as a keyboard does: a letter is typed unless the page takes the key.
func (b *tab) press(keys string) {
	b.t.Helper()
	for _, r := range keys {
		events := kb.Encode(r)
		if len(events) == 3 {
			events[0].Text, events[0].UnmodifiedText = events[1].Text, events[1].UnmodifiedText
			events = []*input.DispatchKeyEventParams{events[0], events[2]}
		}
		for _, e := range events {
			if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, *e); err != nil {
				b.t.Fatal(err)
			}
		}
	}
}

// size sets the size of the window, and light or dark.
func (b *tab) size(wide, high int64, scheme string) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(wide, high))
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
		b.t.Fatal(err)
	}
}

// A person looks at the runs: filters, opens one by keys, sees its parts, compares two; all
// without a complaint of the browser, and without asking anybody else for anything.
func TestBrowser(t *testing.T) {
	m := newStore(t)
	_, h := serving(t, Config{Store: m.Store})
	b := browse(t, h.URL)
	b.size(1280, 900, "light")
	b.open("/")
	b.has("4 of 4 runs")
	b.until(`document.querySelectorAll("tr.row").length === 4`)
	if got := b.js(`Array.from(document.querySelectorAll("tr.row")).map((r) => r.dataset.name).join()`); got != strings.Join([]string{m.live.Name, m.failed, m.cut, m.dense}, ",") {
		t.Errorf("rows %s", got)
	}
	focus := `document.activeElement.closest("tr.row")?.dataset.name`
	b.press("/")
	b.until(`document.activeElement.id === "text"`)
	b.press("lamp")
	b.has("1 of 4 runs")
	if got := b.js("location.hash"); got != "#/?text=lamp" {
		t.Errorf("the address is %s", got)
	}
	b.press("j") // it is typed
	b.has("0 of 4 runs")
	b.press("\b")
	b.has("1 of 4 runs")
	b.press(kb.Enter)
	b.until(focus + " === " + quoted(m.cut))
	b.press(kb.Enter)
	b.until(`location.hash.startsWith("#/run/" + ` + quoted(m.cut) + `)`)
	b.has("pare") // the curves of its points
	b.until(`document.querySelectorAll(".uplot canvas").length >= 2`)
	for _, text := range []string{"model prune: lamp", "94.00\u00a0%", "before 95.00\u00a0%", "50.00\u00a0%", "30 points", "done", "paper"} {
		b.has(text)
	}
	b.press("2")
	b.has("pare model prune net.onnx --sparsity 0.5")
	b.press("3")
	b.has("25.00\u00a0%")
	if got := b.js(`document.querySelectorAll("tbody tr").length`); got != "3" {
		t.Errorf("%s layers", got)
	}
	b.press("4")
	b.until(`document.querySelector("iframe[title^='the network']")`)
	b.press("5")
	b.until(`document.querySelector("iframe[title=report]")`)
	if got := b.js(`Array.from(document.querySelectorAll("a[download]")).map((a) => a.getAttribute("href")).join(" ")`); !strings.Contains(got, "/runs/"+m.cut+"/outputs/0") || !strings.Contains(got, "/runs/"+m.cut+"/files/run.json") {
		t.Errorf("files %s", got)
	}
	b.press(kb.Escape)
	b.until(`location.hash === "#/?text=lamp"`)
	b.until(`document.querySelectorAll("tr.row").length === 1`)
	b.js(`document.querySelector(".filters button").click()`)
	b.has("4 of 4 runs")
	// a heading sorts, down first where it is of numbers; what has none comes last
	names := `Array.from(document.querySelectorAll("tr.row")).map((r) => r.dataset.name).join()`
	heading := `Array.from(document.querySelectorAll("th button")).find((b) => b.textContent === "Result")`
	b.js(heading + ".click()")
	b.until(heading + `.closest("th").ariaSort === "descending"`)
	b.until(names + ".startsWith(" + quoted(m.dense+","+m.cut+",") + ")")
	b.js(heading + ".click()")
	b.until(names + ".startsWith(" + quoted(m.cut+","+m.dense+",") + ")")
	b.open("/#/runs")
	b.blank()
	b.open("/")
	b.has("4 of 4 runs")
	// two are marked by keys and compared
	b.press("j")
	b.until(focus + " === " + quoted(m.live.Name))
	b.press("jj")
	b.until(focus + " === " + quoted(m.cut))
	b.press("x")
	b.press(kb.ArrowDown)
	b.until(focus + " === " + quoted(m.dense))
	b.press("x")
	b.until(`document.querySelector('a[href^="#/diff/"]')`) // both are
	b.press("k")
	b.until(focus + " === " + quoted(m.cut))
	b.press("c")
	b.has("Two runs compared")
	b.until(`location.hash === "#/diff/` + m.cut + "/" + m.dense + `"`)
	b.until(`Array.from(document.querySelectorAll("td.name")).some((e) => e.textContent === "value sparsity")`)
	b.until(`document.querySelectorAll(".uplot canvas").length >= 2`)
	b.fine()
}

// Curves grow while a run goes on, and the page says how it ended.
func TestBrowserLive(t *testing.T) {
	m := newStore(t)
	_, h := serving(t, Config{Store: m.Store})
	b := browse(t, h.URL)
	w, err := m.live.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		w.Add(point(i + 1))
	}
	w.Flush()
	b.open("/#/run/" + m.live.Name)
	b.has("5 points")
	b.until(`document.querySelector(".status.running")`)
	b.until(`document.querySelector("[role=img]").getAttribute("aria-label").includes("at step 5")`)
	for i := range 5 {
		w.Add(point(i + 6))
	}
	w.Flush()
	b.has("10 points")
	b.until(`document.querySelector("[role=img]").getAttribute("aria-label").includes("at step 10")`)
	w.Rewind("", 1, 8)
	b.until(`/\b8 points/.test(document.body.innerText)`)
	if err := m.live.End(run.Done, nil); err != nil {
		t.Fatal(err)
	}
	b.until(`document.querySelector(".status.done")`)
	b.fine()
}

// The plot shows the runs that can be compared, and the front; it is gone through by keys.
func TestBrowserPlot(t *testing.T) {
	m := newStore(t)
	_, h := serving(t, Config{Store: m.Store})
	beaten := m.add(t, &run.Record{Command: "model prune", Args: []string{"x"}, Methods: []string{"gmp"}, Data: "digits", Metric: "accuracy", Values: map[string]float64{"accuracy": .93, "nonzero": 200000}}, run.Done, 0, nil)
	m.add(t, &run.Record{Command: "model prune", Args: []string{"x"}, Data: "digits", Metric: "mae", Values: map[string]float64{"mae": 3, "nonzero": 1000}}, run.Done, 0, nil)
	b := browse(t, h.URL)
	b.size(1280, 900, "light")
	b.open("/#/plot")
	b.has("3 of 6 runs are drawn")
	b.has("3 have other data, another metric, or no such number")
	b.until(`document.querySelector(".plot canvas")`)
	front := `Array.from(document.querySelectorAll("tr.row")).map((r) => r.dataset.name).join()`
	if got := b.js(front); got != m.cut+","+m.dense {
		t.Errorf("on the front: %s", got)
	}
	b.js(`document.querySelector(".plot").focus()`)
	b.press(kb.ArrowRight)
	b.until(`document.querySelector(".tip") && document.querySelector(".tip").textContent.includes("lamp")`)
	for _, name := range []string{beaten, m.dense} {
		b.press(kb.ArrowRight)
		b.until(`document.querySelector(".tip").textContent.includes(` + quoted(name[len(name)-6:]) + `)`)
	}
	// by the mouse: where the tip points to is found again
	where := b.js(`(() => { const r = document.querySelector(".plot .u-over").getBoundingClientRect(); return [r.left, r.top, r.width, r.height].join(" "); })()`)
	var left, top, wide, high float64
	if _, err := fmt.Sscan(where, &left, &top, &wide, &high); err != nil {
		t.Fatal(err)
	}
	b.js(`document.activeElement.blur()`)
	b.until(`!document.querySelector(".tip")`)
	found := false
	for x := left; x < left+wide && !found; x += 20 {
		for y := top; y < top+high && !found; y += 20 {
			b.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y))
			if found = b.js(`Boolean(document.querySelector(".tip"))`) == "true"; found {
				b.do(chromedp.MouseClickXY(x, y))
			}
		}
	}
	if !found {
		t.Error("no point is found by the mouse")
	}
	b.until(`location.hash.startsWith("#/run/")`)
	// of a metric of which less is better, and of a cost of which more is, the front is another
	for _, x := range []struct {
		mae, sparsity float64
	}{{1, .2}, {2, .9}, {3, .5}} {
		m.add(t, &run.Record{Command: "model prune", Args: []string{"x"}, Data: "csv", Metric: "mae", Values: map[string]float64{"mae": x.mae, "sparsity": x.sparsity, "nonzero": 1000}}, run.Done, 0, nil)
	}
	b.open("/#/plot?of=mae+on+csv&x=sparsity")
	b.has("3 of 9 runs are drawn")
	if got := b.js(`Array.from(document.querySelectorAll("tr.row")).map((r) => r.cells[2].textContent).join()`); got != "1,2" {
		t.Errorf("on the front: %s", got)
	}
	b.fine()
}

// The script of Pare's own pages runs in their frames, whose policy lets no other run.
func TestBrowserFrames(t *testing.T) {
	m := newStore(t)
	_, h := serving(t, Config{Store: m.Store})
	b := browse(t, h.URL)
	b.open("/runs/" + m.cut + "/report")
	b.has("It is smaller.")
	b.js(`document.querySelectorAll("th")[1].click()`)
	b.until(`document.querySelectorAll("th")[1].getAttribute("aria-sort") === "ascending"`)
	if got := b.js(`document.querySelector("tbody td").textContent`); got != "y" {
		t.Errorf("%s comes first", got)
	}
	b.open("/runs/" + m.cut + "/drawing/0")
	b.until(`document.querySelector(".tools") && !document.querySelector(".tools").hidden`)
	if got := b.js(`window.origin`); got != "null" {
		t.Errorf("the frame's origin is %s", got)
	}
}

// What a run says is shown as it is, and nothing of it runs.
func TestBrowserHostile(t *testing.T) {
	m := newStore(t)
	name := hostileRun(t, m)
	var asked atomic.Int64
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer evil.Close()
	hurt := strings.ReplaceAll(`<!doctype html><title>x</title><p>report</p><meta http-equiv="refresh" content="0;url=EVIL/"><link rel="stylesheet" href="EVIL/x.css"><img src="EVIL/x.png"><style>p{background:url(EVIL/y.png)}</style>
<script>document.title='hurt';try{parent.document.title='hurt'}catch(e){}fetch('/api/runs').then(()=>fetch('EVIL/'));new Image().src='EVIL/z.png';location='EVIL/'</script><form action="EVIL/"><button>x</button></form><a href="javascript:parent.document.title='hurt'" target="_top">x</a><iframe src="/"></iframe>`, "EVIL", evil.URL)
	if err := os.WriteFile(filepath.Join(m.Dir, name, "report.html"), []byte(hurt), 0o644); err != nil {
		t.Fatal(err)
	}
	_, h := serving(t, Config{Store: m.Store})
	b := browse(t, h.URL)
	for _, view := range []string{"/", "/#/plot", "/#/run/" + name, "/#/run/" + name + "/about", "/#/run/" + name + "/layers", "/#/run/" + name + "/network", "/#/run/" + name + "/files", "/#/diff/" + name + "/" + m.cut, "/#/run/%3Cimg%20src=x%3E", "/#/%E0%A4%A", "/#/diff/x/y", "/?text=%3Cscript%3E#/?text=%3Cscript%3E&method=%3Cimg%3E"} {
		b.blank()
		b.open(view)
		b.until(`document.querySelector("main") && !document.body?.innerText.endsWith("…")`)
		b.until(`document.querySelector("main").innerText.length > 20`)
		if got := b.js(`document.title + document.querySelectorAll("main img, main script, main form:not(.filters)").length`); strings.Contains(got, "hurt") || !strings.HasSuffix(got, "0") {
			t.Errorf("%s: %s", view, got)
		}
	}
	b.open("/#/run/" + name + "/files")
	b.until(`document.querySelector("iframe[title=report]")?.contentWindow.length === 1`) // it has been read to its end
	b.open("/#/run/" + name)
	b.until(`document.querySelectorAll(".uplot canvas").length > 0`)
	if n := asked.Load(); n > 0 || b.js("document.title") == "hurt" {
		t.Errorf("the report of a run has asked another site %d times", n)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.asked {
		if !strings.HasPrefix(a, h.URL+"/") && a != "about:blank" {
			t.Errorf("asked for %.100s", a)
		}
	}
	for _, w := range b.wrong {
		if strings.Contains(w, "TypeError") || strings.Contains(w, "ReferenceError") {
			t.Errorf("the browser complains: %s", w)
		}
	}
}

// The link with the token leads in, and the token does not stay in the address.
func TestBrowserToken(t *testing.T) {
	m := newStore(t)
	_, h := serving(t, Config{Store: m.Store, Token: secret})
	b := browse(t, h.URL)
	b.open("/")
	b.has("The token is needed")
	b.js(`document.querySelector("input").focus()`)
	b.press(secret)
	b.press(kb.Enter)
	b.has("4 of 4 runs")
	if got := b.js("location.href"); got != h.URL+"/" {
		t.Errorf("the address is %s", got)
	}
	if got := b.js("document.cookie"); got != "" {
		t.Errorf("the page sees the cookie %s", got)
	}
	b.open("/#/run/" + m.cut)
	b.has("30 points")
	b.fine401()
}

// fine401 is fine but for the one complaint that the page was asked for without the token.
func (b *tab) fine401() {
	b.t.Helper()
	b.mu.Lock()
	for i, w := range b.wrong {
		if strings.Contains(w, "401") {
			b.wrong = append(b.wrong[:i], b.wrong[i+1:]...)
			break
		}
	}
	b.mu.Unlock()
	b.fine()
}

// The page is as wide as the window, down to 400 pixels, in light and dark, whatever it
// shows; colours change with the system's, and by the key. With PARE_SHOTS=DIR pictures of
// all views are kept there, of the runs in PARE_SHOTS_RUNS.
func TestBrowserLooks(t *testing.T) {
	m := newStore(t)
	store, name, other := m.Store, m.cut, m.dense
	shots := os.Getenv("PARE_SHOTS")
	if dir := os.Getenv("PARE_SHOTS_RUNS"); dir != "" {
		store.Dir = dir
		es, _, err := store.List()
		if err != nil || len(es) < 2 {
			t.Fatal(len(es), err)
		}
		for _, e := range es {
			if e.Record.Command == "model prune" && e.Status == "done" {
				other, name = name, e.Name
			}
		}
	}
	_, h := serving(t, Config{Store: store})
	b := browse(t, h.URL)
	views := map[string]string{"runs": "/", "plot": "/#/plot", "run": "/#/run/" + name, "about": "/#/run/" + name + "/about", "layers": "/#/run/" + name + "/layers", "network": "/#/run/" + name + "/network", "files": "/#/run/" + name + "/files", "diff": "/#/diff/" + other + "/" + name}
	if live := os.Getenv("PARE_SHOTS_LIVE"); live != "" {
		views["live"] = "/#/run/" + live
	}
	for _, wide := range []int64{1280, 400} {
		for _, scheme := range []string{"light", "dark"} {
			b.size(wide, 900, scheme)
			for view, path := range views {
				if many := slices.Contains([]string{"about", "network", "files", "run"}, view); shots == "" && (scheme == "dark" && view != "runs" && view != "plot" || wide > 400 && many) {
					continue // they are alike in this
				}
				b.blank()
				b.open(path)
				b.until(`document.querySelector("main") && document.querySelector("main").innerText.length > 60 && !document.querySelector(".empty")`)
				b.until(`!document.querySelector(".plot") || document.querySelector("canvas")`)
				if got := b.js(`document.documentElement.scrollWidth`); got > fmt.Sprint(wide) && len(got) >= len(fmt.Sprint(wide)) {
					t.Errorf("%s at %d: it is %s wide; widest: %s", view, wide, got, b.js(`Array.from(document.querySelectorAll("main *")).filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll")).slice(0, 3).map((e) => e.outerHTML.slice(0, 150)).join("\n")`))
				}
				dark := b.js(`getComputedStyle(document.body).backgroundColor`) == "rgb(22, 24, 28)"
				if dark != (scheme == "dark") {
					t.Errorf("%s: the colours are not %s", view, scheme)
				}
				if shots != "" {
					b.until(`Array.from(document.querySelectorAll("iframe")).every((f) => f.clientHeight > 100)`)
					time.Sleep(700 * time.Millisecond) // frames draw themselves; only pictures wait for them
					png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
					if err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(filepath.Join(shots, fmt.Sprintf("%s-%d-%s.png", view, wide, scheme)), png, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	// the key goes through system, light, dark; the choice is kept
	b.size(1280, 900, "dark")
	b.open("/")
	b.has(" runs")
	b.press("t")
	b.until(`getComputedStyle(document.body).backgroundColor === "rgb(251, 250, 247)"`)
	b.size(1280, 900, "light")
	b.press("t")
	b.until(`getComputedStyle(document.body).backgroundColor === "rgb(22, 24, 28)"`)
	b.blank()
	b.open("/")
	b.until(`document.body && getComputedStyle(document.body).backgroundColor === "rgb(22, 24, 28)"`)
	b.has(" runs")
	b.press("?")
	b.until(`document.querySelector("dialog[open]")`)
	b.press(kb.Escape)
	b.until(`!document.querySelector("dialog[open]")`)
	b.fine()
}
