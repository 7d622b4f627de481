// Whether something is under way, for the bar at the top.

import { store } from "./store.js";

/** Whether something has been under way for a while. */
export const slow = store(false);

// What takes no longer than this needs no bar, in milliseconds.
const SHORT = 200;
let running = 0;
let timer = null;

/** Says that something is under way. Answers a function that says that it is over. */
export function busy() {
  running += 1;
  timer ??= setTimeout(() => slow.set(true), SHORT);
  return () => {
    running -= 1;
    if (running > 0) return;
    clearTimeout(timer);
    timer = null;
    slow.set(false);
  };
}
