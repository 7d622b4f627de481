// Times: relative ones in the page's words, exact ones in the form of the reader's locale and time zone.

import { useEffect, useState } from "./html.js";
import { texts } from "./texts.js";

const locales = navigator.languages?.length ? [...navigator.languages] : undefined;
const format = (options) => new Intl.DateTimeFormat(locales, options);
const relativeFormat = new Intl.RelativeTimeFormat("en", { numeric: "always" });
const exactFormat = format({ dateStyle: "medium", timeStyle: "long" });
const clockFormat = format({ hour: "numeric", minute: "2-digit" });
const dayFormat = format({ dateStyle: "full" });
const nearFormat = format({ month: "short", day: "numeric", hour: "numeric", minute: "2-digit" });
const farFormat = format({ year: "numeric", month: "short", day: "numeric", hour: "numeric", minute: "2-digit" });

/** The reader's time zone, such as `Europe/Vienna`. */
export const zone = exactFormat.resolvedOptions().timeZone;

/** A moment as people say it: "in 3 hours". Whole units only: 90 minutes are "1 hour", never two. */
export function relative(text) {
  const away = Date.parse(text) - Date.now();
  const minutes = Math.round(Math.abs(away) / 60_000);
  if (minutes === 0) return away > 0 ? texts.times.soon : texts.times.now;
  const [count, unit] = minutes < 60 ? [minutes, "minute"]
    : minutes < 1440 ? [Math.floor(minutes / 60), "hour"] : [Math.floor(minutes / 1440), "day"];
  return relativeFormat.format(Math.sign(away) * count, unit);
}

/** A moment to the second, with the zone. */
export const exact = (text) => exactFormat.format(new Date(text));

/** A moment to the minute: the year only if it is another one. */
export function short(text) {
  const date = new Date(text);
  return (date.getFullYear() === new Date().getFullYear() ? nearFormat : farFormat).format(date);
}

/** A moment of the next or last hours, by the clock. */
export const clock = (text) => clockFormat.format(new Date(text));

const sameDay = (a, b) => a.toDateString() === b.toDateString();

/** A moment that something lasts until: by the clock if it is today. */
export const until = (text) => (sameDay(new Date(text), new Date()) ? clock(text) : short(text));

/** The day of a moment: "Today", "Yesterday", or its date. */
export function day(text) {
  const date = new Date(text);
  const now = new Date();
  if (sameDay(date, now)) return texts.times.today;
  if (sameDay(date, new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1))) return texts.times.yesterday;
  return dayFormat.format(date);
}

// An interval that `setTimeout` can hold, in milliseconds.
const LONGEST = 2 ** 31 - 1;

/** A hook that draws a component again at a moment, given in milliseconds, if it is to come. */
export function useAlarm(at) {
  const [, ring] = useState(0);
  useEffect(() => {
    if (!at || at <= Date.now()) return undefined;
    let timer = null;
    const wait = () => {
      const left = at - Date.now();
      if (left <= 0) ring((count) => count + 1);
      else timer = setTimeout(wait, Math.min(left, LONGEST));
    };
    wait();
    return () => clearTimeout(timer);
  }, [at]);
}

const ticking = new Set();
let ticker = null;

/** A hook that draws a component again every ten seconds, so that relative times stay right. */
export function useTicking() {
  const [, tick] = useState(0);
  useEffect(() => {
    const draw = () => tick((count) => count + 1);
    ticking.add(draw);
    // One timer for all: a long list has thousands of times.
    ticker ??= setInterval(() => ticking.forEach((each) => each()), 10_000);
    return () => {
      ticking.delete(draw);
      if (ticking.size > 0) return;
      clearInterval(ticker);
      ticker = null;
    };
  }, []);
}
