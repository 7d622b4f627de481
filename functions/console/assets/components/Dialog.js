// Modal dialogs. A view opens one with `openDialog` and awaits what comes of it.

import { createContext, html, useContext, useId, useLayoutEffect, useRef, useState } from "../html.js";
import { useReturn } from "../stepUp.js";
import { store } from "../store.js";
import { texts } from "../texts.js";
import { sentence } from "../words.js";
import { Button } from "./Button.js";
import { Problem } from "./Notice.js";
import { Progress } from "./Progress.js";
import { toast, Toasts } from "./Toasts.js";

const open = store([]);
const Closing = createContext(null);
let count = 0;

/**
 * Opens a dialog: `content(close)` answers a `Dialog`. Answers what `close` is given, `undefined` if the dialog is
 * closed otherwise.
 */
export function openDialog(content) {
  return new Promise((resolve) => {
    const id = ++count;
    const close = (result) => {
      open.set((all) => all.filter((each) => each.id !== id));
      resolve(result);
    };
    open.set((all) => [...all, { id, close, element: content(close) }]);
  });
}

/** Whether a dialog is open. */
export const isDialogOpen = () => open.get().length > 0;

/** Closes every dialog, as if nobody had chosen anything. */
export function closeDialogs() {
  for (const { close } of open.get()) close();
}

/** Where dialogs appear: once in the page. */
export function Dialogs() {
  return open.use().map(({ id, close, element }) => html`<${Closing.Provider} key=${id} value=${close}>${element}<//>`);
}

/**
 * A modal dialog. `mayClose` can keep it open, and is asked when it is closed by Escape or the cross. What has the
 * attribute `data-focus` has the focus first, else the heading.
 */
export function Dialog({ title, kind = "", mayClose = () => true, children }) {
  const close = useContext(Closing);
  const heading = useId();
  const element = useRef();
  useLayoutEffect(() => {
    const dialog = element.current;
    const returnTo = document.activeElement;
    dialog.showModal();
    (dialog.querySelector("[data-focus]") ?? dialog.querySelector("h2")).focus();
    return () => {
      dialog.close();
      if (returnTo?.isConnected) returnTo.focus();
    };
  }, []);
  const ask = (event) => {
    event.preventDefault();
    if (mayClose()) close();
  };
  return html`<dialog ref=${element} class=${kind} aria-labelledby=${heading} onCancel=${ask} onClose=${() => close()}>
    <${Progress} />
    <header><h2 id=${heading} tabindex="-1">${title}</h2>
      <${Button} kind="quiet" class="icon-only" icon="close" aria-label=${texts.close} run=${ask} /></header>
    ${children}
    <${Toasts} /></dialog>`;
}

/** The buttons at the end of a dialog. */
export const Footer = ({ children }) => html`<footer>${children}</footer>`;

/**
 * Asks before something happens. `run` does it, given the entries of the `fields`; the dialog stays open with the problem
 * if it fails, and `contents` are asked for anew. `resume` is where a sign-in that it needs returns to, or answers that,
 * given the entries. Answers whether it was done, when nothing of it is under way any more: a browser can close a dialog
 * that is asked to stay, and what comes of it must not be lost.
 */
export async function confirm({ run, ...given }) {
  let attempt = null;
  const begin = (entries) => {
    attempt = run(entries);
    return attempt;
  };
  await openDialog(() => html`<${Confirm} ...${given} run=${begin} />`);
  return Boolean(attempt) && attempt.then(() => true, () => false);
}

function Confirm({ title, action, danger = false, contents, fields, resume, run }) {
  const close = useContext(Closing);
  const [error, setError] = useState(null);
  const [marks, setMarks] = useState({});
  const [working, setWorking] = useState(false);
  const form = useRef();
  const submitted = useRef(false);
  // With the failure, and not a frame later: what is typed meanwhile goes elsewhere.
  useLayoutEffect(() => {
    form.current?.querySelector("[aria-invalid=true]")?.focus();
  }, [marks]);
  const submit = async () => {
    // A form can be sent by a key as well, while it is on its way.
    if (submitted.current) return;
    submitted.current = true;
    setWorking(true);
    setError(null);
    setMarks({});
    try {
      await run(Object.fromEntries(new FormData(form.current)));
      close(true);
    } catch (failure) {
      setError(failure);
      const placed = (failure.fields ?? []).filter(({ field }) => form.current?.elements.namedItem(field));
      setMarks(Object.fromEntries(placed.map(({ field, message }) => [field, message])));
      // Nobody sees the dialog any more.
      if (!form.current) toast(failure.title ? failure.message : texts.errors.page.join(" "), "danger");
    } finally {
      submitted.current = false;
      setWorking(false);
    }
  };
  const back = () => (typeof resume === "function" ? resume(Object.fromEntries(new FormData(form.current))) : resume);
  useReturn(back);
  const homeless = (error?.fields ?? []).filter(({ field }) => !(field in marks));
  return html`<${Dialog} title=${title} mayClose=${() => !submitted.current}>
    <form ref=${form} method="dialog" novalidate onSubmit=${(event) => {
      event.preventDefault();
      form.current.querySelector("footer [data-action]").click();
    }}>
      <div class="text">${contents()}</div>
      ${fields?.(marks)}
      <${Problem} error=${error} resume=${back}>${homeless.map(({ field, message }) => html`<p>${field}: ${message}</p>`)}<//>
      <${Footer}>
        <${Button} data-focus=${fields ? null : true} aria-disabled=${working ? "true" : null} run=${() => close()}>${texts.cancel}<//>
        <${Button} kind=${danger ? "danger" : "primary"} data-action run=${submit}>${action}<//>
      <//>
    </form><//>`;
}

/** A labelled control in a dialog. `control` is given the properties that join it to its label, help and error. */
export function DialogField({ name, label, help, error, control }) {
  const id = useId();
  const notes = [help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ");
  return html`<div class="field"><label for=${id}>${label}</label>
    ${control({ id, name, "aria-describedby": notes || null, "aria-invalid": error ? "true" : null })}
    ${error ? html`<p id=${`${id}-error`} class="error">${sentence(label.replace(/ \(.*\)$/, ""), error)}</p>` : null}
    ${help ? html`<p id=${`${id}-help`} class="help">${help}</p>` : null}</div>`;
}

/** Asks a question with two answers. Answers whether it was affirmed. */
export const ask = ({ title, text, action, danger }) =>
  confirm({ title, action, danger, contents: () => html`<p>${text}</p>`, run: async () => {} });
