// Texts that somebody else wrote: names, descriptions, addresses of clients. None of them may pose as something else.

// What can't be seen, or poses as something else. Texts that are older than the rules for them may have it, and so
// may an address. What comes first in the pattern has something to do and stays: flags, joiners among letters beyond
// ASCII, marks before numbers.
const POSING = new RegExp([
  /\u{1f3f4}[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{3,6}\u{e007f}/u,
  /(?<=[^\0-~])[\u200c\u200d](?=[^\0-~])/u,
  /[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}]/u,
  /([\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}])/u,
].map(({ source }) => source).join("|"), "gu");

/** The text with everything invisible written out, such as `[U+202E]`. */
export const visible = (text) => String(text).replaceAll("\r\n", "\n").replace(POSING, (all, posing) =>
  (!posing || posing === "\n" || posing === "\t" ? all
    : `[U+${posing.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`));

/** A text for attributes, titles and messages, which have no elements: isolated from its surroundings, on one line. */
export const isolated = (text) => (/^[ -~]*$/.test(text) ? String(text)
  : `\u2068${visible(text).replaceAll("\n", " ⏎ ").replaceAll("\t", " ")}\u2069`);

/** The text without quotation marks that could end ours. */
export const unquoted = (text) => String(text).replace(/[“”„‟]/g, '"');

/** A text in quotation marks that it can't end, for messages. */
export const quoted = (text) => `“${isolated(unquoted(text))}”`;

/** What a table of words has for a name, if it has something. Names come from elsewhere: `constructor` is none. */
export const wordFor = (words, name) => (Object.hasOwn(words, name) ? words[name] : null);
