// Curves over steps, epochs or time.
import { colours, html, number, percent, isShare, useEffect, useMemo, useRef, useState, useTheme } from "./common.js";
import { namesOf } from "./follow.js";

const mostLines = 12; // in a chart

// x are the ways to place a point.
const xs = {
  step: { text: "step", of: (p) => p.step },
  epoch: { text: "epoch", of: (p) => p.epoch || 0 },
  time: { text: "minutes", of: (p, first) => (Date.parse(p.time) - first) / 60000 },
};

// flat is the range of a line that stays at a value.
function flat(v, share) {
  const d = share ? 0.05 : Math.abs(v) * 0.1 || 1;
  return share && v >= 0 && v <= 1 ? [Math.max(0, v - d), Math.min(1, v + d)] : [v - d, v + d];
}

const whole = []; // steps between ticks where there are only whole numbers
for (let e = 1; e <= 1e12; e *= 10) { whole.push(e, 2 * e, 5 * e); }

// lines are the points of a value, one line a part: [label, xs, ys].
function lines(parts, name, by) {
  const out = [];
  for (const [label, ps] of parts) {
    const first = ps.length > 0 ? Date.parse(ps[0].time) : 0, at = new Map();
    for (const p of ps) { if (typeof p[name] === "number" && p.step > 0) { at.set(xs[by].of(p, first), p[name]); } }
    const x = [...at.keys()].sort((a, b) => a - b);
    if (x.length > 0) { out.push([label, x, x.map((k) => at.get(k))]); }
  }
  return out;
}

// Chart draws the lines of a value. It is made anew where lines or colours change, and given
// new data where only points came.
function Chart({ name, drawn, by, log, run }) {
  const box = useRef(), plot = useRef(), theme = useTheme();
  const share = isShare(name, run), write = (v) => (v === null || v === undefined ? "–" : share ? percent(v) : number(v));
  const data = useMemo(() => window.uPlot.join(drawn.map(([, x, y]) => [x, y])), [drawn]);
  const shape = JSON.stringify([drawn.map(([l]) => l), by, log, theme, drawn.map(([, x]) => x.length === 1)]);
  useEffect(() => {
    const at = box.current, c = colours(), size = () => ({ width: Math.max(200, at.clientWidth), height: Math.round(Math.max(190, Math.min(300, at.clientWidth * 0.55))) });
    const axis = { stroke: c.soft, grid: { stroke: c.line, width: 1 }, ticks: { stroke: c.line, width: 1 }, font: "12px system-ui, sans-serif" };
    plot.current = new window.uPlot({
      ...size(), scales: { x: { time: false }, y: log ? { distr: 3 } : { range: (u, lo, hi) => (lo === null ? [0, 1] : lo === hi ? flat(lo, share) : window.uPlot.rangeNum(lo, hi, 0.1, true)) } }, cursor: { sync: { key: "curves" }, y: false, points: { size: 7 } }, legend: { live: true },
      axes: [{ ...axis, size: 34, ...(by === "time" ? {} : { incrs: whole }), values: (u, v) => v.map(number) }, { ...axis, size: 62, values: (u, v) => v.map((x) => (x === null ? "" : share ? `${Number((100 * x).toPrecision(4))} %` : number(x))) }],
      series: [{ label: xs[by].text, value: (u, v) => (v === null ? "–" : number(v)) },
        ...drawn.map(([label, x], i) => ({ label, stroke: c.all[i % 6], width: 1.6, dash: i >= 6 ? [6, 4] : undefined, spanGaps: true, points: { show: x.length === 1 ? true : undefined, size: 6 }, value: (u, v) => write(v) }))],
    }, data, at);
    const u = plot.current, fit = new ResizeObserver(() => u.setSize(size()));
    fit.observe(at);
    return () => { fit.disconnect(); u.destroy(); };
  }, [shape]);
  useEffect(() => { plot.current.setData(data); }, [data]);
  const last = drawn.map(([label, x, y]) => `${label}: ${write(y.at(-1))} at ${xs[by].text} ${number(x.at(-1))}`);
  return html`<figure><figcaption>${name.replaceAll("_", " ")} ${drawn.length === 1 && html`<span class="soft">${write(drawn[0][2].at(-1))}</span>`}</figcaption>
    <div class="plot" ref=${box} role="img" aria-label=${`${name} over ${xs[by].text}. ${last.slice(0, 4).join("; ")}`}></div></figure>`;
}

// Curves draws all values of some parts, a Map from labels to points.
export function Curves({ parts, run }) {
  const [by, setBy] = useState("step"), [log, setLog] = useState(false), [like, setLike] = useState("");
  const all = useMemo(() => [...parts.entries()].filter(([l]) => l.toLowerCase().includes(like.toLowerCase())), [parts, like]);
  const few = all.slice(-mostLines);
  const metric = run && run.metric;
  const names = useMemo(() => namesOf(few.map(([, ps]) => ps), metric, (n) => isShare(n, run)), [parts, like, metric]);
  const charts = names.map((n) => [n, lines(few, n, by)]).filter(([, l]) => l.length > 0);
  if (parts.size === 0) { return html`<p class="empty">No points have come.</p>`; }
  return html`<div class="axes"><label>Over<select value=${by} onChange=${(e) => setBy(e.target.value)}>${Object.entries(xs).map(([k, x]) => html`<option value=${k} selected=${k === by}>${x.text}</option>`)}</select></label>
      ${parts.size > 3 && html`<label>Trainings like<input type="search" value=${like} onInput=${(e) => setLike(e.target.value)} placeholder="all" /></label>`}
      <label><input type="checkbox" checked=${log} onChange=${(e) => setLog(e.target.checked)} /> losses on a logarithmic scale</label></div>
    ${all.length > few.length && html`<p class="soft">The newest ${few.length} of ${all.length} trainings are drawn: name fewer.</p>`}
    <div class="plots">${charts.map(([n, l]) => html`<${Chart} key=${n} name=${n} drawn=${l} by=${by} run=${run} log=${log && /loss/.test(n) && l.every(([, , y]) => y.every((v) => v > 0))} />`)}</div>`;
}
