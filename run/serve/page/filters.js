// The filters, which stand in the address: a view can be kept as a bookmark.
import { html, useEffect, useRef, useState } from "./common.js";

const statuses = ["running", "done", "stopped", "failed", "died"];
const times = [["", "any time"], ["1h", "last hour"], ["24h", "last day"], ["7d", "last 7 days"], ["30d", "last 30 days"]];
export const names = ["text", "command", "method", "status", "tag", "since"];

// asked is the path of the list that a query wants.
export function asked(query) {
  const q = new URLSearchParams();
  for (const n of names) { if (query.get(n)) { q.set(n, query.get(n)); } }
  return "/api/runs?" + q;
}

// change puts a filter into the address; the history keeps one entry for all.
export function change(query, set) {
  const q = new URLSearchParams(query);
  for (const [n, v] of Object.entries(set)) { if (v) { q.set(n, v); } else { q.delete(n); } }
  const path = location.hash.split("?")[0] || "#/";
  history.replaceState(null, "", path + (q.toString() ? "?" + q : ""));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function Filters({ query, words }) {
  const [text, setText] = useState(query.get("text") || ""), timer = useRef(0);
  useEffect(() => { setText(query.get("text") || ""); }, [query.get("text")]);
  const typed = (v) => { setText(v); clearTimeout(timer.current); timer.current = setTimeout(() => change(query, { text: v }), 150); };
  const choice = (name, label, options) => {
    const now = query.get(name) || "";
    const all = options.some(([v]) => v === now) ? options : [...options, [now, now]];
    return html`<label>${label}<select id=${name} value=${now} onChange=${(e) => change(query, { [name]: e.target.value })}>${all.map(([v, t]) => html`<option value=${v} selected=${v === now}>${t}</option>`)}</select></label>`;
  };
  const counted = (m) => [["", "any"], ...Object.entries(m || {}).sort(([a], [b]) => (a < b ? -1 : 1)).map(([w, n]) => [w, `${w} (${n})`])];
  const some = names.some((n) => query.get(n));
  return html`<form class="filters" role="search" aria-label="Filter the runs" onSubmit=${(e) => { e.preventDefault(); clearTimeout(timer.current); change(query, { text }); const a = document.querySelector("[data-row]"); if (a) { a.focus(); } }}>
    <label class="text">Filter<input id="text" type="search" value=${text} placeholder="any words of the runs (/)" autocomplete="off" spellcheck=${false} onInput=${(e) => typed(e.target.value)} /></label>
    ${choice("command", "Command", counted(words && words.commands))}${choice("method", "Method", counted(words && words.methods))}
    ${choice("status", "Status", [["", "any"], ...statuses.map((s) => [s, s])])}${choice("tag", "Tag", counted(words && words.tags))}${choice("since", "Begun", times)}
    <button type="button" disabled=${!some} onClick=${() => change(query, Object.fromEntries(names.map((n) => [n, ""])))}>Clear</button></form>`;
}

export const Notes = ({ notes }) => notes && notes.length > 0 && html`<div class="notes" role="note"><ul>${notes.map((n) => html`<li>${n}</li>`)}</ul></div>`;
