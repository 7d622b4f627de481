import { html, useId, useRef, useState } from "../html.js";
import { Icon } from "./Icon.js";

/**
 * A button that opens a menu. `items()` is asked when it opens: `{ label, run, danger, reason, current }`. An item with
 * a reason can be read but not chosen. Without `children`, the button is three dots called `label`.
 */
export function Menu({ label, items, kind = "quiet", children }) {
  const id = useId();
  const button = useRef();
  const menu = useRef();
  const [open, setOpen] = useState(null);
  // A click outside closes the menu before the button hears of it, also when it is on the button.
  const wasOpen = useRef(false);

  const entries = () => [...menu.current.querySelectorAll("[role^=menuitem]")];
  const focus = (index) => {
    const all = entries();
    all.at(index % all.length)?.focus({ preventScroll: true });
  };
  const show = (index) => {
    setOpen(items());
    // The items are drawn first.
    requestAnimationFrame(() => {
      if (!menu.current?.isConnected) return;
      menu.current.showPopover();
      place(menu.current, button.current);
      focus(index);
    });
  };
  const close = () => {
    menu.current.hidePopover();
    button.current.focus();
  };
  const keys = (event) => {
    const all = entries();
    const index = all.indexOf(document.activeElement);
    const moves = { ArrowDown: index + 1, ArrowUp: index - 1 + all.length, Home: 0, End: -1 };
    if (event.key in moves) {
      event.preventDefault();
      focus(moves[event.key]);
    } else if (event.key === "Tab") {
      close();
    } else if (event.key === "Escape") {
      event.preventDefault();
      close();
    } else if (event.key.length === 1) {
      const found = [...all.slice(index + 1), ...all]
        .find((item) => item.textContent.replace(/^\u2068/, "").toLowerCase().startsWith(event.key.toLowerCase()));
      found?.focus();
    }
  };
  const choose = ({ reason, run }) => {
    if (reason) return;
    close();
    run();
  };
  return html`<span class="menu-anchor">
    <button ref=${button} type="button" class=${kind} aria-haspopup="menu" aria-expanded=${String(Boolean(open))}
      aria-label=${children ? null : label} aria-controls=${id}
      onPointerDown=${() => { wasOpen.current = menu.current.matches(":popover-open"); }}
      onClick=${() => {
        if (!wasOpen.current) show(0);
        wasOpen.current = false;
      }}
      onKeyDown=${(event) => {
        if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
        event.preventDefault();
        show(event.key === "ArrowDown" ? 0 : -1);
      }}>${children ?? html`<${Icon} name="more" />`}${children ? html`<${Icon} name="down" />` : null}</button>
    <div ref=${menu} id=${id} role="menu" aria-label=${label} popover="auto" class="menu" onKeyDown=${keys}
      onToggle=${(event) => event.newState === "closed" && setOpen(null)}>
      ${(open ?? []).map((item, index) => html`<${Item} key=${index} item=${item} choose=${choose} />`)}</div></span>`;
}

function Item({ item, choose }) {
  const { label, danger, reason, current } = item;
  const note = useId();
  return html`<button type="button" role=${current === undefined ? "menuitem" : "menuitemradio"} tabindex="-1"
    class=${danger ? "danger" : null} aria-disabled=${reason ? "true" : null}
    aria-checked=${current === undefined ? null : String(current)} aria-describedby=${reason ? note : null}
    aria-label=${label} onClick=${() => choose(item)}>
    <span>${label}</span>${reason ? html`<span id=${note} class="fine">${reason}</span>` : null}</button>`;
}

// A menu that stays where its button was is worse than none.
for (const type of ["resize", "scroll"]) {
  window.addEventListener(type, (event) => {
    const menu = document.querySelector(".menu:popover-open");
    if (menu && !menu.contains(event.target)) menu.hidePopover();
  }, { capture: true, passive: true });
}

/** Puts a menu below its button, or above where there is no room. */
function place(menu, button) {
  const at = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const below = at.bottom + 4 + height <= innerHeight || at.top < height;
  menu.style.top = `${below ? at.bottom + 4 : at.top - 4 - height}px`;
  menu.style.left = `${Math.max(8, Math.min(at.right - width, innerWidth - width - 8))}px`;
}
