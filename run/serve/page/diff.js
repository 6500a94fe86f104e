// Two runs side by side.
import { Failure, html, result, runLink, short, Status, took, useAsked, useMemo, when } from "./common.js";
import { Curves } from "./curves.js";
import { useFollowed } from "./follow.js";
import { LayerTable } from "./layers.js";

function Side({ run }) {
  return html`<div><a href=${runLink(run.name)}><b>${short(run.name)}</b></a> <span class="soft">${when(run.began)}</span><br /><${Status} is=${run.status} /> ${run.command} ${run.methods.join(", ")}<br /><span class="soft">${run.metric}</span> ${result(run)}, ${took(run.took)}</div>`;
}

// Networks compares the layers of what both runs made, where both tell of them.
function Networks({ a, b }) {
  const x = useAsked(`/api/runs/${a.name}/layers`, 0), y = useAsked(`/api/runs/${b.name}/layers`, 0);
  const [was, now] = [x, y].map((v) => v.value && v.value.networks.at(-1));
  return was && now && html`<h2>Layers of ${short(b.name)} beside ${short(a.name)}</h2><${LayerTable} now=${now} was=${was} names=${[short(a.name), short(b.name)]} />`;
}

export function Diff({ a, b, back }) {
  const { value, error } = useAsked(`/api/diff?a=${encodeURIComponent(a)}&b=${encodeURIComponent(b)}`, 5000);
  const x = useFollowed(a), y = useFollowed(b);
  const parts = useMemo(() => {
    const out = new Map();
    for (const [name, f] of [[a, x], [b, y]]) { for (const [l, ps] of f.parts) { out.set(f.parts.size > 1 || l !== "training 1" ? `${short(name)} ${l}` : short(name), ps); } }
    return out;
  }, [x, y]);
  if (error && !value) { return html`<${Failure} error=${error} /><p><a href=${back}>The runs</a></p>`; }
  if (!value) { return html`<p class="empty">…</p>`; }
  return html`<p class="actions"><a href=${back}>← The runs</a><a href=${`#/diff/${b}/${a}`}>Swap</a></p><h1>Two runs compared</h1><div class="vs"><${Side} run=${value.a} /><${Side} run=${value.b} /></div>
    <h2>In what they differ</h2>
    ${value.differences.length === 0 ? html`<p class="soft">In nothing but their times and places.</p>` : html`<div class="scroll cards"><table><caption class="skip">Differences</caption><thead><tr><th scope="col">What</th><th scope="col">${short(a)}</th><th scope="col">${short(b)}</th></tr></thead>
      <tbody>${value.differences.map((d) => html`<tr><td class="name">${d.what}</td><td class="wrap wide" data-label=${short(a)}>${d.a || "–"}</td><td class="wrap wide" data-label=${short(b)}>${d.b || "–"}</td></tr>`)}</tbody></table></div>`}
    <h2>Curves</h2><${Curves} parts=${parts} run=${{ ...value.a, shares: value.shares }} /><${Networks} a=${value.a} b=${value.b} />`;
}
