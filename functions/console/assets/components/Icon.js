import { html } from "../html.js";

const SHAPES = {
  plus: "M8 3v10M3 8h10",
  copy: "M5.5 5.5h7v8h-7zM10.5 5.5v-3h-7v8h2",
  check: "M3 8.5l3.2 3.2L13 4.8",
  eye: "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8zM8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  hide: "M2 2l12 12M6.6 3.7A6 6 0 0 1 8 3.5c4 0 6.5 4.5 6.5 4.5a12 12 0 0 1-1.9 2.3M4 4.7A11 11 0 0 0 1.5 8S4 12.5 8 12.5a6 6 0 0 0 3-.8",
  down: "M4 6l4 4 4-4",
  more: "M3 8h.01M8 8h.01M13 8h.01",
  close: "M4 4l8 8M12 4l-8 8",
  download: "M8 2.5v7.5M4.8 7L8 10.2 11.2 7M3 13.5h10",
  warning: "M8 2L1.5 13.5h13zM8 6.5v3M8 11.6v.1",
  info: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 7.3v3.4M8 5.2v.1",
  history: "M2.5 8A5.5 5.5 0 1 0 4.4 3.8M2.5 2.5v3h3M8 5v3.2l2.2 1.4",
  back: "M10 3.5L5.5 8l4.5 4.5",
  edit: "M10.8 3.2l2 2L5.5 12.5l-2.7.7.7-2.7z",
  swap: "M3 5.5h9M9.5 3L12 5.5 9.5 8M13 10.5H4M6.5 8L4 10.5 6.5 13",
  stop: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM4 4l8 8",
  play: "M5 3.2l8 4.8-8 4.8z",
  trash: "M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.6 9h5.8l.6-9",
  mail: "M2 4h12v8.5H2zM2 4.5l6 4.5 6-4.5",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.5 10.5l3.2 3.2",
};

/** An icon, which says nothing by itself. */
export function Icon({ name }) {
  return html`<svg viewBox="0 0 16 16" class=${`icon icon-${name}`} aria-hidden="true"><path d=${SHAPES[name]} /></svg>`;
}
