// Signing in again: because the session has ended, or because what was asked for needs a fresh sign-in.

import { useEffect, useRef } from "./html.js";
import { parse, placeOf } from "./router.js";
import * as session from "./session.js";
import { draft } from "./unsaved.js";

let leaving = false;
// Where a sign-in returns to that becomes necessary in the middle of something: the last is what is on top.
const returns = [];

/** A hook: while a component is there, a sign-in that becomes necessary returns to what `route()` answers, if anything. */
export function useReturn(route) {
  const latest = useRef();
  latest.current = route;
  useEffect(() => {
    returns.push(latest);
    return () => returns.splice(returns.indexOf(latest), 1);
  }, []);
}

/** Whether the page is being left for the sign-in page: nobody is asked about what isn't saved, it is kept. */
export const isLeaving = () => leaving;

/** Says that the page is being left for good. */
export function leave() {
  leaving = true;
}

/** What was entered and isn't saved, with where and by whom: it goes to no other form, and to nobody else. */
function entered() {
  const now = draft();
  return now && { ...now, place: placeOf(parse(location.hash)), typist: session.typist() };
}

/** Goes to the sign-in page, and comes back to where one is, with what was entered. */
export function goAndSignIn(kept = null) {
  leaving = true;
  return session.signIn({ draft: entered() ?? kept, route: returns.at(-1)?.current() ?? location.hash });
}

/**
 * Goes to the sign-in page, which asks for the password again, and comes back to `route`. What was entered says then why
 * it was kept.
 */
export function signInAgain(route = location.hash) {
  leaving = true;
  const now = entered();
  return session.signInAgain({ draft: now && { ...now, again: true }, route });
}
