import { html, useState } from "../html.js";
import { Icon } from "./Icon.js";

/**
 * A button. While what `run` starts is under way, the button shows it and does nothing more. `kind` is `primary`,
 * `danger`, `quiet` or nothing; other properties are the element's.
 */
export function Button({ kind = "", icon, run, children, class: extra = "", ...properties }) {
  const [working, setWorking] = useState(false);
  const click = async (event) => {
    if (working || properties["aria-disabled"] === "true") return;
    const done = run?.(event);
    if (!(done instanceof Promise)) return;
    setWorking(true);
    try {
      await done;
    } finally {
      setWorking(false);
    }
  };
  return html`<button type="button" ...${properties} class=${`${kind} ${extra} ${working ? "working" : ""}`.trim()}
    aria-disabled=${working ? "true" : properties["aria-disabled"]} onClick=${click}>
    ${icon ? html`<${Icon} name=${icon} />` : null}${children}</button>`;
}

/** A link that looks like a button. */
export function ButtonLink({ kind = "", icon, href, children }) {
  return html`<a class=${`button ${kind}`} href=${href}>${icon ? html`<${Icon} name=${icon} />` : null}${children}</a>`;
}
