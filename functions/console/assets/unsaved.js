// What would be lost if the view were left.

import { useEffect, useRef } from "./html.js";

let current = null;

/**
 * A hook for views in which people enter something. `dirty` is whether anything isn't saved; `draft()` is what was
 * entered, as it is kept while somebody signs in again.
 */
export function useUnsaved(dirty, draft) {
  const latest = useRef();
  latest.current = { dirty, draft };
  useEffect(() => {
    current = latest;
    return () => {
      if (current === latest) current = null;
    };
  }, []);
}

/** Whether leaving loses something. */
export const isDirty = () => Boolean(current?.current.dirty);

/** What was entered and isn't saved, or `null`. */
export const draft = () => (isDirty() ? current.current.draft() : null);

// What only the open page has.
const onlyHere = new Set();

/** A hook for what is nowhere but in the open page. `loses()` is whether closing the page loses it. */
export function useOnlyHere(loses) {
  const latest = useRef();
  latest.current = loses;
  useEffect(() => {
    onlyHere.add(latest);
    return () => onlyHere.delete(latest);
  }, []);
}

/** Whether closing the page loses something. */
export const losesSomething = () => isDirty() || [...onlyHere].some((each) => each.current());

/** Gives up what isn't saved: nobody is asked about it any more. */
export function discard() {
  current = null;
}
