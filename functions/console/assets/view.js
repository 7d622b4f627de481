// What every view does when it is shown.

import { useEffect, useRef } from "./html.js";
import { texts } from "./texts.js";

/**
 * A hook for views: names the page's title, and gives the heading the focus once, so that screen readers hear where one
 * is. Answers the reference for the heading.
 */
export function useView(title) {
  const heading = useRef();
  useEffect(() => {
    document.title = `${title} – ${texts.product}`;
  }, [title]);
  useEffect(() => {
    scrollTo(0, 0);
    heading.current?.focus({ preventScroll: true });
  }, []);
  return heading;
}
