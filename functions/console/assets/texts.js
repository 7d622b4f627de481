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
// What happened to a token, as sentences of its page.
const TIMELINE = {
  create: "{who} created it.",
  update: "{who} edited it.",
  view: "{who} had its secret shown.",
  revoke: "{who} revoked it.",
  revokeFor: "{who} revoked it: {reason}.",
  revokeBySecret: "Somebody who has {secret} revoked it with that.",
  reactivate: "{who} reactivated it.",
  regenerate: "{who} generated a new secret, {new}. The old one, {old}, ended at once.",
  regenerateWithGrace: "{who} generated a new secret, {new}. The old one, {old}, could be used until {until}.",
  retire: "{who} ended the old secret {old} before its time.",
  delete: "{who} deleted it.",
  access: "It was used{from}{client}, for the first time from there that day.",
  accessCrowded: "It was used{from}{client}.",
  refused: "Somebody tried a secret of it{from}{client}; refused because {why}.",
  purge: "It was purged: its time was over.",
  remind: "The administrators were reminded that it ends {until}.",
  leak: "{who} reported {secret} as leaked. It never works again.",
  tamper: "A record of this log was changed or removed. The old values are what it said.",
  oldEnded: "The old secret, {old}, ended with it.",
  other: "{who}: {action}",
  from: " from {ip}",
  fromAsserted: " from {ip} (as claimed by the API that asked)",
  with: " with {client} (as claimed)",
};
// Which secret was compromised, within a sentence.
const COMPROMISED = {
  current: "its secret",
  previous: "its old secret",
  ended: "a secret of it that had ended before",
};
// Why a secret was refused, within a sentence.
const REFUSED_BECAUSE = {
  revoked: "the token was revoked",
  expired: "the time of the token or the secret was over",
  ended: "the secret had been replaced or ended",
  compromised: "the secret is compromised",
  address: "the address is not an allowed one",
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

  // ---- The page of a token ----------------------------------------------------------------------------

  tokenPage: {
    loading: "Loading the API token",
    back: "API tokens",
    more: "More actions",
    edit: "Edit",
    revoke: "Revoke",
    reactivate: "Reactivate",
    recorded: "Showing the token is recorded, and the account's administrators are notified.",
    actions: "What can be done",
    showTitle: "Show this token?",
    showText: "The secret of {token} appears on your screen. The viewing is recorded, and the account's administrators are notified.",
    /** Why an address can't do what it asks for, as the token is now. */
    notNow: {
      revoke: "This token is revoked already.",
      reactivate: "This token is active: there is nothing to reactivate.",
      retire: "No old secret of this token works any more: there is nothing to end.",
      unknown: "This page does not know what the link wants to be done. Choose it yourself.",
    },

    active: "Active.",
    never: "It never ends by itself.",
    ends: "It ends {when}, on {date}.",
    endsSoon: "Ends {when}, on {date}.",
    revoked: "Revoked {when} by {who}.",
    revokedFor: "Revoked {when} by {who}: {reason}.",
    revokedBySecret: "Revoked {when} with the secret itself.",
    revokedPurge: "It is purged {when}.",
    leaked: "Secret compromised: it was reported as leaked {when} and never works again. Generate a new token, then you can reactivate it.",
    givenUp: "Secret compromised: its holder revoked it {when}, and it never works again. Generate a new token, then you can reactivate it.",
    compromised: "Secret compromised {when}: it never works again. Generate a new token, then you can reactivate it.",
    purged: "Purged {when}: its time is over, and calls with it are refused. Its audit log stays.",

    description: "Description",
    mayDo: "What it may do",
    full: "Everything in this account that the API offers.",
    fullApp: "All exports and imports of its Integration App.",
    fullForever: "It has full access and never ends. Whoever gets hold of it can do everything, for good: give it an end, or a custom scope.",
    custom: (number) => `Only ${count(number, "resource", "resources")}, and nothing else in this account.`,
    nothing: "Nothing: all resources that it was made for are gone.",
    removed: "no longer exists",
    removedCount: (number) => `${number} of these no longer ${number === 1 ? "exists" : "exist"}. Edit the token to take ${number === 1 ? "it" : "them"} off the list.`,
    search: "Search these resources",
    noMatch: "None of these resources matches.",
    matches: (number) => count(number, "resource matches.", "resources match."),
    showAll: (number) => `Show all ${number}`,
    showFewer: "Show fewer",

    details: "Details",
    endsTitle: "Ends",
    neverEnds: "Never",
    autoPurge: (choice) => `Auto purge: ${choice}`,
    from: "May be used from",
    anyAddress: "Any address",
    kind: "Kind",
    app: "Integration App",
    secret: "Secret",
    created: "Created",
    updated: "Last changed",
    by: "by {who}",
    id: "Token ID",
    copyId: "Copy",
    copyIdLabel: "Copy the token's ID",

    use: "Use",
    neverUsed: "It has never been used.",
    neverUsedYet: "If nobody needs it, revoke it.",
    idle: "Nobody has used it for so long. If it isn't needed any more, revoke it.",
    lastUsed: "Last used",
    address: "Address",
    assertedAddress: "The user's address, as claimed by the API that asked",
    client: "Client, as claimed",
    useNote: "Of each day, only the first use from an address is recorded.",
    refused: "Refused uses",
    notRefused: "None in the last 30 days.",
    refusedOn: (days) => `On ${count(days, "day", "days")} of the last 30:`,
    atLeast: "and perhaps more",
    refusedFor: (days) => `{reason}: ${count(days, "day", "days")}, last {when} from {ip}`,
    refusedAdvice: "Something still uses a secret that doesn't work. If it isn't one of your systems, find out where it got the secret.",

    gone: "This token no longer exists",
    deleted: "Deleted {when} by {who}.",
    purgedAt: "Purged {when}: its time was over.",
    purgedSometime: "Purged: its time was over.",
    goneText: "Calls with it are refused for good, and it can't be brought back. Its audit log stays.",
    none: "There is no such token",
    noneText: "No token of this account has or had the ID {id}. The address may be incomplete, or belong to another account.",
    toList: "Go to the API tokens",
  },

  timeline: {
    title: "What happened",
    filter: "Show",
    kinds: { "": "Everything", use: "Use", changes: "Changes", secrets: "Secrets", problems: "Problems" },
    zone: (zone) => `Newest first. Times are in your time zone, ${zone}.`,
    table: "Open as a table",
    older: "Show older",
    loading: "Loading what happened",
    loaded: (number) => `${count(number, "event", "events")} loaded.`,
    empty: "Nothing is recorded yet.",
    noMatch: "Nothing of this kind is recorded.",
    details: "Details",
    events: TIMELINE,
    compromised: COMPROMISED,
    refusals: REFUSED_BECAUSE,
    exactly: "Time",
    user: "User",
    email: "E-mail",
    userId: "User ID",
    source: "Source",
    ip: "Address",
    assertedIp: "Address, as claimed by the API that asked",
    client: "Client, as claimed",
    userAgent: "As it calls itself",
    requestId: "Request",
    recordId: "Record",
    fields: "Created with",
    changed: {
      added: "added {what}",
      removed: "removed {what}",
      both: "added {added}; removed {removed}",
      from: "{new}, before that {old}",
      set: "{new}",
      cleared: "none any more, before that {old}",
      renamed: "renamed from {old} to {new}",
      never: "never",
      anyAddress: "any address",
    },
  },

  audit: {
    title: "Audit log",
    of: (name) => `Audit log of ${name}`,
    lead: "Everything that happened to this account's tokens, deleted and purged ones included.",
    toToken: "The token's page",
    filters: "Filter the audit log",
    action: "Action",
    source: "Source",
    user: "User",
    from: "From",
    to: "To, inclusive",
    all: "All",
    clear: "Clear the filters",
    download: "Download CSV",
    downloading: "The download has started.",
    records: "Records",
    columns: {
      time: "Time", source: "Source", user: "User", name: "Name", action: "Action", field: "Field", old: "Old value", new: "New value",
    },
    loading: "Loading the records",
    loaded: (number) => `${count(number, "record", "records")} loaded.`,
    empty: "There are no records yet.",
    noMatch: "No record matches these filters.",
    older: "Show older",
    assertedIp: "{ip}, as claimed by the API that asked",
    allFields: (number) => `Show ${count(number, "field", "fields")}`,
    noFields: "Hide the fields",
    details: "Details",
    person: (name, email) => (email ? `${name} (${email})` : name),
    scanner: "GitHub",
    system: "System",
    thisToken: "This token itself",
  },

  notifications: {
    title: "Which mails I get",
    lead: "Latchkey sends you mails about the API tokens of {account}, because you administer them. What you choose here is for you alone.",
    loading: "Loading your choice",
    events: {
      create: ["New tokens, and tokens that are gone", "A token was created, deleted or purged."],
      access: ["Use", "A token was used for the first time that day from an address, or a secret was tried and refused."],
      change: ["Changes", "A token was edited, revoked or reactivated, got a new secret, or its old one was ended."],
    },
    immediate: "At once",
    immediateHelp: "A mail for each.",
    daily: "Once a day",
    dailyHelp: "All of a day in one mail, after its end in UTC.",
    always: "Always at once",
    alwaysText: "What may need you to act soon can't wait for the next day:",
    alwaysEvents: [
      "A token was shown in plain text.",
      "A secret was reported as leaked, or revoked by its holder: it is compromised.",
      "A record of the audit log was changed or removed.",
      "A token ends soon.",
    ],
    save: "Save",
    saved: "Your choice is saved.",
    same: "Nothing is changed yet.",
    draftIsBack: "You had to sign in again. What you had chosen is back, and not saved yet.",
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
