import { html } from "../html.js";
import { signInAgain } from "../stepUp.js";
import { texts } from "../texts.js";
import { isDirty } from "../unsaved.js";
import { Button } from "./Button.js";
import { Icon } from "./Icon.js";

const ICONS = { danger: "warning", warning: "warning", info: "info" };

/** Something that people should know. `kind` is `info`, `warning` or `danger`; with `alert`, it is read out at once. */
export function Notice({ kind = "info", alert = false, actions, children }) {
  return html`<div class=${`notice ${kind}`} role=${alert ? "alert" : null}>
    <${Icon} name=${ICONS[kind]} /><div>${children}</div>${actions}</div>`;
}

/**
 * What an error says, and what can be done. `resume` is the address to return to after a sign-in that it asks for, or
 * answers it.
 */
export function Problem({ error, actions, resume, children }) {
  if (!error) return null;
  if (!error.title) console.error(error);
  const again = error.code === "step_up_required"
    ? html`<${Button} kind="primary" run=${() => signInAgain(typeof resume === "function" ? resume() : resume)}>${texts.signIn.again}<//>` : null;
  return html`<${Notice} kind=${again ? "warning" : "danger"} alert actions=${[again, actions]}>
    <p><strong>${error.title ?? texts.errors.page[0]}</strong> ${error.advice ?? texts.errors.page[1]}
      ${again && isDirty() ? ` ${texts.signIn.kept}` : ""}</p>
    ${error.code === "internal_error" && error.requestId
      ? html`<p class="fine">${texts.errors.request} <code>${error.requestId}</code></p>` : null}
    ${children}<//>`;
}
