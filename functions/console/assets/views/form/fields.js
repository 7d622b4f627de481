// The form's fields, with their labels, help and errors.

import { html, useId } from "../../html.js";

/** What joins a control to its label, help and errors. */
function wiring(id, { help, errors }) {
  const notes = [errors?.length && `${id}-error`, help && `${id}-help`].filter(Boolean).join(" ");
  return { "aria-describedby": notes || null, "aria-invalid": errors?.length ? "true" : null };
}

function Notes({ id, help, errors }) {
  return html`
    ${errors?.length ? html`<div id=${`${id}-error`} class="error">${errors.map((text) => html`<p key=${text}>${text}</p>`)}</div>` : null}
    ${help ? html`<div id=${`${id}-help`} class="help">${help}</div>` : null}`;
}

/** A labelled control. `control` is given the properties that join it to its label, help and errors. */
export function Field({ label, help, errors, control }) {
  const id = useId();
  return html`<div class="field"><label for=${id}>${label}</label>
    ${control({ id, ...wiring(id, { help, errors }) })}
    <${Notes} id=${id} help=${help} errors=${errors} /></div>`;
}

/** A choice among few: `options` are `[value, label, help]`. */
export function Radios({ name, label, help, errors, value, options, choose }) {
  const id = useId();
  return html`<div class="field"><span class="label" id=${`${id}-label`}>${label}</span>
    <div role="radiogroup" class="radios" aria-labelledby=${`${id}-label`} ...${wiring(id, { help, errors })}>
      ${options.map(([key, text, note]) => html`<label key=${key}>
        <input type="radio" name=${name} value=${key} checked=${value === key} aria-describedby=${`${id}-${key}`} onChange=${() => choose(key)} />
        <span>${text}<span id=${`${id}-${key}`} class="fine">${note}</span></span></label>`)}</div>
    <${Notes} id=${id} help=${help} errors=${errors} /></div>`;
}
