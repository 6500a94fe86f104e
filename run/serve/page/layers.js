// What a run left of each layer.
import { Failure, html, percent, scaled, useAsked, useMemo } from "./common.js";

// byName are the layers of a network by their names.
const byName = (n) => new Map((n ? n.layers : []).map((l) => [l.name, l]));

export const Bar = ({ share }) => html`<span class="bar"><span class="rail" aria-hidden="true"><svg viewBox="0 0 100 1" preserveAspectRatio="none"><rect width=${100 * Math.max(0, Math.min(1, share))} height="1" /></svg></span><span>${percent(share)}</span></span>`;

// Table lists the layers of a network beside those of the one that it was made of, or is
// compared with.
export function LayerTable({ now, was, names }) {
  const old = byName(was), rows = now.layers.map((l) => ({ l, o: old.get(l.name) }));
  const gone = was ? was.layers.filter((o) => !byName(now).has(o.name)) : [];
  const kept = (l, o) => l.nonzero / Math.max(1, (o || l).params);
  return html`<div class="scroll cards"><table><caption class="skip">Layers</caption><thead><tr><th scope="col">Layer</th><th scope="col">Operator</th><th scope="col">Shape</th><th scope="col" class="n">Parameters</th>
      <th scope="col" class="n">Not zero</th><th scope="col">${was ? `Kept of ${names[0]}` : "Not zero, share"}</th><th scope="col" class="n">MACs</th><th scope="col" class="n">With zeros left out</th></tr></thead>
    <tbody>${rows.map(({ l, o }) => html`<tr><td class="name layer" title=${l.name}>${l.label || l.name}</td><td data-label="Operator" class="wide">${l.op}</td><td data-label="Shape" class="tight wide"><span>${(l.shape || []).join("×")}${o && String(o.shape) !== String(l.shape) ? html` <span class="soft">of ${(o.shape || []).join("×")}</span>` : ""}</span></td>
      <td class="n tight" data-label="Parameters">${scaled(l.params)}</td><td class="n tight" data-label="Not zero">${scaled(l.nonzero)}</td><td data-label="Kept" class="wide"><${Bar} share=${kept(l, o)} /></td>
      <td class="n tight wide" data-label="MACs"><span>${scaled(l.macs)}${o && o.macs !== l.macs ? html` <span class="soft">of ${scaled(o.macs)}</span>` : ""}</span></td><td class="n tight wide" data-label="Zeros left out">${scaled(l.effective)}</td></tr>`)}
      ${gone.map((o) => html`<tr><td class="name layer">${o.label || o.name}</td><td data-label="Operator">${o.op}</td><td data-label="Shape" class="tight">${(o.shape || []).join("×")}</td><td colspan="5" class="soft">not in ${names[1]}</td></tr>`)}</tbody></table></div>`;
}

export function Layers({ run }) {
  const { value, error } = useAsked(run.layers ? `/api/runs/${run.name}/layers` : `/api/runs/${run.name}`, 0);
  const pair = useMemo(() => {
    const ns = value && value.networks;
    return ns && ns.length > 0 ? { now: ns.at(-1), was: ns.length > 1 ? ns[0] : null } : null;
  }, [value]);
  if (!run.layers) { return html`<p class="empty">${run.status === "running" ? "The layers are known when the run has ended." : "The run has left no results, which hold the layers."}</p>`; }
  if (error) { return html`<${Failure} error=${error} />`; }
  if (!value) { return html`<p class="empty">…</p>`; }
  if (!pair) { return html`<p class="empty">The results of <code>pare ${run.command}</code> tell of no layers; the report may.</p>`; }
  const { now, was } = pair;
  return html`<p class="soft">${now.name}${was ? `, made of ${was.name}` : ""}: ${now.layers.length} layers with weights, ${scaled(now.size.params)} parameters, ${scaled(now.size.nonzero)} of them not zero, ${scaled(now.size.macs)} multiply-accumulates a sample.</p>
    <${LayerTable} now=${now} was=${was} names=${[was ? was.name : "", now.name]} />`;
}
