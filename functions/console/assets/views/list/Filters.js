// The filters of the list.

import { html, useEffect, useId, useRef, useState } from "../../html.js";
import { Button } from "../../components/Button.js";
import { Combobox } from "../../components/Combobox.js";
import { texts } from "../../texts.js";
import { appName } from "../../tokens.js";
import { isolated } from "../../untrusted.js";

const words = texts.list.filters;
// How long typing may pause before the search begins, in milliseconds.
const PAUSE = 300;
// Up to so many Integration Apps are a plain menu; more can be searched.
const FEW = 20;

/** The form. `filters` are those that are chosen, `change` is told others, `clear` forgets all. */
export function Filters({ keywords, filters, app, apps, filtered, change, clear }) {
  return html`<form class="filters" role="search" aria-label=${words.label} onSubmit=${(event) => event.preventDefault()}>
    <${Keywords} field=${keywords} value=${filters.q ?? ""} change=${(q) => change({ q })} />
    <${Select} label=${words.status} value=${filters.status} options=${texts.status} change=${(status) => change({ status })} />
    ${app ? null : html`
      <${Select} label=${words.kind} value=${filters.kind} options=${words.kinds} change=${(kind) => change({ kind })} />
      <${AppFilter} apps=${apps} value=${filters.integrationId} change=${(integrationId) => change({ integrationId })} />`}
    ${filtered ? html`<${Button} kind="quiet" class="clear" run=${clear}>${words.clear}<//>` : null}</form>`;
}

function Keywords({ field, value, change }) {
  const id = useId();
  const [text, setText] = useState(value);
  const timer = useRef(null);
  const latest = useRef();
  latest.current = change;
  const apply = (entered) => {
    clearTimeout(timer.current);
    timer.current = null;
    latest.current(entered.trim());
  };
  // The address may say something else by itself. While somebody types, what is typed is right.
  useEffect(() => {
    setText((now) => (timer.current || now.trim() === value ? now : value));
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return html`<div class="filter wide"><label for=${id}>${words.keywords}</label>
    <input ref=${field} id=${id} name="q" type="search" autocomplete="off" dir="auto" placeholder=${words.keywordsHint} value=${text}
      onInput=${(event) => {
        const entered = event.target.value;
        setText(entered);
        clearTimeout(timer.current);
        timer.current = setTimeout(() => apply(entered), PAUSE);
      }}
      onKeyDown=${(event) => event.key === "Enter" && apply(event.target.value)} /></div>`;
}

function Select({ label, value = "", options, change }) {
  const id = useId();
  return html`<div class="filter"><label for=${id}>${label}</label>
    <select id=${id} value=${value} onChange=${(event) => change(event.target.value)}>
      <option value="">${words.all}</option>
      ${Object.entries(options).map(([name, text]) => html`<option key=${name} value=${name}>${text}</option>`)}</select></div>`;
}

/** The Integration App, by name. Names that several have come with the id. */
function AppFilter({ apps, value = "", change }) {
  const id = useId();
  const known = apps ?? [];
  const all = value && !known.some((each) => each.id === value) ? [{ id: value, name: appName(apps, value) }, ...known] : known;
  const times = Object.groupBy(all, ({ name }) => name);
  const options = all.map((each) => ({ value: each.id, label: each.name, note: times[each.name].length > 1 ? each.id : null }));
  return html`<div class="filter"><label for=${id}>${words.app}</label>
    ${all.length > FEW
      ? html`<${Combobox} id=${id} value=${value} options=${options} choose=${change} none=${words.all}
          matches=${texts.list.apps} noMatch=${texts.list.noApp} />`
      : html`<select id=${id} value=${value} onChange=${(event) => change(event.target.value)}>
          <option value="">${words.all}</option>
          ${options.map(({ value: each, label, note }) => html`<option key=${each} value=${each}>${isolated(label)}${note ? ` (${note})` : ""}</option>`)}
        </select>`}</div>`;
}
