import { html, useId, useState } from "../../html.js";
import { Button } from "../../components/Button.js";
import { Foreign } from "../../components/Text.js";
import { texts } from "../../texts.js";
import { LISTS, attention, references, useNames } from "../../tokens.js";
import { wordFor } from "../../untrusted.js";

const words = texts.tokenPage;
// More resources than these are folded, and can be searched.
const SHOWN = 20;

/** What a token may do, by name, and what it is for. */
export function TokenScope({ token }) {
  const title = useId();
  const careless = attention(token).some(({ what }) => what === "fullForever");
  return html`<section class="card" aria-labelledby=${title}>
    ${token.description ? html`<h2>${words.description}</h2><p class="description"><${Foreign} text=${token.description} /></p>` : null}
    <h2 id=${title}>${words.mayDo}</h2>
    ${token.scope.type === "full" ? html`
      <p><strong>${texts.scope.full}.</strong> ${token.kind === "integrationApp" ? words.fullApp : words.full}</p>
      ${careless ? html`<p class="hint">${words.fullForever}</p>` : null}` : html`<${Custom} token=${token} />`}</section>`;
}

function Custom({ token }) {
  const names = useNames(token.accountId, token.scope);
  const id = useId();
  const [search, setSearch] = useState("");
  const [all, setAll] = useState(false);
  const resources = references(token.scope).map((reference) => {
    const [list, resource] = reference.split("/");
    return { list, id: resource, name: names?.get(reference), removed: names?.get(reference) === null };
  });
  const long = resources.length > SHOWN;
  const text = search.trim().toLowerCase();
  const matches = (each) => [each.id, each.name].some((part) => part?.toLowerCase().includes(text));
  const found = text ? resources.filter(matches) : resources;
  const shown = long && !all && !text ? found.slice(0, SHOWN) : found;
  const removed = resources.filter((each) => each.removed).length;
  return html`
    <p>${resources.length ? words.custom(resources.length) : words.nothing}</p>
    ${removed ? html`<p class="hint">${words.removedCount(removed)}</p>` : null}
    ${long ? html`<div class="field"><label for=${id} class="visually-hidden">${words.search}</label>
      <input id=${id} type="search" dir="auto" autocomplete="off" placeholder=${words.search} value=${search}
        onInput=${(event) => setSearch(event.target.value)} />
      <p class="visually-hidden" role="status">${text ? words.matches(found.length) : ""}</p></div>` : null}
    <div class="scope-lists">${Object.keys(LISTS).filter((list) => shown.some((each) => each.list === list)).map((list) => {
      const total = found.filter((each) => each.list === list).length;
      return html`<div key=${list}><h3>${wordFor(texts.lists, list)?.[0] ?? list} <span class="count">${total}</span></h3>
        <ul>${shown.filter((each) => each.list === list).map((each) => html`<li key=${each.id}>
          ${each.name == null || each.name === each.id ? null : html`<${Foreign} text=${each.name} />`}
          <code>${each.id}</code>${each.removed ? html`<span class="badge warning">${words.removed}</span>` : null}</li>`)}</ul></div>`;
    })}</div>
    ${text && found.length === 0 ? html`<p class="fine">${words.noMatch}</p>` : null}
    ${long && !text ? html`<${Button} kind="quiet" class="more" aria-expanded=${String(all)} run=${() => setAll(!all)}>
      ${all ? words.showFewer : words.showAll(resources.length)}<//>` : null}`;
}
