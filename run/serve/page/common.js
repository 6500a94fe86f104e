// What all views share: the libraries, requests, and how numbers are written.
import { h, render } from "./lib/preact.mjs";
import { useCallback, useEffect, useMemo, useRef, useState } from "./lib/hooks.mjs";
import htm from "./lib/htm.mjs";

export { render, useCallback, useEffect, useMemo, useRef, useState };
export const html = htm.bind(h);

// ask gets JSON; an error is what the server says.
export async function ask(path, signal) {
  let r;
  try {
    r = await fetch(path, { signal });
  } catch (e) {
    if (e.name === "AbortError") { throw e; }
    throw new Error("pare serve does not answer: it has ended, or cannot be reached");
  }
  let v;
  try {
    v = await r.json();
  } catch {
    v = { error: `${r.status} ${r.statusText}` };
  }
  if (!r.ok) { throw new Error(v.error || String(r.status)); }
  return v;
}

// useAsked is what the server says at a path: asked for anew every so many milliseconds as
// long as the page is seen, where every is not 0.
export function useAsked(path, every) {
  const [state, set] = useState({});
  useEffect(() => {
    const stop = new AbortController();
    let timer = 0, last = "";
    async function go() {
      clearTimeout(timer);
      try {
        const value = await ask(path, stop.signal), text = JSON.stringify(value);
        if (text !== last) { last = text; set({ path, value }); }
      } catch (error) {
        if (stop.signal.aborted) { return; }
        last = "";
        set((s) => ({ path, value: s.path === path ? s.value : undefined, error }));
      }
      if (every > 0 && !document.hidden && !stop.signal.aborted) { timer = setTimeout(go, every); }
    }
    const seen = () => { if (!document.hidden && every > 0) { go(); } };
    document.addEventListener("visibilitychange", seen);
    go();
    return () => { stop.abort(); clearTimeout(timer); document.removeEventListener("visibilitychange", seen); };
  }, [path, every]);
  return state.path === path ? state : {};
}

// Numbers.
export function number(x) {
  if (typeof x !== "number" || !Number.isFinite(x)) { return "–"; }
  return x !== 0 && Math.abs(x) < 1e-3 ? x.toExponential(2) : String(Number(x.toPrecision(4)));
}
export function scaled(x, unit = "") {
  for (const [f, s] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (Math.abs(x) >= f) { return `${Number((x / f).toPrecision(3))}\u00a0${s}${unit}`; }
  }
  return number(x) + (unit ? "\u00a0" + unit : "");
}
export const percent = (x) => `${(100 * x).toFixed(2)}\u00a0%`;
export function took(s) {
  if (!(s > 0)) { return "–"; }
  if (s < 60) { return `${s.toFixed(s < 10 ? 1 : 0)}\u00a0s`; }
  const m = Math.floor(s / 60), hours = Math.floor(m / 60);
  return hours > 0 ? `${hours}\u00a0h ${m % 60}\u00a0min` : `${m}\u00a0min ${Math.round(s % 60)}\u00a0s`;
}
export function when(t) {
  const d = new Date(t), p = (n) => String(n).padStart(2, "0");
  return Number.isNaN(d.getTime()) ? "–" : `${d.getFullYear()}-${p(d.getMonth() + 1)}-${p(d.getDate())} ${p(d.getHours())}:${p(d.getMinutes())}:${p(d.getSeconds())}`;
}

// isShare says whether a value is a share, as metrics in per cent are: a run brings the names
// of those.
const shares = new Set(["sparsity"]);
export const isShare = (name, run) => shares.has(base(name)) || Boolean(run && ((run.percent && base(name) === run.metric) || (run.shares || []).includes(base(name).replace(/^final_/, ""))));
export const base = (name) => name.replace(/_before$/, "");

// worth writes a value of a run by its name.
export function worth(name, x, run) {
  if (typeof x !== "number") { return "–"; }
  if (isShare(name, run)) { return percent(x); }
  switch (base(name)) {
    case "bytes": return scaled(x, "B");
    case "milliseconds": return `${number(x)}\u00a0ms`;
    case "time_ratio": return `${number(x)}×`;
    case "parameters": case "nonzero": case "macs": return scaled(x);
  }
  return number(x);
}
export const result = (run) => (run.metric && run.values && run.metric in run.values ? worth(run.metric, run.values[run.metric], run) : "–");

// short is what tells runs apart at a glance.
export const short = (name) => name.slice(-6);
export const runLink = (name, tab) => `#/run/${name}${tab ? "/" + tab : ""}`;

export const Status = ({ is }) => html`<span class=${"status " + is}>${is}</span>`;
export const Tags = ({ tags }) => tags.map((t) => html`<span class="tag">${t}</span>`);
export const Failure = ({ error }) => html`<div class="notes error" role="alert"><p>${error.message}</p></div>`;

// colours of the page as it is drawn now, for canvases.
export function colours() {
  const s = getComputedStyle(document.documentElement), v = (n) => s.getPropertyValue(n).trim();
  return { ink: v("--ink"), soft: v("--soft"), line: v("--line"), card: v("--card"), all: ["--c0", "--c1", "--c2", "--c3", "--c4", "--c5"].map(v) };
}

// useTheme changes when the colours do.
export function useTheme() {
  const [n, set] = useState(0);
  useEffect(() => {
    const more = () => set((k) => k + 1), dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", more);
    document.addEventListener("pare-theme", more);
    return () => { dark.removeEventListener("change", more); document.removeEventListener("pare-theme", more); };
  }, []);
  return n;
}
