// One run: its curves, what it was, its layers, drawing, report and files.
import { Failure, html, number, runLink, scaled, short, Status, Tags, took, useAsked, useEffect, useState, when, worth, base } from "./common.js";
import { Curves } from "./curves.js";
import { useFollowed } from "./follow.js";
import { Layers } from "./layers.js";
import { Notes } from "./filters.js";

const tabs = [["", "Curves"], ["about", "About"], ["layers", "Layers"], ["network", "Network"], ["files", "Report and files"]];

// Values are what came out, with what was before.
function Values({ run }) {
  const order = [run.metric, "loss", "sparsity", "nonzero", "parameters", "macs", "bytes", "milliseconds", "time_ratio"];
  const rank = (n) => { const i = order.indexOf(n); return i < 0 ? order.length : i; };
  const names = Object.keys(run.values || {}).filter((n) => n === base(n)).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  return names.length > 0 && html`<div class="tiles">${names.map((n) => html`<div class="tile"><b>${worth(n, run.values[n], run)}</b><span>${n.replaceAll("_", " ")}${n + "_before" in run.values ? `, before ${worth(n, run.values[n + "_before"], run)}` : ""}</span></div>`)}</div>`;
}

const settings = (m) => Object.entries(m || {}).filter(([, v]) => v !== "" && v !== "false").sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => `${k} ${v}`).join(", ");

function About({ run }) {
  const r = run.record, last = r.sittings.at(-1), p = last.program;
  const line = (name, text) => text && html`<dt>${name}</dt><dd>${text}</dd>`;
  return html`<dl class="facts">${line("command", html`<code>${run.line}</code>`)}${line("in", html`<code>${r.folder}</code>`)}${line("began", when(r.began))}
    ${line("worked on", `${took(run.took)}${r.sittings.length > 1 ? `, in ${r.sittings.length} sittings, the last from ${when(last.began)}` : ""}`)}
    ${line("error", r.error)}${line("method", run.methods.join(", "))}${line("settings", settings(r.settings))}${line("recipe", settings(r.recipe))}${line("seeds", (r.seeds || []).join(", "))}${line("data", r.data)}
    ${(r.sets || []).map((s) => line(s.name + " set", html`${number(s.samples)} samples, SHA-256 <code>${s.sha256}</code>`))}
    ${[...(r.inputs || []), ...(r.outputs || [])].map((f) => line(f.name, html`<code>${f.path}</code>${f.sha256 ? html`, ${scaled(f.bytes || 0, "B")}, SHA-256 <code>${f.sha256}</code>` : ""}`))}
    ${line("program", ["Pare " + p.pare, p.revision, p.go, p.system, p.processor, p.instructions, p.threads + " threads"].filter(Boolean).join(", "))}${line("directory", html`<code>${run.dir}</code>`)}</dl>`;
}

// states say why an output cannot be had.
const states = { gone: "it is not there any more", changed: "it has changed since the run wrote it", folder: "a folder", unknown: "not recorded what is in it" };

function Files({ run }) {
  return html`${run.report ? html`<p><a href=${`/runs/${run.name}/report`} target="_blank" rel="noopener">The report on a page of its own</a></p><iframe title="report" src=${`/runs/${run.name}/report`} sandbox="allow-scripts"></iframe>` : html`<p class="empty">The run has left no report${run.status === "running" ? " yet" : ""}.</p>`}
    <h2>What it wrote</h2>${run.outputs.length === 0 ? html`<p class="soft">Nothing is recorded.</p>` : html`<div class="scroll"><table><caption class="skip">Outputs</caption><tbody>${run.outputs.map((o, i) => html`<tr><td class="wrap">${o.state === "there" ? html`<a href=${`/runs/${run.name}/outputs/${i}`} download>${o.path}</a>` : html`${o.path} <span class="soft">(${states[o.state]})</span>`}</td><td class="n tight">${o.bytes ? scaled(o.bytes, "B") : ""}</td></tr>`)}</tbody></table></div>`}
    <h2>In its directory</h2><div class="scroll"><table><caption class="skip">Files</caption><tbody>${run.files.map((f) => html`<tr><td class="wrap"><a href=${`/runs/${run.name}/files/${f.path.split("/").map(encodeURIComponent).join("/")}`} download>${f.path}</a></td><td class="n tight">${scaled(f.bytes, "B")}</td></tr>`)}</tbody></table></div>`;
}

function Network({ run }) {
  const i = run.outputs.findIndex((o) => o.drawn);
  if (i < 0) {
    const o = run.outputs.find((x) => /\.(onnx|pare)$/i.test(x.path));
    return html`<p class="empty">${o ? `${o.path} is not drawn: ${run.status === "running" ? "the run has not ended" : states[o.state] || o.state}.` : "The run has written no network in an .onnx or .pare file. "}</p>`;
  }
  return html`<${Drawing} path=${`/runs/${run.name}/drawing/${i}`} />`;
}

// Drawing is the frame, once the server has made what it holds.
function Drawing({ path }) {
  const [state, set] = useState("made");
  useEffect(() => {
    const stop = new AbortController();
    fetch(path, { signal: stop.signal }).then(async (r) => set(r.ok ? "there" : new Error((await r.json()).error))).catch((e) => { if (!stop.signal.aborted) { set(e); } });
    return () => stop.abort();
  }, [path]);
  if (state instanceof Error) { return html`<${Failure} error=${state} />`; }
  return state === "made" ? html`<p class="empty" role="status">The network is drawn …</p>`
    : html`<p><a href=${path} target="_blank" rel="noopener">The drawing on a page of its own</a></p><iframe title="the network, drawn" src=${path} sandbox="allow-scripts"></iframe>`;
}

export function Run({ name, tab, back, mark, marked }) {
  const followed = useFollowed(name), ended = Boolean(followed.ended);
  const { value: run, error } = useAsked(`/api/runs/${encodeURIComponent(name)}${ended ? "?ended" : ""}`, ended ? 0 : 3000);
  useEffect(() => { document.title = `Pare: ${short(name)}`; return () => { document.title = "Pare: runs"; }; }, [name]);
  if (error && !run) { return html`<${Failure} error=${error} /><p><a href=${back}>The runs</a></p>`; }
  if (!run) { return html`<p class="empty">…</p>`; }
  const live = { ...run, ...(followed.run || {}) };
  const others = marked.filter((m) => m !== name);
  let body;
  switch (tab) {
    case "about": body = html`<${About} run=${run} />`; break;
    case "layers": body = html`<${Layers} key=${run.layers} run=${run} />`; break;
    case "network": body = html`<${Network} key=${run.outputs.findIndex((o) => o.drawn)} run=${run} />`; break;
    case "files": body = html`<${Files} key=${run.report} run=${run} />`; break;
    default: body = html`<${Notes} notes=${followed.notes} /><${Curves} parts=${followed.parts} run=${live} />`;
  }
  return html`<p class="actions"><a href=${back}>← The runs</a><button type="button" aria-pressed=${marked.includes(name)} onClick=${() => mark(name)}>${marked.includes(name) ? "Marked to compare" : "Mark to compare"}</button>
      ${others.length > 0 && html`<a href=${`#/diff/${others[0]}/${name}`}>Compare with ${short(others[0])}</a>`}</p>
    <h1>${run.command}${run.methods.length > 0 ? `: ${run.methods.join(", ")}` : ""}</h1>
    <p class="said"><${Status} is=${live.status} /><span>${run.name}</span><span>${took(live.took)}</span><span>${followed.count > 0 ? `${followed.count} points` : ""}</span><${Tags} tags=${run.tags} />
      ${followed.lost && !ended && html`<span class="live" role="status">not connected; trying again</span>`}</p>
    ${live.error && html`<div class="notes error"><p>${live.error}</p></div>`}<${Values} run=${live} />
    <nav class="tabs" aria-label="Parts of the run">${tabs.map(([t, text]) => html`<a href=${runLink(name, t)} aria-current=${t === tab ? "page" : null}>${text}</a>`)}</nav>${body}`;
}
