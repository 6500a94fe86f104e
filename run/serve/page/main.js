// The page: which view is seen, the keys, and what stands above all views.
import { html, render, useEffect, useRef, useState } from "./common.js";
import { Runs } from "./runs.js";
import { Trade } from "./trade.js";
import { Run } from "./run.js";
import { Diff } from "./diff.js";

// place reads the address: #/run/NAME/layers, #/?text=…
function place() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  let parts;
  try {
    parts = path.split("/").map(decodeURIComponent);
  } catch {
    parts = ["?"];
  }
  return { parts, query: new URLSearchParams(query || "") };
}

const keys = [
  ["j k ↓ ↑", "next, previous run"], ["Enter", "open the run"], ["x", "mark the run to compare"], ["c", "compare the two that are marked"],
  ["/", "to the filter"], ["r", "the runs"], ["p", "the plot"], ["1 … 5", "the parts of a run"], ["t", "light, dark, as the system"], ["Esc", "leave a field; back"], ["?", "this help"],
];

function Help({ close }) {
  const box = useRef();
  useEffect(() => { box.current.showModal(); }, []);
  return html`<dialog ref=${box} onClose=${close} aria-labelledby="keys"><h2 id="keys">Keys</h2>
    <dl>${keys.map(([k, what]) => html`<dt>${k.split(" ").map((x) => (x === "…" ? "… " : html`<kbd>${x}</kbd> `))}</dt><dd>${what}</dd>`)}</dl>
    <form method="dialog"><button autofocus>Close</button></form></dialog>`;
}

const themes = ["system", "light", "dark"];
function theme() {
  return document.documentElement.dataset.theme || "system";
}
function nextTheme() {
  const t = themes[(themes.indexOf(theme()) + 1) % themes.length];
  if (t === "system") { delete document.documentElement.dataset.theme; } else { document.documentElement.dataset.theme = t; }
  try { localStorage.setItem("pare-theme", t); } catch { /* it is not kept */ }
  document.dispatchEvent(new Event("pare-theme"));
}

// rows are what j and k go through: the links of the runs in the list.
const rows = () => Array.from(document.querySelectorAll("[data-row]"));

function step(by) {
  const all = rows(), at = all.findIndex((a) => a === document.activeElement || a.closest("tr").contains(document.activeElement));
  if (all.length === 0) { return false; }
  const to = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))];
  to.focus();
  to.closest("tr").scrollIntoView({ block: "nearest" });
  return true;
}

function App() {
  const [at, move] = useState(place), [help, setHelp] = useState(false), [marked, setMarked] = useState([]), [, drawn] = useState(0);
  const main = useRef(), list = useRef("#/");
  useEffect(() => {
    const moved = () => { move(place()); };
    const themed = () => drawn((n) => n + 1);
    addEventListener("hashchange", moved);
    document.addEventListener("pare-theme", themed);
    return () => { removeEventListener("hashchange", moved); document.removeEventListener("pare-theme", themed); };
  }, []);
  const view = at.parts[0] || "runs";
  const where = at.parts.slice(0, 2).join("/");
  useEffect(() => { // what is read out, and where keys go, is the new view
    main.current.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [where]);
  if (view === "runs" || view === "plot") { list.current = location.hash || "#/"; }
  const query = at.query.toString() ? "?" + at.query : "";
  const mark = (name) => setMarked((m) => (m.includes(name) ? m.filter((x) => x !== name) : [...m, name].slice(-2)));

  useEffect(() => {
    function key(e) {
      if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || document.querySelector("dialog[open]")) { return; }
      const on = document.activeElement, typing = on && (on.matches("input:not([type=checkbox]), select, textarea"));
      if (e.key === "Escape") {
        if (typing) { on.blur(); main.current.focus({ preventScroll: true }); } else if (view === "run" || view === "diff") { location.hash = list.current; }
        return;
      }
      if (typing) { return; }
      const tabs = document.querySelectorAll(".tabs a");
      const does = {
        j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
        "/": () => { const f = document.querySelector("#text"); if (f) { f.focus(); f.select(); } else { location.hash = list.current; } return true; },
        x: () => { const a = on && on.closest("tr.row"); if (a) { mark(a.dataset.name); } return Boolean(a); },
        c: () => { if (marked.length === 2) { location.hash = `#/diff/${marked[0]}/${marked[1]}`; } return marked.length === 2; },
        r: () => { location.hash = "#/" + (view === "plot" ? query : ""); return true; }, p: () => { location.hash = "#/plot" + (view === "runs" ? query : ""); return true; },
        t: () => { nextTheme(); return true; }, "?": () => { setHelp(true); return true; },
      }[e.key] || (/^[1-5]$/.test(e.key) && tabs.length >= Number(e.key) && (() => { tabs[e.key - 1].click(); return true; }));
      if (does && on && on.matches(".plot") && e.key.startsWith("Arrow")) { return; }
      if (does && does()) { e.preventDefault(); }
    }
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  });

  const tab = (name, to, text) => html`<a href=${to} aria-current=${view === name ? "page" : null}>${text}</a>`;
  let body;
  switch (view) {
    case "runs": body = html`<${Runs} query=${at.query} marked=${marked} mark=${mark} clear=${() => setMarked([])} />`; break;
    case "plot": body = html`<${Trade} query=${at.query} />`; break;
    case "run": body = html`<${Run} key=${at.parts[1]} name=${at.parts[1] || ""} tab=${at.parts[2] || ""} back=${list.current} mark=${mark} marked=${marked} />`; break;
    case "diff": body = html`<${Diff} key=${where + at.parts[2]} a=${at.parts[1] || ""} b=${at.parts[2] || ""} back=${list.current} />`; break;
    default: body = html`<p class="empty">There is no such view. <a href="#/">The runs</a></p>`;
  }
  return html`<a class="skip" href="#main" onClick=${(e) => { e.preventDefault(); main.current.focus(); }}>To the content</a>
    <header class="top"><a class="brand" href="#/"><img src="/page/icon.svg" alt="" /><span>Pare</span></a>
      <nav aria-label="Views">${tab("runs", "#/" + (view === "plot" ? query : ""), "Runs")}${tab("plot", "#/plot" + (view === "runs" ? query : ""), "Plot")}</nav>
      <div class="right"><button class="icon" onClick=${nextTheme} aria-label=${`colours: ${theme()}; change them`} title="colours (t)">${{ system: "◐", light: "☀", dark: "☾" }[theme()]}</button>
      <button class="icon" onClick=${() => setHelp(true)} aria-label="keys" title="keys (?)">?</button></div></header>
    <main id="main" ref=${main} tabindex="-1">${body}</main>
    ${help && html`<${Help} close=${() => setHelp(false)} />`}`;
}

const app = document.getElementById("app");
app.textContent = "";
render(html`<${App} />`, app);
