// A run's points as they come.
import { useEffect, useState } from "./common.js";

// useFollowed follows a run until it ends: its row, its points by training, and what is to
// be known. What comes within a quarter of a second is shown at once.
export function useFollowed(name) {
  const [state, set] = useState({ parts: new Map(), count: 0 });
  useEffect(() => {
    let now = { parts: new Map(), count: 0, notes: [] }, timer = 0;
    const soon = () => { timer = timer || setTimeout(() => { timer = 0; set({ ...now, parts: new Map(now.parts) }); }, 250); };
    const from = new EventSource(`/api/runs/${encodeURIComponent(name)}/points`);
    const on = (event, f) => from.addEventListener(event, (e) => { f(JSON.parse(e.data)); soon(); });
    const begin = () => { now = { ...now, parts: new Map(), count: 0, notes: [] }; };
    from.addEventListener("open", () => { begin(); now.lost = false; soon(); });
    on("run", (run) => { now.run = run; });
    on("again", begin);
    on("note", (n) => { now.notes.push(n.text); });
    on("points", (ps) => {
      for (const p of ps) {
        const part = partOf(p);
        if (!now.parts.has(part)) { now.parts.set(part, []); }
        now.parts.get(part).push(p);
      }
      now.count += ps.length;
    });
    on("end", (run) => { now.run = run; now.ended = true; from.close(); });
    from.addEventListener("error", () => { now.lost = true; soon(); }); // the browser tries again
    return () => { from.close(); clearTimeout(timer); };
  }, [name]);
  return state;
}

// partOf names the training that a point is of.
function partOf(p) {
  return [p.of, p.training > 1 || !p.of ? "training " + (p.training || 1) : ""].filter(Boolean).join(", ");
}

const fixed = new Set(["time", "of", "training", "step", "epoch"]);

// namesOf are the values that the points of some parts have, in the order in which they are drawn.
export function namesOf(parts, metric, first) {
  const seen = new Set();
  for (const ps of parts) { for (const p of ps) { for (const k in p) { if (!fixed.has(k) && p.step > 0) { seen.add(k); } } } }
  const rank = (n) => { const i = ["loss", "epoch_loss", "held_out_loss", "sparsity", "learning_rate"].indexOf(n); return n === metric ? -2 : first(n) && i < 0 ? -1 : i < 0 ? 2.5 : i; };
  return [...seen].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}
