// Small tools for sentences of the page's language.

const rules = new Intl.PluralRules("en");

/** A number of things: `count(2, "token", "tokens")`. */
export const count = (number, one, other) => `${number} ${rules.select(number) === "one" ? one : other}`;

/** Things in a row: "a, b and c". */
export const list = (things) => new Intl.ListFormat("en").format(things);

/** What is wrong with an entry, as a sentence. `subject` is what it is called. */
export function sentence(subject, message) {
  const text = /^(is|has|must|lists)\b/.test(message) ? `${subject} ${message}` : message[0].toUpperCase() + message.slice(1);
  return text.endsWith(".") ? text : `${text}.`;
}
