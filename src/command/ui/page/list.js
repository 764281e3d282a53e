// The table of all runs: sorted, filtered, chosen from.

import { count, duration, element, number, swatch, time } from "./format.js";

const byId = (id) => document.getElementById(id);
const TRAINING = "running";
const MOST_CHOSEN = 100;

function progress(run) {
    if (!("model" in run)) return "–";
    const text = run.epochs ? `${run.epoch} / ${run.epochs}` : String(run.epoch);
    if (run.status !== TRAINING || !run.epochs) return text;
    return element("span", { className: "progress" }, text, element("progress", { max: run.epochs, value: run.epoch, ariaLabel: `epochs of ${run.name}` }));
}

function best({ best }) {
    if (!best) return "–";
    const about = `${best.metric}, ${best.split}, epoch ${best.epoch}`;
    return element("span", { title: about }, number(best.value), element("small", {}, `${best.metric} @ ${best.epoch}`));
}

function test({ test }) {
    if (!test) return "–";
    const [name, value] = test.metrics[0] ?? ["loss", test.loss];
    const all = [["loss", test.loss], ...test.metrics].map(([name, value]) => `${name} ${number(value)}`);
    return element("span", { title: all.join(", ") }, number(value), element("small", {}, name));
}

function status(run) {
    const left = run.epochs && run.epoch ? ((run.epochs - run.epoch) * run.seconds) / run.epoch : null;
    const more = run.status === TRAINING && left ? `about ${duration(left)} left`
        : run.early ? "early"
        : run.skipped ? `${run.skipped} batches left out` : "";
    const about = run.status === "killed" ? "its process ended without a word; `nnc run --resume` goes on" : run.reason ?? run.summary ?? "";
    return element("span", { className: "status", title: about }, element("span", { className: `dot ${run.status}`, ariaHidden: "true" }), run.status, more && element("small", {}, more));
}

function report(run, base) {
    if (!run.report) return "";
    const link = element("a", { href: new URL(`run/${run.id}`, base).href, target: "_blank", rel: "noopener" }, "report");
    link.append(element("span", { className: "unseen" }, ` of ${run.name}`));
    return link;
}

const COLUMNS = [
    { key: "name", label: "Run", value: (run) => run.name },
    { key: "status", label: "Status", value: (run) => run.status, show: status },
    { key: "epoch", label: "Epoch", value: (run) => run.epoch, show: progress, number: true },
    { key: "train_loss", label: "Loss", value: (run) => run.train_loss, number: true },
    { key: "val_loss", label: "Val. loss", value: (run) => run.val_loss, number: true },
    { key: "best", label: "Best", value: (run) => run.best?.value, show: best, number: true },
    { key: "test", label: "Test", value: (run) => run.test && (run.test.metrics[0]?.[1] ?? run.test.loss), show: test, number: true },
    { key: "seconds", label: "Time", value: (run) => run.seconds, show: (run) => duration(run.seconds), number: true },
    { key: "parameters", label: "Parameters", value: (run) => run.parameters, show: (run) => count(run.parameters), number: true },
    { key: "started", label: "Started", value: (run) => run.started, show: (run) => time(run.started), number: true },
];

// All that a run is found by.
function words(run) {
    const settings = (run.settings ?? []).map(([name, value]) => `${name}=${value}`);
    return [run.name, run.model, run.program, ...(run.set ?? []), ...settings].join("\n").toLowerCase();
}

export class List {
    // `base` is the address of the page's parts; `changed` is called when another run is chosen, or the
    // filter or order is another.
    constructor(base, changed) {
        this.base = base;
        this.changed = changed;
        this.runs = new Map();
        this.rows = new Map();
        this.words = new Map();
        this.chosen = new Map(); // id → slot, in the order of choosing
        this.sort = { key: "started", down: true };
        this.body = byId("runs").tBodies[0];
        this.last = null;
        this.head();
        const again = () => { this.arrange(); this.changed(); };
        byId("search").addEventListener("input", again);
        byId("statuses").addEventListener("change", again);
        byId("filters").addEventListener("submit", (event) => event.preventDefault());
        byId("clear").addEventListener("click", () => { this.choose([]); byId("search").focus(); });
        this.body.addEventListener("keydown", (event) => this.key(event));
        document.addEventListener("keydown", (event) => {
            if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
                event.preventDefault();
                byId("search").focus();
            }
        });
    }

    head() {
        const cells = COLUMNS.map((column) => {
            const button = element("button", { type: "button" }, column.label);
            button.addEventListener("click", () => {
                const same = this.sort.key === column.key;
                this.sort = { key: column.key, down: same ? !this.sort.down : Boolean(column.number) };
                this.arrange();
                this.changed();
            });
            const cell = element("th", { scope: "col", className: column.number ? "number" : "" }, button);
            cell.dataset.key = column.key;
            return cell;
        });
        byId("runs").tHead.rows[0].replaceChildren(...cells, element("th", { scope: "col" }, element("span", { className: "unseen" }, "Report")));
    }

    // Takes runs that are new or have changed, and ids that are gone.
    update(runs, gone) {
        for (const run of runs) {
            // They come once.
            run.settings ??= this.runs.get(run.id)?.settings;
            this.runs.set(run.id, run);
            this.words.set(run.id, words(run));
            this.fill(run);
        }
        for (const id of gone) {
            this.rows.get(id)?.remove();
            for (const map of [this.runs, this.rows, this.words, this.chosen]) map.delete(id);
        }
        this.arrange();
    }

    fill(run) {
        let row = this.rows.get(run.id);
        if (!row) {
            const box = element("input", { type: "checkbox" });
            box.addEventListener("click", (event) => this.click(run.id, event));
            const name = element("th", { scope: "row" }, element("label", {}, box, element("span", { className: "slot" }), element("span", { className: "name" })), element("small"));
            row = element("tr", {}, name, ...COLUMNS.slice(1).map((column) => element("td", { className: column.number ? "number" : "" })), element("td"));
            row.dataset.id = run.id;
            this.rows.set(run.id, row);
        }
        row.querySelector(".name").textContent = run.name;
        const about = run.reason ?? [run.model, run.program, ...(run.set ?? [])].filter(Boolean).join(" · ");
        const small = row.cells[0].lastChild;
        small.textContent = small.title = about;
        COLUMNS.slice(1).forEach((column, index) => {
            const shown = column.show ? column.show(run) : number(column.value(run));
            row.cells[index + 1].replaceChildren(shown);
        });
        row.lastChild.replaceChildren(report(run, this.base));
        this.mark(run.id);
    }

    // Shows whether a run is chosen, and its colour.
    mark(id) {
        const row = this.rows.get(id);
        if (!row) return;
        const slot = this.chosen.get(id);
        row.querySelector("input").checked = slot !== undefined;
        row.querySelector(".slot").replaceChildren(slot === undefined ? "" : swatch(slot));
        row.classList.toggle("chosen", slot !== undefined);
    }

    statuses() {
        return [...document.querySelectorAll("#statuses input:checked")].map((box) => box.value);
    }

    // The runs that the filter leaves, in order.
    arranged() {
        const asked = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
        const statuses = this.statuses();
        const stays = (run) => asked.every((word) => this.words.get(run.id).includes(word)) && (statuses.length === 0 || statuses.includes(run.status));
        const { value } = COLUMNS.find((column) => column.key === this.sort.key) ?? COLUMNS[0];
        const turn = this.sort.down ? -1 : 1;
        const order = (a, b) => {
            const [x, y] = [value(a), value(b)];
            const [none, other] = [x === null || x === undefined, y === null || y === undefined];
            // What has no value is last in either order.
            if (none || other) return none - other;
            return typeof x === "string" ? turn * x.localeCompare(y, "en", { numeric: true }) : turn * (x - y);
        };
        const byName = (a, b) => a.name.localeCompare(b.name, "en", { numeric: true });
        return [...this.runs.values()].filter(stays).sort((a, b) => order(a, b) || byName(a, b));
    }

    arrange() {
        const shown = this.arranged();
        const rows = shown.map((run) => this.rows.get(run.id));
        const there = [...this.body.rows];
        if (rows.length !== there.length || rows.some((row, index) => row !== there[index])) {
            const focused = this.body.contains(document.activeElement) ? document.activeElement : null;
            this.body.replaceChildren(...rows);
            focused?.focus({ preventScroll: true });
        }
        for (const cell of byId("runs").tHead.rows[0].cells) {
            const own = cell.dataset.key === this.sort.key;
            if (own) cell.setAttribute("aria-sort", this.sort.down ? "descending" : "ascending");
            else cell.removeAttribute("aria-sort");
        }
        const counts = new Map();
        for (const run of this.runs.values()) counts.set(run.status, (counts.get(run.status) ?? 0) + 1);
        for (const box of document.querySelectorAll("#statuses input")) {
            const count = counts.get(box.value) ?? 0;
            box.parentElement.hidden = count === 0 && !box.checked;
            box.parentElement.querySelector("output").value = count;
        }
        const all = this.runs.size;
        const found = shown.length === all ? `${all} run${all === 1 ? "" : "s"}` : `${shown.length} of ${all} runs`;
        const most = this.chosen.size === MOST_CHOSEN ? `; no more than ${MOST_CHOSEN} can be compared` : "";
        const text = found + most;
        if (byId("count").textContent !== text) byId("count").textContent = text;
        byId("empty").hidden = all > 0;
        byId("scroller").hidden = all === 0;
        byId("clear").hidden = this.chosen.size === 0;
    }

    // The first colour that no chosen run has.
    free() {
        const taken = new Set(this.chosen.values());
        let slot = 0;
        while (taken.has(slot)) slot++;
        return slot;
    }

    toggle(id, chosen) {
        const room = this.chosen.size < MOST_CHOSEN;
        if (chosen && room && !this.chosen.has(id) && this.runs.has(id)) this.chosen.set(id, this.free());
        if (!chosen) this.chosen.delete(id);
        this.mark(id);
    }

    // With Shift, everything from the last choice to this one.
    click(id, event) {
        const { checked } = event.target;
        const ids = [...this.body.rows].map((row) => row.dataset.id);
        const [from, to] = [ids.indexOf(this.last), ids.indexOf(id)].sort((a, b) => a - b);
        const range = event.shiftKey && from >= 0 ? ids.slice(from, to + 1) : [id];
        range.forEach((one) => this.toggle(one, checked));
        this.last = id;
        this.arrange();
        this.changed();
    }

    // Chooses these runs and no others.
    choose(ids) {
        const before = [...this.chosen.keys()];
        this.chosen.clear();
        ids.forEach((id) => this.toggle(id, true));
        before.forEach((id) => this.mark(id));
        this.arrange();
        this.changed();
    }

    remove(id) {
        this.toggle(id, false);
        this.arrange();
        this.changed();
    }

    // Arrows go from run to run.
    key(event) {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        const row = event.target.closest("tr");
        if (!step || !row || event.target.type !== "checkbox") return;
        const next = this.body.rows[row.sectionRowIndex + step];
        if (!next) return;
        event.preventDefault();
        next.querySelector("input").focus();
    }
}
