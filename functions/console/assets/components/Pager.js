import { html, useId } from "../html.js";
import { texts } from "../texts.js";
import { Button } from "./Button.js";

const words = texts.list;

/**
 * The way to other pages, and how much is on one. `previous`, `first` and `next` go there; without one of them there is
 * no such way.
 */
export function Pager({ sizes, size, resize, previous, first, next }) {
  const id = useId();
  return html`<nav class="pager" aria-label=${words.pages}>
    <label for=${id}>${words.perPage}</label>
    <select id=${id} value=${size} onChange=${(event) => resize(event.target.value)}>
      ${sizes.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select>
    <span class="spring"></span>
    ${first ? html`<${Button} run=${first}>${words.first}<//>` : null}
    <${Button} disabled=${!previous} run=${previous}>${words.previous}<//>
    <${Button} disabled=${!next} run=${next}>${words.next}<//></nav>`;
}
