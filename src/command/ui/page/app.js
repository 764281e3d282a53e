// Asks the server what is new, each second while the page is seen, and hands it to the table and to the
// comparison. The state of the page (filter, order, chosen runs) is in the address behind #, so that it
// stays when the page is loaded again.

import { Comparison } from "./compare.js";
import { List } from "./list.js";

const byId = (id) => document.getElementById(id);
const EVERY = 1000;
const AFTER_FAILURE = 3000;

let version = 0;
const curves = new Map(); // id → { generation, columns, rows }
let timer = null;
let asking = false;
let again = false;

const list = new List(import.meta.url, () => { keepState(); compare(); ask(); });
const comparison = new Comparison((id) => list.remove(id), keepState, difference);

function compare() {
    comparison.show([...list.chosen].map(([id, slot]) => [list.runs.get(id), slot, curves.get(id)]));
}

function address() {
    const url = new URL("updates", import.meta.url);
    const position = (id) => {
        const known = curves.get(id);
        return known ? `${id}.${known.generation}.${known.rows.length}` : `${id}.0.0`;
    };
    url.search = `since=${version}&curves=${[...list.chosen.keys()].map(position).join(",")}`;
    return url;
}

// The lines in which the programs of two runs differ; none where there is no answer.
async function difference(ids) {
    const url = new URL(`difference?runs=${ids}`, import.meta.url);
    try {
        const response = await fetch(url, { cache: "no-store" });
        return response.ok ? await response.json() : {};
    } catch {
        return {};
    }
}

// Puts new rows behind those that are there; whether there were any.
function take(updates) {
    for (const { id, generation, from, columns, rows } of updates) {
        const known = curves.get(id);
        const kept = known && known.generation === generation ? known.rows.slice(0, from) : [];
        curves.set(id, { generation, columns, rows: [...kept, ...rows] });
    }
    return updates.length > 0;
}

async function ask() {
    if (asking) {
        again = true;
        return;
    }
    clearTimeout(timer);
    asking = true;
    const news = await answer();
    try {
        if (news.error) live(false, news.error);
        else show(news);
    } finally {
        asking = false;
        // The server reads many runs in several looks.
        const wait = news.error ? AFTER_FAILURE : again || news.unread ? 0 : EVERY;
        again = false;
        if (!document.hidden) timer = setTimeout(ask, wait);
    }
}

// What is new, or why nobody knows.
async function answer() {
    try {
        const response = await fetch(address(), { cache: "no-store" });
        return await response.json();
    } catch {
        return { error: "nnc ui has ended; this is what it knew last" };
    }
}

function show(news) {
    const isFirst = version === 0;
    version = news.version;
    const { runs = [], gone = [], problem = "" } = news;
    if (runs.length > 0 || gone.length > 0 || isFirst) {
        gone.forEach((id) => curves.delete(id));
        list.update(runs, gone);
    }
    if (wanted.size > 0) restoreChoice(!news.unread);
    const isNew = take(news.curves ?? []);
    const touched = runs.some((run) => list.chosen.has(run.id)) || gone.length > 0;
    if (isNew || touched || isFirst) compare();
    byId("problem").hidden = !problem;
    if (byId("problem").textContent !== problem) byId("problem").textContent = problem;
    const training = [...list.runs.values()].filter((run) => run.status === "running").length;
    live(true, news.unread ? `reading ${news.unread} more` : training > 0 ? `live, ${training} training` : "live");
}

function live(isGood, text) {
    const place = byId("live");
    place.classList.toggle("lost", !isGood);
    if (place.textContent !== text) place.textContent = text;
}

// --- the state in the address

const OPTIONS = ["axis", "log", "training", "validation", "smooth"];
const box = (id) => byId(id).type === "checkbox";
const value = (id) => (box(id) ? String(byId(id).checked) : byId(id).value);
const defaults = new Map(OPTIONS.map((id) => [id, value(id)]));

function keepState() {
    const state = new URLSearchParams();
    if (byId("search").value) state.set("q", byId("search").value);
    if (list.statuses().length > 0) state.set("status", list.statuses().join(","));
    if (list.sort.key !== "started" || !list.sort.down) state.set("sort", `${list.sort.down ? "-" : ""}${list.sort.key}`);
    const chosen = [...list.chosen.keys(), ...wanted];
    if (chosen.length > 0) state.set("runs", chosen.join(","));
    for (const id of OPTIONS) if (value(id) !== defaults.get(id)) state.set(id, value(id));
    history.replaceState(null, "", `#${state}`);
}

const state = new URLSearchParams(location.hash.slice(1));
const wanted = new Set((state.get("runs") ?? "").split(",").filter(Boolean));

function restore() {
    byId("search").value = state.get("q") ?? "";
    const statuses = (state.get("status") ?? "").split(",");
    for (const input of document.querySelectorAll("#statuses input")) input.checked = statuses.includes(input.value);
    const sort = state.get("sort");
    if (sort) list.sort = { key: sort.replace(/^-/, ""), down: sort.startsWith("-") };
    for (const id of OPTIONS) {
        if (!state.has(id)) continue;
        if (box(id)) byId(id).checked = state.get(id) === "true";
        else byId(id).value = state.get(id);
    }
}

// Chooses the runs of the address that are there by now; those that never come are forgotten.
function restoreChoice(isLast) {
    const there = [...wanted].filter((id) => list.runs.has(id));
    there.forEach((id) => wanted.delete(id));
    if (isLast) wanted.clear();
    if (there.length > 0) list.choose([...list.chosen.keys(), ...there]);
}

restore();
document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
ask();
