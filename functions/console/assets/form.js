// The form that creates and edits a token.

import { account, call, query } from "./api.js";
import { foreign, h, icon, isolated, problem, quoted, relative, sentence, time, toast, unique, who, working } from "./dom.js";
import { handOver, LIFETIMES, oldSecret, oldSecretText, regenerate, retire, TYPES } from "./actions.js";

// The pages of resources that are read to find an account's Integration Apps; others can be typed.
const APP_PAGES = 10;
// How many chosen resources are shown before one asks for all of them.
const CHIPS = 12;

const known = new Map();
/** The Integration Apps that the account's resources belong to. */
export function apps(accountId) {
  if (!known.has(accountId)) {
    known.set(accountId, read().catch((error) => {
      known.delete(accountId);
      throw error;
    }));
  }
  return known.get(accountId);

  async function read() {
    const found = new Set();
    let cursor = "";
    for (let page = 0; page < APP_PAGES && cursor != null; page++) {
      const { body } = await call("GET", query(account(accountId, "resources"), { limit: "100", cursor }));
      for (const resource of body.resources) if (resource.integrationId) found.add(resource.integrationId);
      cursor = body.nextCursor;
    }
    return [...found].sort();
  }
}

/** Chooses the resources of one type that a custom scope lists. */
function picker({ type, list, title, me, app }) {
  // `app()` is the Integration App whose resources may be chosen, "" if it isn't known yet, null for any.
  const chosen = new Set();
  const names = new Map();
  const search = unique("search");
  let cursor = null;
  let loading = null;
  let showsAll = false;

  const count = h("span", { class: "count" });
  const chips = h("ul", { class: "chips", "aria-label": `Chosen ${title}` });
  const options = h("ul", { class: "options", "aria-label": title });
  const said = h("p", { class: "fine", role: "status" });
  const more = h("button", { type: "button", class: "quiet", hidden: true, on: { click: () => load(cursor) } }, "Show more");
  const input = h("input", { id: search, type: "search", autocomplete: "off", dir: "auto", placeholder: `Search ${title}`,
    on: { input: soon, keydown: (event) => event.key === "Enter" && event.preventDefault() } });
  const element = h("fieldset", { class: "picker" }, h("legend", null, title, " ", count),
    h("label", { for: search, class: "visually-hidden" }, `Search ${title}`), input, chips, options, said, more);

  let typing = null;
  function soon() {
    clearTimeout(typing);
    typing = setTimeout(() => load(), 250);
  }

  async function load(from) {
    loading?.abort();
    const mine = loading = new AbortController();
    if (app() === "") {
      options.replaceChildren();
      more.hidden = true;
      said.textContent = "Choose the Integration App first.";
      return;
    }
    try {
      const wanted = { type, q: input.value.trim(), integrationId: app(), limit: "50" };
      let at = from;
      let resources;
      do {
        const { body } = await call("GET", query(account(me.id, "resources"), { ...wanted, cursor: at }), { signal: mine.signal });
        resources = body.resources;
        at = body.nextCursor;
      } while (resources.length === 0 && at);
      for (const { id, name } of resources) names.set(id, name);
      if (!from) options.replaceChildren();
      options.append(...resources.map(option));
      cursor = at;
      more.hidden = !at;
      const none = input.value.trim() ? `No ${title} match.` : `There are no ${title} yet.`;
      said.textContent = options.childElementCount ? "" : none;
      draw();
    } catch (error) {
      if (mine.signal.aborted) return;
      said.replaceChildren(`${error.message ?? "The list could not be loaded."} `,
        h("button", { type: "button", class: "quiet", on: { click: () => load(from) } }, "Try again"));
    }
  }

  function option({ id, name }) {
    const box = h("input", { type: "checkbox", value: id, on: { change: () => {
      if (box.checked) chosen.add(id);
      else chosen.delete(id);
      draw();
    } } });
    return h("li", null, h("label", null, box, h("span", null, foreign(name)), h("code", null, id)));
  }

  function draw() {
    for (const box of options.querySelectorAll("input")) box.checked = chosen.has(box.value);
    count.textContent = chosen.size ? `${chosen.size} chosen` : "";
    const shown = [...chosen].slice(0, showsAll ? chosen.size : CHIPS);
    chips.replaceChildren(...shown.map(chip));
    if (shown.length === chosen.size) return;
    chips.append(h("li", null, h("button", { type: "button", class: "chip", on: { click: () => {
      showsAll = true;
      draw();
      chips.children[CHIPS].firstChild.focus();
    } } }, `Show all ${chosen.size}`)));
  }

  function chip(id) {
    const name = names.get(id) ?? id;
    const remove = (event) => {
      const at = [...chips.children].indexOf(event.currentTarget.parentElement);
      chosen.delete(id);
      draw();
      (chips.children[Math.min(at, chips.children.length - 1)]?.firstChild ?? input).focus();
    };
    return h("li", null, h("button", { type: "button", class: "chip", "aria-label": `Remove ${isolated(name)}`, title: id, on: { click: remove } },
      h("span", { class: "clip" }, foreign(name)), icon("close")));
  }

  return {
    list,
    element,
    input,
    load,
    get: () => [...chosen].sort(),
    set(ids) {
      chosen.clear();
      for (const id of ids) chosen.add(id);
      draw();
    },
  };
}

/**
 * The form of a new token (of the Integration App `app`, if one is given), or of `token` at version `etag`.
 * It returns to the address `back`. `draft` is what was typed before a sign-in. Answers the view.
 */
export function formView({ app: fixedApp, me, token, etag, draft, links, back }) {
  const creating = !token;
  const idempotency = { body: null, key: null };
  const fields = {};

  // ---- Fields ---------------------------------------------------------------------------------------

  /** A labelled control with its help and its errors; `names` are the API's names of it. */
  function field(label, control, help, ...names) {
    const [helpId, errorId] = [unique("help"), unique("error")];
    const errors = h("p", { id: errorId, class: "error", hidden: true });
    control.id ||= unique("field");
    control.setAttribute("aria-describedby", `${errorId} ${helpId}`);
    for (const name of names) fields[name] = { label, control, errors };
    const group = control.tagName === "DIV";
    if (group) control.setAttribute("aria-labelledby", `${control.id}-label`);
    return h("div", { class: "field" },
      group ? h("span", { class: "label", id: `${control.id}-label` }, label) : h("label", { for: control.id }, label),
      control, errors, h("div", { class: "help", id: helpId }, help));
  }

  function radios(name, label, options, onChange) {
    return h("div", { role: "radiogroup", class: "radios" }, options.map(([value, text, help]) => {
      const note = unique("note");
      return h("label", null, h("input", { type: "radio", name, value, "aria-describedby": note, on: { change: onChange } }),
        h("span", null, text, h("span", { id: note, class: "fine" }, help)));
    }));
  }

  const name = h("input", { name: "name", autocomplete: "off", dir: "auto", required: true });
  const description = h("textarea", { name: "description", dir: "auto", rows: "3" });
  const kind = radios("kind", "Kind", [
    ["account", "Account token", "Acts on this account."],
    ["integrationApp", "Integration App token", "Runs one app's exports and imports, and sees their debug logs."],
  ], () => {
    adapt();
    reload();
  });
  const appList = h("datalist", { id: unique("apps") });
  const app = h("input", { name: "integrationId", autocomplete: "off", list: appList.id, on: {
    change: reload,
    focus: () => apps(me.id).then((all) => appList.replaceChildren(...all.map((value) => h("option", { value }))), () => {}),
  } });
  const autoPurge = h("select", { name: "autoPurge" });
  const licence = h("p", null);
  const scope = radios("scope", "Scope", [
    ["full", "Full access", ""],
    ["custom", "Custom", "Only what you choose below."],
  ], () => {
    adapt();
    if (value(scope) === "custom") reload();
  });
  const fullHelp = scope.querySelector("[value=full] + span > span");
  const cidrs = h("textarea", { name: "allowedCidrs", rows: "2", spellcheck: "false", placeholder: "192.0.2.0/24" });

  const value = (group) => group.querySelector("input:checked")?.value ?? "";
  const check = (group, wanted) => {
    for (const radio of group.querySelectorAll("input")) radio.checked = radio.value === wanted;
  };
  const isApp = () => (creating ? Boolean(fixedApp) || value(kind) === "integrationApp" : token.kind === "integrationApp");
  const appId = () => (creating ? fixedApp ?? app.value.trim() : token.integrationId);

  const pickers = TYPES.map((type) => picker({ ...type, me, app: () => (isApp() ? appId() : null) }));

  const kindField = creating && !fixedApp
    ? field("Kind", kind, "It can't be changed later.", "kind") : null;
  const appField = creating && !fixedApp
    ? field("Integration App", app, "The id of the app that the token belongs to.", "integrationId") : null;

  const pickerFields = pickers.map((each) => {
    const errors = h("p", { class: "error", hidden: true, id: unique("error") });
    each.input.setAttribute("aria-describedby", errors.id);
    const label = TYPES.find(({ list }) => list === each.list).title;
    fields[`scope.${each.list}`] = { label, control: each.input, errors };
    each.element.append(errors);
    return each.element;
  });
  const custom = h("div", { class: "pickers" }, pickerFields);

  function lifetimes() {
    const now = autoPurge.value;
    const keep = token && h("option", { value: "" }, token.purgeAt
      ? `Keep: gone ${relative(token.purgeAt)}` : "Keep: never");
    autoPurge.replaceChildren(...[keep ?? h("option", { value: "" }, "Choose…"),
      ...Object.entries(LIFETIMES).map(([choice, text]) => {
        const forbidden = isApp() && choice === "never" ? "not for Integration Apps"
          : me.autoPurgeChoices.includes(choice) ? null : "needs API Management";
        return h("option", { value: choice, disabled: forbidden !== null }, forbidden ? `${text} (${forbidden})` : text);
      })]);
    autoPurge.value = now;
    if (autoPurge.selectedIndex < 0 || autoPurge.selectedOptions[0].disabled) autoPurge.value = "";
    licence.textContent = me.apiManagement ? ""
      : "Lifetimes beyond one hour need the API Management licence, which this account does not have. Its owner can add it to the plan.";
    licence.hidden = me.apiManagement;
  }

  /** Shows what goes with the choices that were made. */
  function adapt() {
    lifetimes();
    if (appField) appField.hidden = !isApp();
    fullHelp.textContent = isApp() ? "All exports and imports of the app." : "Everything in this account that the API offers.";
    custom.hidden = value(scope) !== "custom";
    pickers.forEach((each) => {
      each.element.hidden = isApp() && !["exports", "imports"].includes(each.list);
    });
  }

  function reload() {
    if (value(scope) !== "custom") return;
    for (const each of pickers) if (!each.element.hidden) each.load();
  }

  // ---- Entries --------------------------------------------------------------------------------------

  const entries = () => ({
    name: name.value,
    description: description.value,
    autoPurge: autoPurge.value,
    scope: value(scope) === "custom"
      ? { type: "custom", ...Object.fromEntries(pickers.map((each) => [each.list, each.element.hidden ? [] : each.get()])) }
      : { type: value(scope) },
    allowedCidrs: cidrs.value.split(/[\s,]+/).filter(Boolean),
    ...(creating && { kind: isApp() ? "integrationApp" : "account", integrationId: isApp() ? appId() : "" }),
  });

  function fill(values) {
    if ("name" in values) name.value = values.name;
    if ("description" in values) description.value = values.description;
    if ("kind" in values) check(kind, values.kind);
    if ("integrationId" in values) app.value = values.integrationId ?? "";
    if ("scope" in values) {
      check(scope, values.scope.type);
      for (const each of pickers) each.set(values.scope[each.list] ?? []);
    }
    if ("allowedCidrs" in values) cidrs.value = values.allowedCidrs.join("\n");
    adapt();
    if ("autoPurge" in values) autoPurge.value = values.autoPurge;
  }

  const stored = (of) => ({ name: of.name, description: of.description, autoPurge: "", scope: of.scope, allowedCidrs: of.allowedCidrs });
  // Neither a lifetime nor a scope is chosen beforehand: whoever creates a token decides both.
  fill(token ? stored(token) : { kind: "account", scope: { type: "" }, autoPurge: "" });
  let baseline = entries();
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const changed = (now = entries()) => Object.keys(now).filter((key) => !same(now[key], baseline[key]));
  const dirty = () => changed().length > 0;

  // ---- Saving ---------------------------------------------------------------------------------------

  const problems = h("div", { class: "problems" });
  const save = h("button", { type: "submit", class: "primary" }, "Save");
  const saveAndClose = h("button", { type: "submit", name: "close" }, "Save & close");
  const form = h("form", { novalidate: true, class: "token", autocomplete: "off" }, problems,
    h("section", { "aria-labelledby": "general" }, h("h2", { id: "general" }, "General"),
      field("Name", name, "Shown in lists, mails and the audit log.", "name"),
      field("Description", description, "What uses this token, and exactly where its secret is kept outside of the platform.", "description"),
      kindField, appField,
      field("Auto purge token", autoPurge, h("div", null, h("p", null, "When this time is over, the token is purged: calls with it are refused, and the list no longer shows it. ",
        creating ? "" : "Choosing again restarts the time."), licence), "autoPurge")),
    h("section", { "aria-labelledby": "permissions" }, h("h2", { id: "permissions" }, "Token permissions"),
      field("Scope", scope, "", "scope", "scope.type"), custom),
    h("section", { "aria-labelledby": "network" }, h("h2", { id: "network" }, "Network"),
      field("Allowed addresses", cidrs, "Addresses or ranges, IPv4 or IPv6, one a line. Calls from anywhere else are refused. Empty allows every address.", "allowedCidrs")),
    h("footer", null, save, saveAndClose, h("a", { class: "button quiet", href: back }, "Cancel")));

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = event.submitter ?? save;
    working(button, () => submit(button === saveAndClose));
  });

  async function submit(close) {
    clearErrors();
    const now = entries();
    try {
      if (creating) await create(now, close);
      else await update(now, close);
    } catch (error) {
      await explain(error);
    }
  }

  async function create(now, close) {
    const body = Object.fromEntries(Object.entries(now).filter(([, entry]) => entry !== ""));
    if (!body.scope.type) delete body.scope;
    // The same key for the same entries: an attempt whose answer got lost makes no second token.
    const text = JSON.stringify(body);
    if (idempotency.body !== text) Object.assign(idempotency, { body: text, key: crypto.randomUUID() });
    const answer = await call("POST", account(me.id, "tokens"), { body, idempotencyKey: idempotency.key });
    baseline = entries();
    await handOver({ title: "API token created", token: answer.body.token, secret: answer.body.secret, me });
    if (close) location.hash = back;
    else location.replace(links.edit(me.id, answer.body.token.id));
  }

  async function update(now, close) {
    const body = Object.fromEntries(changed(now).map((key) => [key, now[key]]));
    if (Object.keys(body).length > 0) {
      const answer = await call("PATCH", account(me.id, "tokens", token.id), { body, etag });
      take(answer.body, answer.etag);
      fill(stored(token));
      baseline = entries();
      toast("Saved.");
    } else {
      toast("Nothing was changed.");
    }
    if (close) location.hash = back;
  }

  function take(after, tag) {
    token = after;
    etag = tag;
    describe();
  }

  // ---- Errors ---------------------------------------------------------------------------------------

  function clearErrors() {
    problems.replaceChildren();
    for (const { control, errors } of Object.values(fields)) {
      control.removeAttribute("aria-invalid");
      errors.hidden = true;
      errors.replaceChildren();
    }
  }

  function failureText(label, { field: path, message }) {
    const line = /^allowedCidrs\.(\d+)$/.exec(path);
    return sentence(line ? quoted(cidrs.value.split(/[\s,]+/).filter(Boolean)[line[1]]) : label, message);
  }

  async function explain(error) {
    if (error.code === "version_mismatch") {
      await merge();
      return;
    }
    const homeless = [];
    for (const failure of error.fields ?? []) {
      const place = fields[failure.field] ?? fields[failure.field.replace(/\.\d+$/, "")];
      if (!place || place.control.closest("[hidden]")) {
        homeless.push(h("p", null, `${failure.field}: ${failure.message}`));
        continue;
      }
      place.control.setAttribute("aria-invalid", "true");
      place.errors.append(...(place.errors.hasChildNodes() ? [h("br")] : []), failureText(place.label, failure));
      place.errors.hidden = false;
    }
    if (error.code === "api_management_license_required") {
      fields.autoPurge.control.setAttribute("aria-invalid", "true");
      fields.autoPurge.errors.textContent = "The account's licence does not cover this lifetime.";
      fields.autoPurge.errors.hidden = false;
    }
    problems.replaceChildren(problem(error, ...homeless));
    const first = form.querySelector("[aria-invalid=true]");
    if (first) (first.querySelector("input") ?? first).focus();
    else problems.scrollIntoView({ block: "nearest" });
  }

  /** Somebody else saved meanwhile: takes over what they changed, and keeps what was typed here. */
  async function merge() {
    const { body, etag: tag } = await call("GET", account(me.id, "tokens", token.id));
    adopt(body, tag);
  }

  /** Goes on from another state of the token, and says what others changed about what can be edited here. */
  function adopt(body, tag, { ours = false } = {}) {
    const mine = changed();
    const theirs = stored(body);
    const old = stored(token);
    const titles = { name: "name", description: "description", scope: "scope", allowedCidrs: "allowed addresses" };
    const list = Object.keys(titles).filter((key) => !same(theirs[key], old[key])).map((key) => titles[key]);
    take(body, tag);
    const typed = entries();
    fill(theirs);
    baseline = entries();
    fill(Object.fromEntries(mine.map((key) => [key, typed[key]])));
    if (ours && list.length === 0) return;
    problems.replaceChildren(h("div", { class: "notice warning", role: "alert" }, icon("warning"), h("p", null,
      h("strong", null, ours ? "Somebody" : who(body.updatedBy), " changed this token in the meantime"),
      list.length ? ` (${list.join(", ")}). ` : ". ",
      "What you did not touch shows the new values; your own entries are kept. Save again to apply them.")));
    problems.scrollIntoView({ block: "nearest" });
  }

  // ---- View -----------------------------------------------------------------------------------------

  const facts = h("dl", { class: "facts" });
  // What is to be known of its secrets.
  const secrets = h("div", { class: "problems" });
  let graceEnd = null;
  /** A notice about a secret, and what can be done. */
  const notice = (kind, contents, label, action) => {
    const button = h("button", { type: "button", on: { click: () => working(button, async () => {
      const after = await action(token, me);
      if (!after) return;
      adopt(after, `"${after.version}"`, { ours: true });
      heading.focus();
    }) } }, label);
    return h("div", { class: `notice ${kind}` }, icon(kind === "danger" ? "warning" : "history"), h("p", null, contents), button);
  };
  function describe() {
    if (!token) return;
    const old = oldSecret(token);
    clearTimeout(graceEnd);
    if (old) graceEnd = setTimeout(describe, Date.parse(old.validUntil) - Date.now());
    secrets.replaceChildren(
      ...(token.compromisedAt ? [notice("danger", [h("strong", null, "The secret of this token is compromised. "),
        "It was reported as leaked, or revoked by its holder, ", time(token.compromisedAt), " and never works again. ",
        "Generate a new token; then you can reactivate it."], "Generate new token", regenerate)] : []),
      ...(old ? [notice("", oldSecretText(old), "End the old secret now", retire)] : []));
    const fact = (term, ...content) => h("div", null, h("dt", null, term), h("dd", null, content));
    facts.replaceChildren(
      fact("Status", h("span", { class: `badge ${token.status}` }, token.status === "revoked" ? "Revoked" : "Active")),
      ...(token.integrationId ? [fact("Integration App", token.integrationId)] : []),
      fact("Created", time(token.createdAt), " by ", who(token.createdBy)),
      fact("Last updated", time(token.updatedAt), " by ", who(token.updatedBy)),
      fact("Last used", ...(token.lastUsedAt ? [time(token.lastUsedAt), token.lastUsedIp ? ` from ${token.lastUsedIp}` : ""] : ["Never"])),
      fact("Id", h("code", null, token.id)));
  }
  describe();

  const title = creating ? (fixedApp ? ["Create API token of ", foreign(fixedApp)] : "Create API token") : "Edit API token";
  const heading = h("h1", { tabindex: "-1" }, title);
  const element = h("div", { class: "view narrow" }, h("a", { class: "back", href: back }, icon("back"), "API tokens"),
    h("div", { class: "title" }, heading, h("span", { class: "spring" }),
      creating ? null : h("a", { class: "button", href: links.audit(me.id, token.id) }, icon("history"), "View audit log")),
    creating ? null : [facts, secrets], form);
  if (draft) {
    fill(draft);
    problems.replaceChildren(h("div", { class: "notice" }, icon("warning"),
      h("p", null, "You had to sign in again. What you had typed is back, and not saved yet.")));
  }
  reload();
  return { element, heading: creating ? name : heading, dirty, draft: () => (dirty() ? entries() : null), leave: () => clearTimeout(graceEnd) };
}
