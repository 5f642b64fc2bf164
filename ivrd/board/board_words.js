// What the board says, in Swedish and English, and how moments and durations are written.

export const DASH = "\u2013";

const WORDS = {
  sv: {
    title: "Läget nu", view: "Visning", wall: "Vägg", theme: "Mörkt", none: "Inga köer än.", lines: "Linjer", moves: "Överflöde",
    waiting: "väntar", longest: "längst", goal: "mål", free: "Lediga", busy: "Upptagna", paused: "Pausade", away: "Ej nåbara",
    expected: "Förväntad väntan", answered: "Besvarade", abandoned: "Tappade", level: "Svarsnivå", moved: "Flyttade in / ut",
    cases: "Ärenden", late: "Väntan är över målet", unsure: "Okänt just nu: PBX:en svarar inte", live: "Ansluten",
    lost: "Ingen förbindelse. Siffrorna är från", wait: "Ansluter …", open: "öppen", closed: "stängd", until: "till",
    notices: "Meddelande", offered: "Erbjudna", other: "English", sign_in: "Logga in", sign_out: "Logga ut",
    asked: "ska flyttas", landed: "flyttades", began: "började", ended: "slutade", diverted: "leds om", let_in: "släpps in",
    agents: "Agenter", callers: "Väntar nu", switches: "Meddelanden och överflödesregler", more: "fler", nobody: "Ingen väntar.",
    available: "ledig", is_busy: "upptagen", is_paused: "pausad", unavailable: "ej nåbar", in_call: "i samtal",
    place: "plats", unknown_line: "okänd linje", hidden: "dolt nummer", ringing: "ringer hos en agent", moving: "flyttas till",
    notice: "Meddelande", rule: "Regel", line: "Linje", by: "av", on: "på", off: "av", dry_run: "torrkörs", forced: "tvingad",
    free_notice: "av", free_line: "följer sina tider", free_rule: "följer konfigurationen", pending: "inte framme på",
    acts: "Åtgärder", what: "Åtgärd", agent_name: "Agent", queue: "Kö", every_queue: "alla agentens köer", to_queue: "Till kön",
    until_when: "Gäller till", reason: "Skäl (sparas och läses av kolleger)", do: "Utför", cancel: "Avbryt", log_in_other: "Logga in en agent …",
    working: "Utförs …", undo: "Ångra", undo_last: "Ångra det senaste",
    pause: "Pausa", unpause: "Avsluta paus", log_in: "Logga in i kö", log_out: "Logga ut",
    move: "Flytta till annan kö", first: "Låt gå först", by_arrival: "Efter ankomst igen", close: "Stäng linjen", force_open: "Håll linjen öppen",
    release_line: "Följ tiderna igen", notice_on: "Spela meddelandet", notice_off: "Sluta spela det", rule_on: "Sätt på", rule_off: "Stäng av",
    rule_dry: "Torrkör", rule_forced: "Tvinga", release_rule: "Följ konfigurationen igen", caller: "Den som väntar",
    curve: "Dagskurva", curve_queue: "Dagskurva för kön", today: "i dag", half_hour: "Halvtimme", as_table: "Som tabell", going_on: "pågår",
    curve_label: "per halvtimme, i dag och samma veckodag förra veckan. Siffrorna står i tabellen under.",
    curve_note: "Lagrade samtal, efter när de kom till kön; den som väntar eller talar nu kommer till senare. Ringen är den halvtimme som pågår.", read_at: "Läst",
    curve_away: "Dagskurvan kan inte läsas just nu.", until_clock: "Till kl.",
    done: "klart", outcome_pending: "taget, men inte framme än", already: "det var redan så",
    was_first: "hann före", somebody: "Någon annan", unchanged: "Inget är ändrat av dig. Utför igen om det ska göras ändå.",
    look_again: "Inget är ändrat. Se hur det är nu, och försök igen om en stund.",
    not_allowed: "Du får inte göra det.", not_there: "Det finns inte längre.", not_taken: "Gick inte:", too_often: "För många försök. Vänta en stund.",
    signed_out: "Du är inte inloggad längre.", silent: "ivrd svarar inte, så det är inte säkert gjort. Se efter när förbindelsen är tillbaka.",
    no_choice: "Välj en åtgärd.", no_reason: "Skriv ett skäl.", no_time: "Skriv till när det ska gälla.", no_agent: "Skriv agentens namn.",
  },
  en: {
    title: "Now", view: "View", wall: "Wall", theme: "Dark", none: "No queues yet.", lines: "Lines", moves: "Overflow",
    waiting: "waiting", longest: "longest", goal: "goal", free: "Free", busy: "Busy", paused: "Paused", away: "Unavailable",
    expected: "Expected wait", answered: "Answered", abandoned: "Abandoned", level: "Service level", moved: "Moved in / out",
    cases: "Cases", late: "The wait is past its goal", unsure: "Unknown now: the PBX does not answer", live: "Connected",
    lost: "No connection. These figures are from", wait: "Connecting …", open: "open", closed: "closed", until: "until",
    notices: "Notice", offered: "Offered", other: "Svenska", sign_in: "Sign in", sign_out: "Sign out",
    asked: "to be moved", landed: "moved", began: "began", ended: "ended", diverted: "diverted", let_in: "let in",
    agents: "Agents", callers: "Waiting now", switches: "Notices and overflow rules", more: "more", nobody: "Nobody waits.",
    available: "free", is_busy: "busy", is_paused: "paused", unavailable: "unavailable", in_call: "in a call",
    place: "place", unknown_line: "unknown line", hidden: "number hidden", ringing: "an agent's phone rings", moving: "moving to",
    notice: "Notice", rule: "Rule", line: "Line", by: "by", on: "on", off: "off", dry_run: "dry run", forced: "forced",
    free_notice: "off", free_line: "follows its hours", free_rule: "follows the configuration", pending: "not yet on",
    acts: "Actions", what: "Action", agent_name: "Agent", queue: "Queue", every_queue: "all queues of the agent", to_queue: "To queue",
    until_when: "Until", reason: "Reason (kept, and read by colleagues)", do: "Do it", cancel: "Cancel", log_in_other: "Log an agent in …",
    working: "Working …", undo: "Undo", undo_last: "Undo the last one",
    pause: "Pause", unpause: "End the pause", log_in: "Log in to a queue", log_out: "Log out",
    move: "Move to another queue", first: "Let go first", by_arrival: "By arrival again", close: "Close the line", force_open: "Hold the line open",
    release_line: "Follow its hours again", notice_on: "Play the notice", notice_off: "Stop playing it", rule_on: "Switch on", rule_off: "Switch off",
    rule_dry: "Dry run", rule_forced: "Force", release_rule: "Follow the configuration again", caller: "The caller",
    curve: "The day", curve_queue: "The day of queue", today: "today", half_hour: "Half hour", as_table: "As a table", going_on: "going on",
    curve_label: "by half hour, today and the same weekday of last week. The figures stand in the table below.",
    curve_note: "Stored calls, by when they came to the queue; who waits or talks now is added later. The ring is the half hour that goes on.", read_at: "Read at",
    curve_away: "The day's curve cannot be read just now.", until_clock: "Until",
    done: "done", outcome_pending: "taken, but not there yet", already: "it was so already",
    was_first: "was first", somebody: "Somebody else", unchanged: "You have changed nothing. Do it again if it is still wanted.",
    look_again: "Nothing is changed. Look at how it is now, and try again in a while.",
    not_allowed: "You may not do this.", not_there: "It is no longer there.", not_taken: "Not taken:", too_often: "Too many tries. Wait a while.",
    signed_out: "You are no longer signed in.", silent: "ivrd does not answer, so it may not be done. Look when the connection is back.",
    no_choice: "Choose an action.", no_reason: "Write a reason.", no_time: "Write until when.", no_agent: "Write the agent's name.",
  },
};

export const screen = { language: "sv" };

export const say = (word) => WORDS[screen.language][word] || word;
export const count = (value) => (value === null || value === undefined ? "?" : String(value));

const place = () => (screen.language === "sv" ? "sv-SE" : "en-GB");

export function clock(moment) {
  return moment.toLocaleTimeString(place());
}

// The day stands beside the hour when it is another day than today.
export function time(text) {
  const moment = new Date(text);
  const hour = moment.toLocaleTimeString(place(), { hour: "2-digit", minute: "2-digit" });
  if (moment.toDateString() === new Date().toDateString()) return hour;
  return `${moment.toLocaleDateString(place(), { day: "numeric", month: "short" })} ${hour}`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "?";
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
