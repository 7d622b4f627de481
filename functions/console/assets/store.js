// State that several components share.

import { useEffect, useState } from "./html.js";

/** A value that components can follow. */
export function store(initial) {
  let value = initial;
  const followers = new Set();
  return {
    get: () => value,
    set(next) {
      value = typeof next === "function" ? next(value) : next;
      for (const follow of [...followers]) follow(value);
    },
    /** A hook: the value, now and whenever it changes. */
    use() {
      const [now, setNow] = useState(value);
      useEffect(() => {
        const follow = (next) => setNow(() => next);
        followers.add(follow);
        // It may have changed since the component was drawn.
        follow(value);
        return () => followers.delete(follow);
      }, []);
      return now;
    },
  };
}
