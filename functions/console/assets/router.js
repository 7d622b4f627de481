// The addresses of the page's views. What a view shows is in its address, so that it can be shared, reloaded and
// returned to.

/**
 * What an address asks for: `page` is one of `list`, `create`, `token`, `edit`, `audit` and `notifications`; `query` has
 * the view's own parameters.
 */
export function parse(text) {
  const [path, query = ""] = text.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  const route = { account: null, app: null, token: null, page: "list", query: Object.fromEntries(new URLSearchParams(query)) };
  if (parts.shift() !== "accounts") return route;
  route.account = parts.shift() || null;
  if (parts[0] === "apps") [, route.app] = parts.splice(0, 2);
  if (parts[0] === "audit" || parts[0] === "notifications") route.page = parts[0];
  if (parts[0] === "tokens" && parts[1] === "new") route.page = "create";
  else if (parts[0] === "tokens" && parts[1]) {
    route.token = parts[1];
    route.page = parts[2] === "audit" || parts[2] === "edit" ? parts[2] : "token";
  }
  return route;
}

/** Which view of what an address asks for, whatever its parameters, to be compared. */
export const placeOf = ({ account, app, token, page }) => JSON.stringify([account, app, token, page]);

const address = (parts, query) => {
  const given = Object.entries(query ?? {}).filter(([, value]) => value);
  return `#/${["accounts", ...parts].map(encodeURIComponent).join("/")}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
};

/** The addresses of the views. */
export const links = {
  list: (account, app, query) => address(app ? [account, "apps", app] : [account], query),
  create: (account, app, query) => address([account, ...(app ? ["apps", app] : []), "tokens", "new"], query),
  token: (account, token, query) => address([account, "tokens", token], query),
  edit: (account, token, query) => address([account, "tokens", token, "edit"], query),
  audit: (account, token, query) => address([account, ...(token ? ["tokens", token] : []), "audit"], query),
  notifications: (account) => address([account, "notifications"]),
};

/** The address with other parameters. Those without a value are left out. */
export function withQuery(hash, query) {
  const given = Object.entries(query).filter(([, value]) => value);
  return `${hash.split("?")[0]}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
}

let left = null;

/** Keeps the address of the list, with its filters, for the way back from another view. */
export function noteList(hash) {
  if (parse(hash).page === "list") left = hash;
}

/** The list of an account, or of one of its Integration Apps, as it was left. */
export function listAsLeft(account, app = null) {
  const last = left && parse(left);
  return last && last.account === account && last.app === app ? left : links.list(account, app);
}

/** Goes to a view. */
export function go(to) {
  location.hash = to;
}

/** Goes to a view that takes the place of this one in the history. */
export function replace(to) {
  history.replaceState(history.state, "", to);
  dispatchEvent(new Event("hashchange"));
}

/** Changes the parameters of the view that is shown, without an entry in the history. */
export function setQuery(query) {
  const to = withQuery(location.hash, query);
  if (to === location.hash) return;
  history.replaceState(history.state, "", to);
  dispatchEvent(new Event("querychange"));
}

/**
 * Where the entry that is shown stands among those of the page: the entries are numbered, so that one can return to the
 * one that was left. A new entry has no number yet; it follows the one at `last`.
 */
export function positionAfter(last) {
  const known = history.state?.at;
  if (known !== undefined) return known;
  history.replaceState({ at: last + 1 }, "");
  return last + 1;
}
