import { html, useEffect, useRef, useState } from "../html.js";
import { texts } from "../texts.js";
import { Button } from "./Button.js";
import { toast } from "./Toasts.js";

// How long a button says that it has copied, in milliseconds.
const SAID = 2500;

/**
 * A button that copies a text and says so on itself. `text()` is asked when it is pressed; `field` is what is selected
 * instead if the browser doesn't allow it. `done` hears that it was copied.
 */
export function Copy({ text, field, label, children, kind, done, ...properties }) {
  const [copied, setCopied] = useState(false);
  const timer = useRef();
  useEffect(() => () => clearTimeout(timer.current), []);
  const run = async () => {
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      field?.current?.focus();
      field?.current?.select();
      toast(texts.copy.notAllowed, "warning");
      return;
    }
    setCopied(true);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setCopied(false), SAID);
    done?.();
  };
  return html`<${Button} ...${properties} kind=${kind} class=${copied ? "copied" : ""} icon=${copied ? "check" : "copy"}
      aria-label=${copied ? null : label} run=${run}>${copied ? texts.copy.copied : children}<//>
    <span class="visually-hidden" role="status">${copied ? texts.copy.copied : ""}</span>`;
}
