import { html, useLayoutEffect, useRef } from "../html.js";

/**
 * A text that has to be legible as a whole, such as a secret: it wraps, and is as high as it needs to be, at every
 * width. The text is a property of the field only, so that nothing that reads the page's markup finds it.
 */
export function Whole({ value, label, field }) {
  const own = useRef();
  const element = field ?? own;
  useLayoutEffect(() => {
    const area = element.current;
    area.value = value;
    const grow = () => {
      area.style.height = `${area.scrollHeight + area.offsetHeight - area.clientHeight}px`;
    };
    const fit = () => {
      area.style.height = "0";
      grow();
      // Without the field's height there may have been no scroll bar, which takes from the width.
      if (area.scrollHeight > area.clientHeight) grow();
    };
    fit();
    const watch = new ResizeObserver(fit);
    watch.observe(area.parentElement);
    return () => {
      watch.disconnect();
      area.value = "";
    };
  }, [value]);
  return html`<textarea ref=${element} class="whole" readonly rows="1" spellcheck="false" autocomplete="off" aria-label=${label}
    onFocus=${(event) => event.target.select()}></textarea>`;
}
