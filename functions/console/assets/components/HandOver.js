import { html, useRef, useState } from "../html.js";
import { texts } from "../texts.js";
import { Button } from "./Button.js";
import { Copy } from "./Copy.js";
import { Dialog, Footer, openDialog } from "./Dialog.js";
import { Whole } from "./Whole.js";

/** Hands a secret over: a new one, or one that is `shown` again. `secret` is missing if an earlier attempt did it. */
export function handOver(given) {
  return openDialog((close) => html`<${HandOver} ...${given} close=${close} />`);
}

function HandOver({ title, token, secret, me, shown, close }) {
  const field = useRef();
  return html`<${Dialog} title=${title}>
    <div class="text"><${Whole} value=${secret} label=${token.name} field=${field} />
      <${Copy} text=${() => secret} field=${field} kind="primary" data-focus>Copy token<//></div>
    <${Footer}><${Button} run=${() => close()}>${texts.done}<//><//><//>`;
}
