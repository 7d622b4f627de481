// Every text of the page, ready to be translated. Sentences with something in them have it in braces (see `fill`), or
// are functions of it. Tables of words are named like what the API calls them.

import { count } from "./words.js";

// What a type of user is called before its name. A person needs no word.
const ACTOR_TYPES = {
  member: "",
  token: "token",
  scanner: "secret scanner",
  system: "system",
};
// The types of users, in the order of the filter.
const USERS = {
  member: "People",
  token: "Tokens",
  scanner: "Secret scanners",
  system: "System",
};
// Every action, for the filter and the log.
const ACTIONS = {
  create: "Create",
  update: "Edit",
  view: "Show token",
  revoke: "Revoke",
  reactivate: "Reactivate",
  regenerate: "Generate new token",
  retire: "End old secret",
  delete: "Delete",
  access: "Use",
  refused: "Refused use",
  purge: "Auto purge",
  remind: "Reminder",
  leak: "Leak report",
  tamper: "Tampering",
};
// What needs a look, and what it is.
const ALERTS = {
  refused: ["warning", "A secret was tried and refused."],
  leak: ["danger", "A secret was found in public. It never works again."],
  tamper: ["danger", "A record of this log was changed or removed. The old values are what it said."],
};
// A client can claim to be the page's.
const SOURCES = {
  ui: "This page, as claimed",
  api: "API",
  system: "System",
  leakReport: "Leak report",
};
const FIELDS = {
  name: "Name",
  kind: "Kind",
  integrationId: "Integration App",
  description: "Description",
  autoPurge: "Auto purge",
  purgeAt: "Purge time",
  scope: "Scope",
  "scope.connections": "Connections",
  "scope.exports": "Exports",
  "scope.imports": "Imports",
  "scope.apis": "My APIs",
  allowedCidrs: "Allowed addresses",
  status: "Status",
  revocationReason: "Reason",
  compromisedAt: "Secret compromised",
  compromisedSecret: "Which secret",
  hint: "Ends in",
  "previousSecret.hint": "Old secret ends in",
  "previousSecret.validUntil": "Old secret works until",
  // As the first records call it.
  previousSecretValidUntil: "Old secret works until",
  reason: "Why",
  daysRefused: "Days with this refusal",
  addressesToday: "Addresses today",
  introspectedBy: "Asked about by the token",
  leakUrl: "Where, as the report says",
  leakPlace: "Kind of place, as the report says",
};
// Why a secret was refused.
const REFUSALS = {
  revoked: "The token is revoked",
  expired: "The time of the token or the secret is over",
  ended: "The secret was replaced or ended",
  compromised: "The secret is compromised",
  address: "The address is not an allowed one",
};
const LIFETIMES = {
  never: "Never",
  "1h": "1 hour",
  "4h": "4 hours",
  "1d": "1 day",
  "4d": "4 days",
  "10d": "10 days",
  "30d": "30 days",
};
const VALUES = {
  autoPurge: LIFETIMES,
  scope: { full: "Full access", custom: "Custom" },
  status: { active: "Active", revoked: "Revoked" },
  kind: { account: "Account token", integrationApp: "Integration App token" },
  compromisedSecret: {
    current: "The current one: the token is revoked",
    previous: "The old one, during its grace period",
    ended: "One that had ended before",
  },
  reason: REFUSALS,
};
const ERRORS = {
  session_ended: ["Your session has ended.", "Sign in again; what you typed is kept."],
  access_token_required: ["Your session has ended.", "Sign in again; what you typed is kept."],
  step_up_required: ["This needs a fresh sign-in.", "Sign in again to show that it is you; what you entered is kept."],
  role_required: ["Your role does not allow this.", "Ask an owner or administrator of the account."],
  developer_mode_required: [
    "Tokens are shown in developer mode only.",
    "Turn developer mode on in your profile on the platform, then try again.",
  ],
  api_management_license_required: [
    "The account's licence does not cover this lifetime.",
    "Choose 1 hour as auto purge, or ask the account's owner for the API Management licence.",
  ],
  account_not_found: ["This account does not exist, or you are not its member.", "Choose another account."],
  token_not_found: [
    "This token no longer exists.",
    "It was deleted or purged; its audit log is still there. Reload the list.",
  ],
  token_active: ["This token is active.", "Revoke it first, then delete it."],
  secret_compromised: [
    "The secret of this token is compromised: it never works again.",
    "Generate a new token first, then reactivate it.",
  ],
  account_deleted: [
    "This token ended when its account was deleted.",
    "It can't be reactivated; create a new token instead.",
  ],
  no_previous_secret: ["No old secret of this token works any more.", "There is nothing left to end."],
  conflict: ["Somebody changed this token at the same moment.", "Try again."],
  version_mismatch: ["This token was changed in the meantime.", "Look at it again, then repeat your change."],
  invalid_cursor: ["The list has changed.", "Start again at its first page."],
  malformed_json: ["The request was not understood.", "Reload the page and try again."],
  duplicate_key: ["The request was not understood.", "Reload the page and try again."],
  unsupported_media_type: ["The request was not understood.", "Reload the page and try again."],
  body_too_large: ["This is more text than fits into one request.", "Shorten it, or list fewer resources."],
  validation_failed: ["Some entries are not valid.", "Correct the marked fields."],
  idempotency_key_reused: ["This request was sent before with other entries.", "Try again."],
  budget_exceeded: overBudget,
  unavailable: ["The service is busy.", "Wait a moment, then try again."],
  internal_error: ["Something went wrong on our side.", "Try again; if it goes on, report the request's id."],
  rate_limited: ["Too many requests at once.", "Wait a moment, then try again."],
  offline: ["Latchkey could not be reached.", "Check your connection, then try again; nothing you typed is lost."],
  timeout: ["The answer took too long.", "Try again; nothing you typed is lost."],
};

/** A budget is renewed at a time; the number of tokens isn't. */
function overBudget(renewal) {
  if (!renewal) return ["This account has as many tokens as it may have.", "Delete some that nobody needs, then try again."];
  return ["This was done as often as is allowed in an hour.",
    `Try again at ${renewal.at}, ${renewal.relative}. Revoking, deleting and ending an old secret go on working.`];
}

export const texts = {
  product: "Latchkey",
  title: "API tokens",
  skip: "Skip to the content",
  close: "Close",
  dismiss: "Dismiss",
  cancel: "Cancel",
  done: "Done",
  tryAgain: "Try again",
  working: "Working",
  account: "Account",
  choose: "Choose",
  signOut: "Sign out",
  signingOut: "Signing out…",
  actorTypes: ACTOR_TYPES,
  users: USERS,
  actions: ACTIONS,
  alerts: ALERTS,
  sources: SOURCES,
  fields: FIELDS,
  refusals: REFUSALS,
  values: VALUES,
  lifetimes: LIFETIMES,
  roles: { owner: "Owner", administrator: "Administrator", manage: "Manage", monitor: "Monitor" },
  kinds: { account: "Account token", integrationApp: "Integration App token" },
  // The lists of a custom scope: their title, and one of them.
  lists: {
    connections: ["Connections", "Connection"],
    exports: ["Exports", "Export"],
    imports: ["Imports", "Import"],
    apis: ["My APIs", "My API"],
  },

  errors: {
    ...ERRORS,
    // What isn't an answer of the API.
    page: ["Something went wrong in this page.", "Reload it and try again."],
    request: "Request",
  },

  times: { soon: "in less than a minute", now: "just now", today: "Today", yesterday: "Yesterday" },

  copy: {
    copied: "Copied",
    notAllowed: "Your browser did not allow copying: the text is selected, copy it with the keyboard.",
  },

  signIn: {
    button: "Sign in",
    again: "Sign in again",
    lead: "Create, show, replace and revoke the API tokens of your account, and see everything that happens to them.",
    whoFor: "For owners and administrators.",
    ended: "Your session has ended",
    endedText: "Sign in again to go on where you are. What you typed is kept.",
    draftIsBack: "You had to sign in again. What you had typed is back, and not saved yet.",
    notStartedHere: "This sign-in was not started here, or it was finished before. Sign in again.",
    refused: (reason) => `The sign-in page answered: ${reason}. Sign in again.`,
    noReason: "no reason given",
    unreachable: "The sign-in service could not be reached. Check your connection, then sign in again.",
    signedOut: "You have signed out.",
    busy: "The sign-in service is busy. Wait a moment, then sign in again.",
    unfinished: "The sign-in could not be finished, or it took too long. Sign in again.",
  },

  frame: {
    discard: "Discard your changes?",
    discardText: "What you entered is not saved.",
    discardAction: "Discard",
    notLoaded: "The page could not be loaded.",
    notLoadedAdvice: "Check your connection, then reload it.",
    reload: "Reload",
    noSuchAccount: "No such account",
    noSuchAccountText: "This account does not exist, or you are not its member. Ask one of its owners or administrators, or choose another account.",
    toMyAccount: "Go to my account",
    noAccount: "No account",
    noAccountText: "You are signed in, but you are not a member of any account. Ask an owner or administrator of your company's account to invite you.",
    denied: "You may not see this page",
    deniedText: "Your role in {account} is {role}. API tokens are for the account's owner and administrators only. Ask one of them if you need a token, or another role.",
    notifications: "Which mails I get",
  },

  /** What a token may touch, in a few words. */
  scope: {
    full: "Full access",
    custom: "Custom",
    counted: (parts) => `Custom: ${parts.join(", ")}`,
  },
  status: { active: "Active", revoked: "Revoked" },
  secretCompromised: "Secret compromised",
  endsIn: (hint) => `Ends in ${hint}`,

  // ---- What can be done to a token --------------------------------------------------------------------

  token: {
    view: "View token",
    edit: "Edit API token",
    show: "Show token",
    audit: "View audit log",
    revoke: "Revoke API token",
    reactivate: "Reactivate token",
    regenerate: "Generate new token",
    retire: "End the old secret now",
    delete: "Delete API token",
    more: (name) => `Actions for ${name}`,
    revokeFirst: "To delete this API token, revoke it first.",
    compromisedFirst: "Its secret is compromised and never works again: generate a new token first.",
    needsDeveloperMode: "Needs developer mode, which you turn on in your profile on the platform.",
  },

  // ---- What a token may do, in words ------------------------------------------------------------------

  grants: {
    full: "Everything that the API offers in this account: read, create, change, delete and run. It can't create or delete what belongs to an Integration App.",
    fullApp: "Run every export and import of {app}, also those that are added later, and read their debug logs.",
    custom: "Read, run and see the debug logs of:",
    customApp: "Run these exports and imports of {app}, and read their debug logs:",
    anApp: "the Integration App",
    nothing: "Nothing yet: no resource is chosen.",
    more: (number) => `and ${number} more`,
    gone: "not found",
    never: "It never ends by itself.",
    ended: "Its time is over.",
    until: "Until {when}.",
    lifetime: (lifetime) => `For ${lifetime.toLowerCase()} from saving on: until about {when}.`,
    anywhere: "From every address.",
    only: "Only from {addresses}.",
  },

  // ---- Creating and editing ---------------------------------------------------------------------------

  form: {
    create: "Create API token",
    createOf: "Create API token of {app}",
    edit: "Edit API token",
    back: "API tokens",
    save: "Save",
    saveAndClose: "Save & close",
    general: "General",
    permissions: "Token permissions",
    network: "Network",
    name: "Name",
    nameHelp: "Shown in lists, mails and the audit log.",
    description: "Description",
    descriptionHelp: "What uses this token, and exactly where its secret is kept outside of the platform.",
    kind: "Kind",
    kindHelp: "It can't be changed later.",
    kindAccount: "Acts on this account.",
    kindApp: "Runs one app's exports and imports, and sees their debug logs.",
    app: "Integration App",
    appHelp: "The app that the token belongs to.",
    appIdHelp: "The id of the app that the token belongs to. The names of your apps could not be loaded.",
    chooseApp: "Choose…",
    loadingApps: "Loading…",
    noApps: "This account has no Integration Apps",
    sameName: (name, id) => `${name} (${id})`,
    unknownApp: (id) => `${id} (not found in this account)`,
    autoPurge: "Auto purge token",
    autoPurgeHelp: "When this time is over, the token is purged: calls with it are refused, and the list no longer shows it.",
    autoPurgeRestarts: "Choosing again restarts the time.",
    chooseLifetime: "Choose…",
    keep: (when) => `Keep: gone ${when}`,
    keepNever: "Keep: never",
    notForApps: (lifetime) => `${lifetime} (not for Integration Apps)`,
    notLicensed: (lifetime) => `${lifetime} (needs API Management)`,
    licence: "Lifetimes beyond one hour need the API Management licence, which this account does not have. Its owner can add it to the plan.",
    licenceMissing: "The account's licence does not cover this lifetime.",
    scope: "Scope",
    full: "Full access",
    fullHelp: "Everything in this account that the API offers.",
    fullHelpApp: "All exports and imports of the app.",
    custom: "Custom",
    customHelp: "Only what you choose below.",
    allowedCidrs: "Allowed addresses",
    allowedCidrsHelp: "Addresses or ranges, IPv4 or IPv6, one a line. Calls from anywhere else are refused. Empty allows every address.",
    saved: "Saved.",
    unchanged: "Nothing was changed.",
    created: "API token created",
    compromised: "The secret of this token is compromised and never works again. Generate a new one on the token's page; what you change here stays.",
    toToken: "View token",
    draftIsBack: "You had to sign in again. What you had typed is back, and not saved yet.",
    steppedUp: "You signed in again, because this needs a fresh sign-in. What you had typed is back, and not saved yet: save it again.",
    conflict: "{who} changed this token in the meantime",
    conflictIn: (fields) => ` (${fields}). `,
    conflictElsewhere: ". ",
    conflictKept: "What you did not touch shows the new values; your own entries are kept. Save again to apply them.",
    conflictFields: { name: "name", description: "description", scope: "scope", allowedCidrs: "allowed addresses" },
  },

  prefill: {
    notice: "A link filled in this form.",
    advice: "Whoever made the link chose what stands here. Check every entry; nothing is saved before you save it.",
    ignored: "What the link asks for and can't be chosen was left out:",
    unknown: "The link names what this account does not have:",
    entry: (label) => `${label} {value}`,
  },

  picker: {
    chosen: (number) => `${number} chosen`,
    chosenOf: (title) => `Chosen ${title}`,
    search: (title) => `Search ${title}`,
    loading: (number) => (number ? `Loading… ${number} so far` : "Loading…"),
    none: (title) => `There are no ${title} yet.`,
    noneMatch: (title) => `No ${title} match.`,
    appFirst: "Choose the Integration App first.",
    notOfApp: "Not of an Integration App",
    selectAll: (number) => `Select all ${number}`,
    selectFound: (number) => `Select all ${number} found`,
    clear: "Clear",
    showMore: (number) => `Show ${number} more`,
    showAll: (number) => `Show all ${number}`,
    showFewer: "Show fewer",
    remove: (name) => `Remove ${name}`,
    gone: "not found",
    goneOfApp: "not of this app",
    goneNotice: (number) => (number === 1 ? "One of the chosen does not exist, or no longer. The scope can't be saved with it."
      : `${number} of the chosen do not exist, or no longer. The scope can't be saved with them.`),
    goneNoticeApp: (number) => (number === 1 ? "One of the chosen is not of this Integration App. The scope can't be saved with it."
      : `${number} of the chosen are not of this Integration App. The scope can't be saved with them.`),
    removeGone: (number) => (number === 1 ? "Remove it" : "Remove them"),
    keys: "Move with the arrow keys, choose with the space bar.",
    shown: (shown, all) => `${shown} of ${all} shown`,
  },

  summary: {
    title: "What this token may do",
    may: "May",
    until: "Until",
    from: "From",
    noScope: "Choose a scope.",
    noLifetime: "Choose an auto purge.",
    fullForever: "Full access that never ends",
    fullForeverText: "Whoever gets hold of this secret can do everything in the account until somebody notices. Choose a custom scope or a lifetime.",
    full: "Full access",
    fullText: "Choose a custom scope if it needs only some of this.",
  },

  // ---- Handing a secret over --------------------------------------------------------------------------

  handOver: {
    give: "Give {token} to whoever is to use it, over a channel that you trust.",
    again: "Owners and administrators with developer mode can show it again. Every viewing is recorded and mailed.",
    once: "You will not be able to see it again: showing a token needs developer mode.",
    shown: "This viewing is recorded, and the account's administrators are notified. It closes by itself after a minute.",
    masked: "The token is masked again.",
    secret: "The secret",
    copy: "Copy token",
    lost: "An earlier attempt succeeded, and its answer with the token was lost.",
    lostShow: "Use “Show token” to see it.",
    lostRegenerate: "Use “Generate new token” to get another one.",
    notCopied: "You have not copied the token yet. Copy it, or close once more to leave it.",
    use: "Use it",
    ways: { curl: "curl", env: ".env", mcp: "MCP client" },
    copyWay: { curl: "Copy command", env: "Copy line", mcp: "Copy configuration" },
    snippet: { curl: "The command with the secret", env: "The line with the secret", mcp: "The configuration with the secret" },
    curlHelp: "Try it in a terminal. The shell may keep the command, and so the secret, in its history.",
    curlRead: "Reads one of the token's resources.",
    curlDebug: "Reads the debug log of one of the token's resources.",
    curlList: "Lists the account's connections.",
    curlInfo: "Asks what the token is; it runs nothing.",
    envHelp: "For a file that your program reads and that is not checked in.",
    mcpHelp: "For the configuration of a program that speaks the Model Context Protocol over HTTP.",
    placeholder: "The address of the platform's API is not set up here: put it in place of https://api.example.com.",
    may: "What it may do",
  },

  // ---- The dialogs of what can be done ----------------------------------------------------------------

  lastUse: {
    never: (subject) => `${subject} has never been used.`,
    at: (subject, ip) => `${subject} was last used {when}${ip ? ` from ${ip}` : ""}.`,
    it: "It",
    either: "With either of its secrets, the token",
  },

  oldSecret: {
    works: "The old secret{ending} works until {until}.",
    over: (name) => `The old secret of ${name} has ended: its grace period is over.`,
  },

  revoke: {
    text: "Calls with {token} are refused from the next request on. Whatever uses it stops working.",
    stops: "What stops",
    stopsFull: "Every call with this token: it has full access to the account.",
    stopsApp: "Every export and import of the Integration App that is run with this token.",
    more: (number) => `and ${number} more`,
    oldEnds: "The old secret{ending} ends for good: no reactivation brings it back.",
    later: "You can reactivate it later. The account's administrators are notified.",
    reason: "Reason (optional)",
    reasonHelp: "Is kept with the token and in its audit log.",
    action: "Revoke",
    done: (name) => `${name} is revoked.`,
  },

  reactivate: {
    text: "Calls with {token} work again at once, with the same secret: {scope}.",
    revokedFor: "It was revoked {when} by {who}: {reason}",
    revoked: "It was revoked {when} by {who}.",
    purge: "Auto purge stays: the token is purged {when}.",
    action: "Reactivate",
    done: (name) => `${name} is active again.`,
  },

  retire: {
    text: "Calls with the old secret{ending} of {token} are refused from the next request on. Whatever still uses it stops working.",
    rest: "The new secret {hint} goes on working. This can't be undone, and the account's administrators are notified.",
    action: "End it now",
    done: (name) => `The old secret of ${name} has ended.`,
  },

  regenerate: {
    text: "{token} gets a new secret. Its name, scope, auto purge and audit log stay.",
    revoked: "The secret that it has now never works again.",
    active: "Whatever uses the old secret stops working when the grace period ends.",
    before: "The secret before that{ending}, which still works until {until}, ends at once: a token has one old secret at most.",
    grace: "Grace period of the old token",
    graces: {
      0: "None: ends at once", 300: "5 minutes", 3600: "1 hour", 14400: "4 hours", 43200: "12 hours", 86400: "24 hours",
    },
    graceHelp: "Both secrets work during it, so that whoever uses the token can change over without an outage. The old one ends with the token's auto purge at the latest.",
    graceRevoked: "A revoked token gets none. The new secret works once you reactivate the token.",
    action: "Generate",
    handedOver: "New token generated",
  },

  delete: {
    text: "{token} is deleted for good and can't be reactivated. Its audit log stays.",
    action: "Delete",
    done: (name) => `${name} is deleted.`,
  },

  /** Such as "3 tokens". */
  tokens: (number) => count(number, "token", "tokens"),
};
