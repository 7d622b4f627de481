import { html, useId, useRef, useState } from "../html.js";

/** Panels of which one is shown: `tabs` are `{ key, label, panel }`, with `panel()` answering what it shows. */
export function Tabs({ label, tabs }) {
  const [chosen, setChosen] = useState(tabs[0].key);
  const id = useId();
  const row = useRef();
  const current = tabs.find(({ key }) => key === chosen) ?? tabs[0];
  const keys = (event) => {
    const at = tabs.indexOf(current);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1 + tabs.length, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    setChosen(tabs[to % tabs.length].key);
    row.current.children[to % tabs.length].focus();
  };
  return html`<div class="tabs"><div ref=${row} role="tablist" aria-label=${label} onKeyDown=${keys}>${tabs.map((tab) => html`
      <button key=${tab.key} type="button" role="tab" id=${`${id}-${tab.key}`} aria-selected=${String(tab === current)} aria-controls=${`${id}-panel`}
        tabindex=${tab === current ? 0 : -1} onClick=${() => setChosen(tab.key)}>${tab.label}</button>`)}</div>
    <div key=${current.key} role="tabpanel" class="panel" id=${`${id}-panel`} aria-labelledby=${`${id}-${current.key}`}>${current.panel()}</div></div>`;
}
