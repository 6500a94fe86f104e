// What runs cost and are worth: a point a run, and the front of those that no other beats in
// both.
import { colours, Failure, html, isShare, number, percent, result, runLink, scaled, short, useAsked, useEffect, useMemo, useRef, useState, useTheme, when, worth } from "./common.js";
import { asked, change, Filters, Notes } from "./filters.js";

const costs = ["nonzero", "parameters", "macs", "bytes", "milliseconds", "sparsity"];
const more = new Set(["sparsity"]); // of which more is better
const mostColours = 6;

// kinds are the runs that can be compared: of the same metric on the same data.
function kinds(runs) {
  const out = new Map();
  for (const r of runs) {
    if (!r.metric || !r.values || !(r.metric in r.values)) { continue; }
    const k = `${r.metric} on ${r.data || "no data"}`;
    out.set(k, [...(out.get(k) || []), r]);
  }
  return new Map([...out].sort((a, b) => b[1].length - a[1].length));
}

// front are the points that no other is at least as good as in both and better in one, by x.
export function front(points, lessX, moreY) {
  const s = [...points].sort((a, b) => (lessX ? a.x - b.x : b.x - a.x) || (moreY ? b.y - a.y : a.y - b.y));
  const out = [];
  for (const p of s) {
    const last = out.at(-1);
    if (!last || (moreY ? p.y > last.y : p.y < last.y) || (p.x === last.x && p.y === last.y)) { out.push(p); }
  }
  return out.sort((a, b) => a.x - b.x);
}

// decades are places of ticks on a logarithmic axis: 1, 2 and 5 times powers of ten.
function decades(lo, hi, wide) {
  const all = [];
  for (let e = Math.floor(Math.log10(lo)); e <= Math.log10(hi); e++) { for (const m of [1, 2, 5]) { const v = m * 10 ** e; if (v >= lo && v <= hi) { all.push(v); } } }
  const few = all.filter((v) => /^1(e|0|$)/.test(String(v)) || v === 10 ** Math.round(Math.log10(v)));
  return all.length * 55 > wide && few.length > 1 ? few : all;
}

function Scatter({ points, best, x, y, run, log, methods }) {
  const box = useRef(), plot = useRef(), now = useRef({}), theme = useTheme();
  const [at, point] = useState(-1);
  now.current = { points };
  const shareX = isShare(x), shareY = isShare(y, run);
  useEffect(() => {
    const el = box.current, c = colours(), size = () => ({ width: Math.max(220, el.clientWidth), height: Math.round(Math.max(280, Math.min(520, el.clientWidth * 0.5))) });
    const axis = { stroke: c.soft, grid: { stroke: c.line, width: 1 }, ticks: { stroke: c.line, width: 1 }, font: "12px system-ui, sans-serif", labelFont: "13px system-ui, sans-serif", labelSize: 22 };
    const all = [...new Set(points.map((p) => p.x))].sort((a, b) => a - b), index = new Map(all.map((v, i) => [v, i]));
    const joined = [all, all.map(() => null)];
    for (const p of best) { joined[1][index.get(p.x)] = p.y; }
    // points that share a place on the axis are drawn by hand, so all are drawn so
    const paint = (u) => {
      const r = devicePixelRatio || 1;
      u.ctx.save();
      u.ctx.setLineDash([]);
      for (const [i, p] of points.entries()) {
        const px = u.valToPos(p.x, "x", true), py = u.valToPos(p.y, "y", true);
        u.ctx.beginPath();
        u.ctx.arc(px, py, (i === now.current.at ? 8 : 5) * r, 0, 2 * Math.PI);
        u.ctx.fillStyle = p.k < mostColours ? c.all[p.k] : c.soft;
        u.ctx.strokeStyle = i === now.current.at ? c.ink : c.card;
        u.ctx.lineWidth = 1.5 * r;
        u.ctx.fill();
        u.ctx.stroke();
      }
      u.ctx.restore();
    };
    const pad = (lo, hi) => { const d = (hi - lo) * 0.06 || Math.abs(hi) * 0.06 || 1; return [lo - d, hi + d]; };
    const padLog = (lo, hi) => { const f = Math.max(1.15, (hi / lo) ** 0.06); return [lo / f, hi * f]; };
    const xs = points.map((p) => p.x), ys = points.map((p) => p.y);
    plot.current = new window.uPlot({
      ...size(), legend: { show: false }, cursor: { show: false },
      scales: { x: { time: false, distr: log ? 3 : 1, range: () => (log ? padLog : pad)(Math.min(...xs), Math.max(...xs)) }, y: { range: () => pad(Math.min(...ys), Math.max(...ys)) } },
      axes: [{ ...axis, size: 36, label: x.replaceAll("_", " "), ...(log ? { splits: (u, i, lo, hi) => decades(lo, hi, u.width), filter: (u, v) => v } : {}), values: (u, v) => v.map((n) => (n === null ? "" : shareX ? `${number(100 * n)} %` : scaled(n))) },
        { ...axis, size: 62, label: y.replaceAll("_", " "), values: (u, v) => v.map((n) => (shareY ? `${Number((100 * n).toPrecision(4))} %` : number(n))) }],
      series: [{}, { stroke: c.soft, width: 1.4, dash: [6, 4], spanGaps: true, points: { show: false } }],
      hooks: { draw: [paint] },
    }, joined, el);
    const drawn = plot.current, fit = new ResizeObserver(() => drawn.setSize(size()));
    fit.observe(el);
    return () => { fit.disconnect(); drawn.destroy(); };
  }, [JSON.stringify([points.map((p) => [p.x, p.y, p.k, p.run.name]), x, y, log, theme])]);
  useEffect(() => { now.current.at = at; if (plot.current) { plot.current.redraw(); } }, [at]);
  now.current.at = at;

  const place = (p) => { const u = plot.current, over = u.over; return { left: u.valToPos(p.x, "x") + over.offsetLeft, top: u.valToPos(p.y, "y") + over.offsetTop }; };
  function near(e) {
    const r = box.current.getBoundingClientRect(), mx = e.clientX - r.left, my = e.clientY - r.top;
    let best = -1, least = 28 * 28;
    points.forEach((p, i) => { const q = place(p), d = (q.left - mx) ** 2 + (q.top - my) ** 2; if (d < least) { least = d; best = i; } });
    return best;
  }
  function key(e) {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
    if (by) { e.preventDefault(); point(Math.min(points.length - 1, Math.max(0, at < 0 ? 0 : at + by))); }
    if (e.key === "Enter" && at >= 0) { location.hash = runLink(points[at].run.name); }
  }
  const p = at >= 0 ? points[at] : null;
  let tip = null;
  if (p && plot.current) {
    const q = place(p), right = q.left > box.current.clientWidth / 2;
    const style = right ? { right: `${box.current.clientWidth - q.left + 12}px`, top: `${Math.max(0, q.top - 20)}px` } : { left: `${q.left + 12}px`, top: `${Math.max(0, q.top - 20)}px` };
    tip = html`<div class="tip" style=${style} aria-hidden="true"><b>${p.run.command} ${p.run.methods.join(", ")}</b><span>${short(p.run.name)}, ${when(p.run.began)}</span><span>${y} ${worth(y, p.y, p.run)}</span><span>${x} ${worth(x, p.x, p.run)}</span>${best.includes(p) && html`<span class="soft">on the front</span>`}</div>`;
  }
  const said = p ? `${short(p.run.name)}, ${p.run.methods.join(", ")}: ${y} ${worth(y, p.y, p.run)}, ${x} ${worth(x, p.x, p.run)}${best.includes(p) ? ", on the front" : ""}` : `${points.length} runs, ${y} against ${x}. Arrow keys go from one to the next, Enter opens it.`;
  return html`<figure><div class="plot" ref=${box} tabindex="0" role="application" aria-label=${said} onKeyDown=${key} onMouseMove=${(e) => point(near(e))} onMouseLeave=${() => point(-1)} onBlur=${() => point(-1)} onClick=${(e) => { const i = near(e); if (i >= 0) { location.hash = runLink(points[i].run.name); } }}>${tip}</div>
    <p class="skip" role="status">${p ? said : ""}</p>
    <p class="legend"><span><i class="line"></i>front</span>${methods.slice(0, mostColours).map((m, i) => html`<span><i class=${"k" + i}></i>${m}</span>`)}${methods.length > mostColours && html`<span><i class="k6"></i>${methods.length - mostColours} more</span>`}</p></figure>`;
}

export function Trade({ query }) {
  const { value, error } = useAsked(asked(query), 4000);
  const of = useMemo(() => kinds(value ? value.runs : []), [value]);
  const kind = of.has(query.get("of")) ? query.get("of") : [...of.keys()][0];
  const runs = of.get(kind) || [];
  const run = runs[0];
  const values = useMemo(() => [...new Set(runs.flatMap((r) => Object.keys(r.values)))].filter((n) => !n.endsWith("_before")).sort(), [runs]);
  const xsOf = [...costs.filter((c) => values.includes(c)), ...values.filter((v) => !costs.includes(v) && v !== (run && run.metric))];
  const x = xsOf.includes(query.get("x")) ? query.get("x") : xsOf[0], y = run && run.metric;
  const log = query.get("log") ? query.get("log") === "yes" : !isShare(x || "");
  const methodOf = (r) => r.methods.join(", ") || r.command;
  const methods = useMemo(() => {
    const n = new Map();
    for (const r of runs) { n.set(methodOf(r), (n.get(methodOf(r)) || 0) + 1); }
    return [...n].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([m]) => m);
  }, [runs]);
  const able = (r) => typeof r.values[x] === "number" && (!log || r.values[x] > 0);
  const points = runs.filter(able).map((r) => ({ run: r, x: r.values[x], y: r.values[y], k: methods.indexOf(methodOf(r)) })).sort((a, b) => a.x - b.x || a.y - b.y);
  const best = run ? front(points, !more.has(x), run.higher) : [];
  const left = value ? value.runs.length - points.length : 0;
  const pick = (name, label, now, options) => html`<label>${label}<select value=${now} onChange=${(e) => change(query, { [name]: e.target.value })}>${options.map((o) => html`<option value=${o} selected=${o === now}>${o.replaceAll("_", " ")}</option>`)}</select></label>`;
  return html`<h1 class="skip">Plot</h1><${Filters} query=${query} words=${value && value.words} />${error && html`<${Failure} error=${error} />`}<${Notes} notes=${value && value.notes} />
    ${run && html`<div class="axes">${pick("of", "Runs with", kind, [...of.keys()])}${pick("x", "Against", x, xsOf)}<label><input type="checkbox" checked=${log} onChange=${(e) => change(query, { log: e.target.checked ? "yes" : "no" })} /> logarithmic</label></div>`}
    ${value && html`<p class="said"><span role="status">${points.length} of ${value.runs.length} runs are drawn</span>${left > 0 && html`<span>${left} have other data, another metric, or no such number</span>`}</p>`}
    ${points.length > 0 && html`<${Scatter} points=${points} best=${best} x=${x} y=${y} run=${run} log=${log} methods=${methods} />
    <h2>On the front</h2><div class="scroll cards"><table><caption class="skip">The front</caption><thead><tr><th scope="col">Run</th><th scope="col">Method</th><th scope="col" class="n">${y}</th><th scope="col" class="n">${x.replaceAll("_", " ")}</th></tr></thead>
      <tbody>${best.map((p) => html`<tr class="row" data-name=${p.run.name}><td class="name tight"><a data-row href=${runLink(p.run.name)}>${short(p.run.name)} <small>${when(p.run.began)}</small></a></td><td class="wide">${methodOf(p.run)}</td><td class="n tight" data-label=${y}>${result(p.run)}</td><td class="n tight" data-label=${x}>${worth(x, p.x, p.run)}</td></tr>`)}</tbody></table></div>`}
    ${value && points.length === 0 && html`<p class="empty">No run with a result is like that.</p>`}`;
}
