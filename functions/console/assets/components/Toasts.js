import { html, useEffect, useId } from "../html.js";
import { store } from "../store.js";
import { texts } from "../texts.js";
import { Button } from "./Button.js";

// How long a message stays, in milliseconds.
const SHOWN = 8000;

const message = store(null);
// The regions that are there. What is behind a dialog is silent, so the last one has the message.
const regions = store([]);
let timer = null;

/** Says something, to the eye and to screen readers. `kind` is `info`, `warning` or `danger`. */
export function toast(text, kind = "info") {
  clearTimeout(timer);
  message.set({ text, kind });
  timer = setTimeout(() => message.set(null), SHOWN);
}

/** Where messages appear: once in the page, and once in each dialog. */
export function Toasts() {
  const id = useId();
  const now = message.use();
  const last = regions.use().at(-1) === id;
  useEffect(() => {
    regions.set((all) => [...all, id]);
    return () => regions.set((all) => all.filter((each) => each !== id));
  }, []);
  return html`<div class="toasts" role="status" aria-live="polite">${now && last ? html`
    <div class=${`toast ${now.kind}`} key=${now.text}><p>${now.text}</p>
      <${Button} kind="quiet" class="icon-only" icon="close" aria-label=${texts.dismiss} run=${() => message.set(null)} /></div>` : null}</div>`;
}
