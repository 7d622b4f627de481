// Chooses the resources of one type that a custom scope lists, also among a thousand.

import { html, useEffect, useId, useMemo, useRef, useState } from "../../html.js";
import { Button } from "../../components/Button.js";
import { Icon } from "../../components/Icon.js";
import { Notice } from "../../components/Notice.js";
import { Foreign } from "../../components/Text.js";
import { texts } from "../../texts.js";
import { appName } from "../../tokens.js";
import { isolated } from "../../untrusted.js";

// How many chosen resources are shown before one asks for all of them.
const CHIPS = 12;
// How many rows are drawn at a time.
const ROWS = 200;

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
const folded = (text) => text.normalize("NFKC").toLocaleLowerCase();

/** The resources as they are listed: by Integration App, those of none first, each group by name. */
function grouped(resources, apps) {
  const groups = new Map();
  for (const resource of resources) {
    const app = resource.integrationId;
    if (!groups.has(app)) groups.set(app, { app, title: app === null ? texts.picker.notOfApp : appName(apps, app), rows: [] });
    groups.get(app).rows.push(resource);
  }
  for (const { rows } of groups.values()) rows.sort((a, b) => collator.compare(a.name, b.name) || collator.compare(a.id, b.id));
  return [...groups.values()].sort((a, b) => (a.app !== null) - (b.app !== null) || collator.compare(a.title, b.title));
}

/** The first `limit` rows of the groups. */
function first(groups, limit) {
  const shown = [];
  let left = limit;
  for (const group of groups) {
    if (left <= 0) break;
    shown.push({ ...group, rows: group.rows.slice(0, left) });
    left -= group.rows.length;
  }
  return shown;
}

/**
 * The resources of a scope's `list`: `chosen` are ids, `choose(ids)` hears of others. `app` is the Integration App whose
 * resources may be chosen, "" if it isn't known yet, `null` for any.
 */
export function Picker({ list, chosen, choose, resources, app, apps, errors }) {
  const [title] = texts.lists[list];
  const { found, complete, error, reload } = resources;
  const [search, setSearch] = useState("");
  const [limit, setLimit] = useState(ROWS);
  const [active, setActive] = useState(null);
  const input = useRef();
  const options = useRef();
  const focusAt = useRef(null);
  const id = useId();

  const mine = useMemo(() => new Set(chosen), [chosen]);
  const known = useMemo(() => new Map(found.map((resource) => [resource.id, resource])), [found]);
  const wanted = folded(search.trim());
  const groups = useMemo(() => {
    const matching = wanted ? found.filter((one) => folded(one.name).includes(wanted) || folded(one.id).includes(wanted)) : found;
    return grouped(matching, apps);
  }, [found, apps, wanted]);
  const all = groups.flatMap(({ rows }) => rows);
  const shown = first(groups, limit);
  const gone = complete ? chosen.filter((each) => !known.has(each)) : [];
  const set = (ids) => choose(list, [...new Set(ids)].sort());
  // One stop for the Tab key; the arrow keys move among the rows.
  const stop = all.slice(0, limit).some((each) => each.id === active) ? active : all[0]?.id;

  useEffect(() => {
    if (focusAt.current === null) return;
    options.current?.querySelectorAll("input")[focusAt.current]?.focus();
    focusAt.current = null;
  }, [limit]);

  const keys = (event) => {
    const boxes = [...options.current.querySelectorAll("input")];
    const at = boxes.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: boxes.length - 1, PageDown: at + 10, PageUp: at - 10 }[event.key];
    if (event.key === "Enter") event.preventDefault();
    if (to === undefined) return;
    event.preventDefault();
    boxes[Math.max(0, Math.min(to, boxes.length - 1))]?.focus();
  };
  const toggle = (which) => set(mine.has(which) ? chosen.filter((each) => each !== which) : [...chosen, which]);
  const said = () => {
    if (app === "") return texts.picker.appFirst;
    if (all.length > 0 || !complete) return "";
    return wanted ? texts.picker.noneMatch(title) : texts.picker.none(title);
  };
  const every = all.every((each) => mine.has(each.id));

  return html`<fieldset class="picker"><legend>${title} ${mine.size ? html`<span class="count">${texts.picker.chosen(mine.size)}</span>` : null}</legend>
    <${Chips} title=${title} chosen=${chosen} known=${known} gone=${gone} app=${app} set=${set} input=${input} />
    ${gone.length ? html`<${Notice} kind="warning" actions=${html`<${Button} run=${() => {
      set(chosen.filter((each) => known.has(each)));
      input.current.focus();
    }}>${texts.picker.removeGone(gone.length)}<//>`}><p>${(app ? texts.picker.goneNoticeApp : texts.picker.goneNotice)(gone.length)}</p><//>` : null}
    <label for=${id} class="visually-hidden">${texts.picker.search(title)}</label>
    <input ref=${input} id=${id} type="search" autocomplete="off" dir="auto" placeholder=${texts.picker.search(title)} value=${search}
      aria-describedby=${errors.length ? `${id}-error` : null} aria-invalid=${errors.length ? "true" : null}
      onInput=${(event) => {
        setSearch(event.target.value);
        setLimit(ROWS);
      }}
      onKeyDown=${(event) => event.key === "Enter" && event.preventDefault()} />
    ${errors.length ? html`<div id=${`${id}-error`} class="error">${errors.map((text) => html`<p key=${text}>${text}</p>`)}</div>` : null}
    ${complete && all.length > 1 || mine.size ? html`<div class="picker-bulk">
      ${complete && all.length > 1 ? html`<${Button} kind="quiet" aria-disabled=${every ? "true" : null}
        run=${() => set([...chosen, ...all.map((each) => each.id)])}>${(wanted ? texts.picker.selectFound : texts.picker.selectAll)(all.length)}<//>` : null}
      ${mine.size ? html`<${Button} kind="quiet" aria-label=${`${texts.picker.clear} ${title}`} run=${() => {
        set([]);
        input.current.focus();
      }}>${texts.picker.clear}<//>` : null}</div>` : null}
    ${all.length ? html`<p id=${`${id}-keys`} class="visually-hidden">${texts.picker.keys}</p>
      <div ref=${options} class="picker-options" role="group" aria-label=${title} aria-describedby=${`${id}-keys`} onKeyDown=${keys}>
        ${shown.map((group) => html`<div key=${group.app ?? ""} role="group" aria-label=${isolated(group.title)}>
          ${app === null && (groups.length > 1 || group.app !== null) ? html`<p class="group"><${Foreign} text=${group.title} /></p>` : null}
          <ul>${group.rows.map((each) => html`<li key=${each.id}><label>
            <input type="checkbox" value=${each.id} checked=${mine.has(each.id)} tabindex=${each.id === stop ? 0 : -1}
              onFocus=${() => setActive(each.id)} onChange=${() => toggle(each.id)} />
            <span><${Foreign} text=${each.name} /></span><code>${each.id}</code></label></li>`)}</ul></div>`)}</div>` : null}
    ${all.length > limit ? html`<div class="picker-bulk"><span class="fine">${texts.picker.shown(limit, all.length)}</span>
      <${Button} kind="quiet" run=${() => {
        focusAt.current = limit;
        setLimit(limit + ROWS);
      }}>${texts.picker.showMore(Math.min(ROWS, all.length - limit))}<//></div>` : null}
    <p class="fine" role="status">${said()}</p>
    ${app !== "" && !complete && !error ? html`<p class="fine">${texts.picker.loading(found.length)}</p>` : null}
    ${error ? html`<${Notice} kind="danger" alert actions=${html`<${Button} run=${reload}>${texts.tryAgain}<//>`}>
      <p><strong>${error.title ?? texts.errors.page[0]}</strong> ${error.advice ?? texts.errors.page[1]}</p><//>` : null}</fieldset>`;
}

/** What is chosen, each with a way to remove it. */
function Chips({ title, chosen, known, gone, app, set, input }) {
  const [showsAll, setShowsAll] = useState(false);
  const element = useRef();
  const shown = showsAll ? chosen : chosen.slice(0, CHIPS);
  if (chosen.length === 0) return null;
  const lost = new Set(gone);
  const why = app ? texts.picker.goneOfApp : texts.picker.gone;
  const focus = (at) => requestAnimationFrame(() => {
    const buttons = element.current?.querySelectorAll("button") ?? [];
    (buttons[Math.min(at, buttons.length - 1)] ?? input.current)?.focus();
  });
  return html`<ul ref=${element} class="chips" aria-label=${texts.picker.chosenOf(title)}>
    ${shown.map((id, at) => {
      const name = known.get(id)?.name ?? id;
      return html`<li key=${id}><button type="button" class=${`chip ${lost.has(id) ? "gone" : ""}`}
        aria-label=${texts.picker.remove(isolated(name))} onClick=${() => {
          set(chosen.filter((each) => each !== id));
          focus(at);
        }}><span><${Foreign} text=${name} />${lost.has(id) ? html` <span class="why">(${why})</span>` : null}</span><${Icon} name="close" /></button></li>`;
    })}
    ${chosen.length > CHIPS ? html`<li><button type="button" class="chip all" onClick=${() => {
      setShowsAll(!showsAll);
      focus(CHIPS);
    }}>${showsAll ? texts.picker.showFewer : texts.picker.showAll(chosen.length)}</button></li>` : null}</ul>`;
}
