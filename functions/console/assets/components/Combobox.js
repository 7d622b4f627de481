import { html, useEffect, useId, useRef, useState } from "../html.js";
import { visible } from "../untrusted.js";
import { Foreign } from "./Text.js";

/**
 * A field that chooses one of many options, `[{ value, label, note }]`, by typing a part of its label. `none` is what
 * the choice of nothing is called, `matches` how many match and `noMatch` that none does.
 */
export function Combobox({ id, value, options, choose, none, matches, noMatch }) {
  const list = useId();
  const box = useRef();
  const input = useRef();
  const [open, setOpen] = useState(false);
  // What was typed, `null` while the field says what is chosen.
  const [typed, setTyped] = useState(null);
  const [active, setActive] = useState(-1);

  const label = (each) => visible(each.label);
  const chosen = options.find((each) => each.value === value);
  const words = (typed ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const found = options.filter((each) => words.every((word) => `${label(each)} ${each.note ?? ""}`.toLowerCase().includes(word)));
  const shown = words.length ? found : [{ value: "", label: none }, ...found];

  useEffect(() => {
    if (open) box.current?.querySelector("[data-active]")?.scrollIntoView({ block: "nearest" });
  }, [open, active]);

  const show = () => {
    setOpen(true);
    setActive(Math.max(0, shown.findIndex((each) => each.value === value)));
  };
  const close = () => {
    setOpen(false);
    setTyped(null);
    setActive(-1);
  };
  const take = (each) => {
    close();
    if (each.value !== value) choose(each.value);
  };
  const keys = (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!open) return show();
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (shown.length) setActive((now) => (now + step + shown.length) % shown.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (open && shown[active]) take(shown[active]);
    } else if (event.key === "Escape" && (open || typed !== null)) {
      event.preventDefault();
      close();
    }
    return undefined;
  };
  return html`<div class="combobox" ref=${box}>
    <input ref=${input} id=${id} role="combobox" type="text" autocomplete="off" spellcheck="false" dir="auto" placeholder=${none}
      aria-autocomplete="list" aria-expanded=${String(open)} aria-controls=${list} aria-activedescendant=${open && shown[active] ? `${list}-${active}` : null}
      value=${typed ?? (chosen ? label(chosen) : "")}
      onInput=${(event) => {
        setTyped(event.target.value);
        setOpen(true);
        setActive(0);
      }}
      onClick=${() => (open ? null : show())} onFocus=${(event) => event.target.select()} onBlur=${close} onKeyDown=${keys} />
    <ul id=${list} role="listbox" aria-label=${none} hidden=${!open} class="options-list" onMouseDown=${(event) => event.preventDefault()}>
      ${open ? shown.map((each, index) => html`<li key=${each.value} id=${`${list}-${index}`} role="option" aria-selected=${String(each.value === (value ?? ""))}
        data-active=${index === active ? "" : null} onClick=${() => take(each)}>
        <${Foreign} text=${each.label} />${each.note ? html` <code class="fine">${each.note}</code>` : null}</li>`) : null}
      ${open && shown.length === 0 ? html`<li role="option" aria-disabled="true" aria-selected="false" class="fine">${noMatch}</li>` : null}</ul>
    <span class="visually-hidden" role="status">${open && words.length ? matches(found.length) : ""}</span></div>`;
}
