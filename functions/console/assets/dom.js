// What every view is made of: elements, icons, times, dialogs, menus, progress and announcements.
// Text gets into the page as text only; the content security policy leaves no other way.

/** Makes an element. `on` holds listeners; other properties are attributes, left out when false or null. */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (value === true) {
      element.setAttribute(name, "");
    } else if (value !== false && value != null) {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}

// ---- Texts from elsewhere ---------------------------------------------------------------------------

// What can't be seen, or poses as something else. Texts that are older than the rules for them may have it, and so
// may an address. What comes first in the pattern has something to do and stays: flags, joiners among letters beyond
// ASCII, marks before numbers.
const POSING = new RegExp([
  /\u{1f3f4}[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{3,6}\u{e007f}/u,
  /(?<=[^\0-~])[\u200c\u200d](?=[^\0-~])/u,
  /[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}]/u,
  /([\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}])/u,
].map(({ source }) => source).join("|"), "gu");
const visible = (text) => String(text).replaceAll("\r\n", "\n").replace(POSING, (all, posing) =>
  (!posing || posing === "\n" || posing === "\t" ? all
    : `[U+${posing.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`));

/** A text that somebody else wrote, as an element: it turns nothing around that stands beside it. */
export const foreign = (text, properties) => h("bdi", properties, visible(text));

/** The same for attributes, titles and messages, which have no elements. It stays on its line. */
export const isolated = (text) => (/^[ -~]*$/.test(text) ? String(text)
  : `\u2068${visible(text).replaceAll("\n", " ⏎ ").replaceAll("\t", " ")}\u2069`);

const unquoted = (text) => String(text).replace(/[“”„‟]/g, '"');

/** A text in quotation marks that it can't end, for messages. */
export const quoted = (text) => `“${isolated(unquoted(text))}”`;

/** The same as contents. */
export const quote = (text) => ["“", foreign(unquoted(text)), "”"];

/** What a table of words has for a name, if it has something. Names come from elsewhere: `constructor` is none. */
export const wordFor = (words, name) => (Object.hasOwn(words, name) ? words[name] : null);

// A person needs no word.
const TYPES_OF_USERS = {
  member: "",
  token: "token",
  scanner: "secret scanner",
  system: "system",
};
// What the page has no word for is no person.
const kindOf = (type) => wordFor(TYPES_OF_USERS, type) ?? type;

/**
 * Who did something, as contents: a token may be called like a person, so what isn't one says what it is. That stands
 * first: a long name can't push it out of what is seen.
 */
export const who = ({ name, type }) => {
  const kind = kindOf(type);
  return [kind ? [h("span", { class: "badge kind" }, kind), " "] : null, foreign(name)];
};

/** As `who`, for attributes. */
export const whoText = ({ name, type }) => {
  const kind = kindOf(type);
  return kind ? `${kind} ${quoted(name)}` : quoted(name);
};

const ICONS = {
  plus: "M8 3v10M3 8h10",
  copy: "M5.5 5.5h7v8h-7zM10.5 5.5v-3h-7v8h2",
  eye: "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8zM8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  hide: "M2 2l12 12M6.6 3.7A6 6 0 0 1 8 3.5c4 0 6.5 4.5 6.5 4.5a12 12 0 0 1-1.9 2.3M4 4.7A11 11 0 0 0 1.5 8S4 12.5 8 12.5a6 6 0 0 0 3-.8",
  down: "M4 6l4 4 4-4",
  more: "M3 8h.01M8 8h.01M13 8h.01",
  close: "M4 4l8 8M12 4l-8 8",
  download: "M8 2.5v7.5M4.8 7L8 10.2 11.2 7M3 13.5h10",
  warning: "M8 2L1.5 13.5h13zM8 6.5v3M8 11.6v.1",
  history: "M2.5 8A5.5 5.5 0 1 0 4.4 3.8M2.5 2.5v3h3M8 5v3.2l2.2 1.4",
  back: "M10 3.5L5.5 8l4.5 4.5",
};

/** An icon, which says nothing by itself. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const attributes = { viewBox: "0 0 16 16", class: `icon icon-${name}`, "aria-hidden": "true" };
  for (const [attribute, value] of Object.entries(attributes)) svg.setAttribute(attribute, value);
  const path = document.createElementNS(svg.namespaceURI, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

let count = 0;
/** An id that nothing else in the page has. */
export const unique = (name) => `${name}-${++count}`;

// ---- Time -------------------------------------------------------------------------------------------

const relativeFormat = new Intl.RelativeTimeFormat("en", { numeric: "always" });
const exactFormat = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "long" });

/** A moment as people say it: "in 3 hours". Whole units only: 90 minutes are "1 hour", never two. */
export function relative(text) {
  const away = Date.parse(text) - Date.now();
  const minutes = Math.round(Math.abs(away) / 60_000);
  if (minutes === 0) return away > 0 ? "in less than a minute" : "just now";
  const [count, unit] = minutes < 60 ? [minutes, "minute"]
    : minutes < 1440 ? [Math.floor(minutes / 60), "hour"] : [Math.floor(minutes / 1440), "day"];
  return relativeFormat.format(Math.sign(away) * count, unit);
}

/** A moment with everything that is known of it. */
export const exact = (text) => exactFormat.format(new Date(text));

const clockFormat = new Intl.DateTimeFormat("en", { hour: "numeric", minute: "2-digit" });
const nearFormat = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" });

/** A moment within the next hours, by the clock: "2:00 PM". */
export const clock = (date) => clockFormat.format(date);

/** A moment that something lasts until: "Nov 28, 2:00 PM", and exact when it is pointed at. */
export const until = (text) => h("time", { datetime: text, title: exact(text) }, nearFormat.format(new Date(text)));

/** A moment, relative, and exact when it is pointed at. Stays right as time goes by. */
export function time(text) {
  return h("time", { datetime: text, title: exact(text), "data-relative": true }, relative(text));
}

setInterval(() => {
  for (const element of document.querySelectorAll("time[data-relative]")) {
    const text = relative(element.dateTime);
    if (element.textContent !== text) element.textContent = text;
  }
}, 10_000);

// ---- Progress and announcements ---------------------------------------------------------------------

let running = 0;
let slow = null;

/** Shows that something is under way, should it take longer. The answer ends it. */
export function busy() {
  running += 1;
  slow ??= setTimeout(() => {
    document.getElementById("progress").hidden = false;
    for (const bar of document.querySelectorAll("dialog .progress")) bar.hidden = false;
  }, 200);
  return () => {
    running -= 1;
    if (running > 0) return;
    clearTimeout(slow);
    slow = null;
    for (const bar of document.querySelectorAll(".progress")) bar.hidden = true;
  };
}

/** Runs what a button starts. Until it is done, the button does nothing more. */
export async function working(button, action) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  button.classList.add("working");
  try {
    await action();
  } finally {
    button.removeAttribute("aria-disabled");
    button.classList.remove("working");
  }
}

/** Says something, to the eye and to screen readers, where people are: what is behind a dialog is silent. */
export function toast(text, kind = "info") {
  const region = [...document.querySelectorAll("dialog[open] > .toasts")].at(-1)
    ?? document.querySelector("body > .toasts");
  const close = h("button", { type: "button", class: "quiet icon-only", "aria-label": "Dismiss" }, icon("close"));
  const message = h("div", { class: `toast ${kind}` }, h("p", null, text), close);
  const leave = () => message.remove();
  close.addEventListener("click", leave);
  region.replaceChildren(message);
  setTimeout(leave, 8000);
}

/** What an error says, as a notice that is read out at once. */
export function problem(error, ...actions) {
  const title = error.title ?? "Something went wrong in this page.";
  const advice = error.advice ?? "Reload it and try again.";
  if (!error.title) console.error(error);
  const id = error.code === "internal_error" && error.requestId
    ? h("p", { class: "fine" }, "Request ", h("code", null, error.requestId)) : null;
  return h("div", { class: "notice danger", role: "alert" },
    icon("warning"), h("div", null, h("p", null, h("strong", null, title), " ", advice), id), ...actions);
}

/** What is wrong with an entry, as a sentence. `subject` is what it is called. */
export function sentence(subject, message) {
  const text = /^(is|has|must|lists)\b/.test(message) ? `${subject} ${message}` : message[0].toUpperCase() + message.slice(1);
  return text.endsWith(".") ? text : `${text}.`;
}

// ---- Dialogs ----------------------------------------------------------------------------------------

/**
 * Opens a modal dialog and answers it. `content` makes its content and is given the dialog; `mayClose`
 * can keep it open, and is asked when it is closed by Escape or the cross.
 */
export function openDialog({ title, kind = "", content, mayClose = () => true, onClose = () => {} }) {
  const heading = unique("dialog");
  const returnTo = document.activeElement;
  const dialog = h("dialog", { class: kind, "aria-labelledby": heading });
  const ask = (event) => {
    event.preventDefault();
    if (mayClose()) dialog.close();
  };
  const cross = h("button", { type: "button", class: "quiet icon-only", "aria-label": "Close", on: { click: ask } },
    icon("close"));
  dialog.append(
    h("div", { class: "progress", role: "progressbar", "aria-label": "Working", hidden: true }),
    h("header", null, h("h2", { id: heading, tabindex: "-1" }, title), cross),
    content(dialog),
    h("div", { class: "toasts", role: "status" }),
  );
  dialog.addEventListener("cancel", ask);
  dialog.addEventListener("close", () => {
    dialog.remove();
    onClose();
    if (returnTo?.isConnected) returnTo.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  (dialog.querySelector("[autofocus]") ?? dialog.querySelector("h2")).focus();
  return dialog;
}

/**
 * Asks before something happens. `run` does it, given the form's entries; the dialog stays open with
 * the problem if it fails. Answers whether it was done.
 */
export function confirm({ title, body, fields = [], action, danger = false, run }) {
  return new Promise((resolve) => {
    let done = false;
    const problems = h("div");
    const submit = h("button", { type: "submit", class: danger ? "danger" : "primary" }, action);
    const form = h("form", { method: "dialog", novalidate: true }, h("div", { class: "text" }, body), fields, problems,
      h("footer", null,
        h("button", { type: "button", autofocus: fields.length === 0, on: { click: () => dialog.close() } }, "Cancel"),
        submit));
    const unmark = () => {
      problems.replaceChildren();
      for (const error of form.querySelectorAll(".error")) error.remove();
      for (const control of form.querySelectorAll("[aria-invalid]")) {
        control.removeAttribute("aria-invalid");
        control.removeAttribute("aria-describedby");
      }
    };
    /** Says what is wrong with an entry below it. Answers what has no place there. */
    const mark = ({ field, message }) => {
      const control = form.elements.namedItem(field);
      if (!control) return h("p", null, `${field}: ${message}`);
      const id = unique("error");
      const label = control.labels[0].textContent.replace(/ \(.*\)$/, "");
      control.setAttribute("aria-invalid", "true");
      control.setAttribute("aria-describedby", id);
      control.after(h("p", { id, class: "error" }, sentence(label, message)));
      control.focus();
      return null;
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      working(submit, async () => {
        unmark();
        try {
          await run(Object.fromEntries(new FormData(form)));
          done = true;
          dialog.close();
        } catch (error) {
          problems.replaceChildren(problem(error, ...(error.fields ?? []).map(mark).filter(Boolean)));
        }
      });
    });
    const dialog = openDialog({ title, content: () => form, onClose: () => resolve(done) });
  });
}

// ---- Menus ------------------------------------------------------------------------------------------

/**
 * A button that opens a menu. `items()` is asked when it opens: `{ label, run, danger, reason, current }`.
 * An item with a reason can be read but not chosen.
 */
export function menuButton({ label, text, kind = "quiet", items }) {
  const id = unique("menu");
  const button = h("button", { type: "button", class: kind, "aria-haspopup": "menu", "aria-expanded": "false",
    "aria-label": text ? null : label, "aria-controls": id }, text ?? icon("more"), text ? icon("down") : null);
  const menu = h("div", { id, role: "menu", "aria-label": label, popover: "auto", class: "menu" });
  const entries = () => [...menu.querySelectorAll("[role^=menuitem]")];
  const focus = (index) => {
    const all = entries();
    all.at(index % all.length)?.focus({ preventScroll: true });
  };

  const open = (index) => {
    menu.replaceChildren(...items().map(entry));
    menu.showPopover();
    place(menu, button);
    focus(index);
  };
  const entry = ({ label, run, danger, reason, current }) => {
    const note = reason ? unique("reason") : null;
    return h("button", {
      type: "button",
      role: current === undefined ? "menuitem" : "menuitemradio",
      tabindex: "-1",
      class: danger ? "danger" : null,
      "aria-disabled": reason ? "true" : null,
      "aria-checked": current === undefined ? null : String(current),
      "aria-describedby": note,
      "aria-label": label,
      on: {
        click: () => {
          if (reason) return;
          menu.hidePopover();
          button.focus();
          run();
        },
      },
    }, h("span", null, label), reason ? h("span", { id: note, class: "fine" }, reason) : null);
  };

  // A click outside closes the menu before the button hears of it, also when it is on the button.
  let wasOpen = false;
  button.addEventListener("pointerdown", () => { wasOpen = menu.matches(":popover-open"); });
  button.addEventListener("click", () => {
    if (!wasOpen) open(0);
    wasOpen = false;
  });
  button.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    open(event.key === "ArrowDown" ? 0 : -1);
  });
  menu.addEventListener("toggle", (event) => button.setAttribute("aria-expanded", String(event.newState === "open")));
  menu.addEventListener("keydown", (event) => {
    const all = entries();
    const index = all.indexOf(document.activeElement);
    const moves = { ArrowDown: index + 1, ArrowUp: index - 1 + all.length, Home: 0, End: -1 };
    if (event.key in moves) {
      event.preventDefault();
      focus(moves[event.key]);
    } else if (event.key === "Tab") {
      menu.hidePopover();
      button.focus();
    } else if (event.key === "Escape") {
      event.preventDefault();
      menu.hidePopover();
      button.focus();
    } else if (event.key.length === 1) {
      const found = [...all.slice(index + 1), ...all]
        .find((item) => item.textContent.replace(/^\u2068/, "").toLowerCase().startsWith(event.key.toLowerCase()));
      found?.focus();
    }
  });
  return h("span", { class: "menu-anchor" }, button, menu);
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
