// What the server has told, as it came: the last state of each thing, and how the connection is.

import { screen } from "./board_words.js";

export const floor = {
  queues: new Map(), lines: new Map(), agents: new Map(), switches: new Map(), decisions: [],
  link: "wait", heardAt: 0,
  // What time the server had when the connection began, and when that was here.
  clock: null,
  // Agents who have logged out while this page looked on: they can be logged in again.
  left: new Set(),
};

export function forget() {
  floor.queues.clear();
  floor.lines.clear();
  floor.agents.clear();
  floor.switches.clear();
  floor.decisions = [];
}

const BEGINNING_MS = 10000;

// When a status was told, by this page's clock: at the beginning of a connection it may be minutes
// old, for it is told when it changes; what comes later has just been told.
export function toldAt(status) {
  const now = performance.now();
  if (!floor.clock || now - floor.clock.here > BEGINNING_MS) return now;
  return Math.min(now, floor.clock.here + Date.parse(status.at) - floor.clock.there);
}

export function queueStatuses() {
  return [...floor.queues.values()].sort((one, other) => one.key.localeCompare(other.key));
}

export function queueTitle(name) {
  const entry = [...floor.queues.values()].find((one) => one.status.queue === name);
  const title = entry && (screen.language === "sv" ? entry.status.title_sv : entry.status.title_en);
  return title || name;
}

// Each queue once, also where several PBXs have it.
export function queueNames() {
  return [...new Set(queueStatuses().map((one) => one.status.queue))];
}

// How long ago something was told; when the connection is lost, as of the last word that came by it,
// which is the moment that the page names.
export function sinceToldS(at) {
  const now = floor.link === "live" ? performance.now() : floor.heardAt;
  return Math.max(0, now - at) / 1000;
}
