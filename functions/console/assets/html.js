// What views and components are made of: Preact, its hooks, and templates in the language itself (htm). None of them
// needs a build step, `eval` or `innerHTML`, so they work under the page's security policy. See vendor/README.md.

import { createContext, Fragment, h, render } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export { createContext, Fragment, h, render };
export { useCallback, useContext, useEffect, useId, useLayoutEffect, useMemo, useReducer, useRef, useState } from "./vendor/hooks.js";

export const html = htm.bind(h);
