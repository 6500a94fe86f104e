// The table of runs.
import { Failure, html, number, result, runLink, scaled, short, Status, Tags, took, useAsked, useMemo, useState, when, worth } from "./common.js";
import { asked, Filters, Notes } from "./filters.js";

// columns: what they are called, what they show, and what they sort by.
const columns = [
  { name: "Run", key: (r) => r.name },
  { name: "Status", key: (r) => r.status },
  { name: "Command", key: (r) => r.command },
  { name: "Method", key: (r) => r.methods.join(" ") },
  { name: "Result", num: true, key: (r) => (r.metric && r.values ? r.values[r.metric] : undefined) },
  { name: "Sparsity", num: true, key: (r) => (r.values ? r.values.sparsity : undefined) },
  { name: "Took", num: true, key: (r) => r.took },
  { name: "Size", num: true, key: (r) => r.bytes },
  { name: "Tags", key: (r) => r.tags.join(" ") },
];

// sorted sorts by a column; what has no value comes last in both directions.
function sorted(runs, by) {
  if (!by) { return runs; }
  const key = columns[by.i].key, none = (x) => x === undefined || x === null || x === "";
  return [...runs].sort((a, b) => {
    const x = key(a), y = key(b);
    if (none(x) || none(y)) { return none(x) - none(y); }
    return (x < y ? -1 : x > y ? 1 : 0) * (by.up ? 1 : -1);
  });
}

const few = (names) => (names.length > 3 ? `${names.slice(0, 2).join(", ")} and ${names.length - 2} more` : names.join(", "));
const has = (r, name) => Boolean(r.values && name in r.values);
const most = 200; // rows at first

export function Runs({ query, marked, mark, clear }) {
  const { value, error } = useAsked(asked(query), 2000);
  const [by, sort] = useState(null), [shown, show] = useState(most);
  const runs = useMemo(() => sorted(value ? value.runs : [], by), [value, by]);
  const head = (c, i) => {
    const dir = by && by.i === i ? (by.up ? "ascending" : "descending") : null;
    return html`<th scope="col" class=${c.num ? "n" : ""} aria-sort=${dir}><button type="button" onClick=${() => sort(by && by.i === i && by.up === !c.num ? { i, up: !by.up } : { i, up: by && by.i === i ? !by.up : !c.num })}>${c.name}</button></th>`;
  };
  const row = (r) => html`<tr class="row" key=${r.name} data-name=${r.name} onClick=${(e) => { if (!e.target.closest("a, input, label") && !String(getSelection())) { location.hash = runLink(r.name); } }}>
    <td class="mark"><input type="checkbox" checked=${marked.includes(r.name)} aria-label=${"mark " + short(r.name) + " to compare"} onChange=${() => mark(r.name)} /></td>
    <td class="tight name"><a data-row href=${runLink(r.name)} title=${r.name + "\n" + r.line}>${short(r.name)} <small>${when(r.began)}</small></a></td>
    <td><${Status} is=${r.status} /></td><td>${r.command}</td><td class="wide">${few(r.methods)}</td>
    <td class=${"n tight wide" + (has(r, r.metric) ? "" : " none")} data-label="Result">${has(r, r.metric) ? html`<span><span class="soft">${r.metric} </span>${result(r)}</span>` : "–"}</td>
    <td class=${"n tight wide" + (has(r, "sparsity") ? "" : " none")} data-label="Sparsity">${has(r, "sparsity") ? worth("sparsity", r.values.sparsity) : "–"}</td>
    <td class="n tight" data-label="Took">${took(r.took)}</td><td class="n tight" data-label="Size">${scaled(r.bytes, "B")}</td><td class="wide" data-label="Tags">${r.tags.length > 0 && html`<span><${Tags} tags=${r.tags} /></span>`}</td></tr>`;
  return html`<h1 class="skip">Runs</h1><${Filters} query=${query} words=${value && value.words} />
    ${error && html`<${Failure} error=${error} />`}<${Notes} notes=${value && value.notes} />
    <div class="said"><span role="status">${value ? `${runs.length} of ${value.all} runs` : "…"}</span><span class="hint">${value && html`<code>${value.dir}</code>`}</span><span class="grow"></span>
      ${marked.length > 0 && html`<span>${marked.map(short).join(" and ")} marked</span>`}
      ${marked.length === 2 && html`<a href=${`#/diff/${marked[0]}/${marked[1]}`}>Compare</a>`}${marked.length > 0 && html`<button type="button" onClick=${clear}>Unmark</button>`}</div>
    ${value && runs.length === 0 && html`<p class="empty">${value.all === 0 ? html`There are no runs yet. <code>pare model prune</code>, <code>train</code> and <code>compare</code> leave one each.` : "No run is like that."}</p>`}
    ${runs.length > 0 && html`<div class="scroll cards"><table><caption class="skip">Runs, newest first</caption><thead><tr><th scope="col"><span class="skip">Compare</span></th>${columns.map(head)}</tr></thead>
      <tbody>${runs.slice(0, shown).map(row)}</tbody></table></div>`}
    ${runs.length > shown && html`<p><button type="button" onClick=${() => show(shown + 5 * most)}>Show ${number(Math.min(5 * most, runs.length - shown))} more of ${runs.length}</button></p>`}`;
}
