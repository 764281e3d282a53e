// The chosen runs beside one another: curves, results, and the settings in which they differ.

import { Chart } from "./chart.js";
import { count, duration, element, number, swatch } from "./format.js";

const byId = (id) => document.getElementById(id);
// Numbers of an epoch that count or time it.
const NOT_DRAWN = new Set(["epoch", "steps", "samples", "seconds", "data_seconds"]);

// The number that a column is of: `val_loss` and `train_loss` are both the loss.
const base = (column) => column.replace(/^(train|val)_/, "");

// Exponential smoothing, without the pull of a first value that is not there.
function smoothed(points, keep) {
    if (keep === 0) return points;
    let sum = 0, weight = 0;
    return points.map(([x, y]) => {
        if (y === null) return [x, null];
        sum = keep * sum + (1 - keep) * y;
        weight = keep * weight + (1 - keep);
        return [x, sum / weight];
    });
}

export class Comparison {
    // `remove` takes a run out; `changed` is called when an option is another; `difference` asks in which
    // lines the programs of two runs differ.
    constructor(remove, changed, difference) {
        this.remove = remove;
        this.difference = difference;
        this.charts = new Map();
        this.legend = "";
        byId("options").addEventListener("input", () => { this.redraw(); changed(); });
        byId("options").addEventListener("submit", (event) => event.preventDefault());
    }

    // Shows runs with their slots, `[[run, slot, curves], …]`.
    show(chosen) {
        this.chosen = chosen;
        byId("comparison").hidden = chosen.length === 0;
        this.drawLegend();
        this.redraw();
        this.drawTables();
        this.drawPrograms();
    }

    drawLegend() {
        const state = JSON.stringify(this.chosen.map(([run, slot]) => [run.id, run.name, slot]));
        if (state === this.legend) return;
        this.legend = state;
        byId("legend").replaceChildren(...this.chosen.map(([run, slot]) => {
            const button = element("button", { type: "button", title: "take it out" }, swatch(slot), element("span", {}, run.name), element("span", { ariaHidden: "true" }, "×"));
            button.setAttribute("aria-label", `take ${run.name} out of the comparison`);
            button.addEventListener("click", () => this.remove(run.id));
            const item = element("li", {}, button);
            const highlight = (id) => () => this.highlight(id);
            for (const name of ["pointerenter", "focusin"]) item.addEventListener(name, highlight(run.id));
            for (const name of ["pointerleave", "focusout"]) item.addEventListener(name, highlight(null));
            return item;
        }));
    }

    // Makes the curves of all other runs faint.
    highlight(id) {
        for (const path of document.querySelectorAll("#charts path[data-run]")) {
            path.classList.toggle("faint", id !== null && path.dataset.run !== id);
        }
    }

    // The numbers that any run has: the loss, its terms and the metrics, then everything else.
    names() {
        const columns = this.chosen.flatMap(([, , curves]) => curves?.columns ?? []);
        const scored = new Set(columns.filter((column) => column !== base(column)).map(base));
        const all = new Set(columns.filter((column) => !NOT_DRAWN.has(column)).map(base));
        const rank = (name) => (name === "loss" ? 0 : scored.has(name) ? 1 : 2);
        return [...all].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
    }

    options() {
        byId("smooth").nextElementSibling.value = byId("smooth").value;
        return {
            x: byId("axis").value, log: byId("log").checked, smooth: Number(byId("smooth").value),
            splits: { train: byId("training").checked, val: byId("validation").checked },
        };
    }

    redraw() {
        if (!this.chosen) return;
        const options = this.options();
        const names = this.names();
        for (const [name, chart] of this.charts) {
            if (names.includes(name)) continue;
            chart.figure.remove();
            this.charts.delete(name);
        }
        names.forEach((name, index) => {
            if (!this.charts.has(name)) this.charts.set(name, new Chart(name));
            const chart = this.charts.get(name);
            if (byId("charts").children[index] !== chart.figure) byId("charts").insertBefore(chart.figure, byId("charts").children[index] ?? null);
            chart.draw(this.chosen.flatMap((one) => this.seriesOf(one, name, options)), options);
        });
    }

    // The curves of a run for one number.
    seriesOf([run, slot, curves], name, options) {
        if (!curves) return [];
        const place = (column) => curves.columns.indexOf(column);
        const seconds = place("seconds");
        let passed = 0;
        const xs = curves.rows.map((row) => (passed += row[seconds] ?? 0, options.x === "time" ? passed : row[0]));
        const one = (column, split, dashed) => {
            const at = place(column);
            const points = curves.rows.map((row, index) => [xs[index], row[at] ?? null]);
            return { id: run.id, name: run.name, slot, split, dashed, points: smoothed(points, options.smooth) };
        };
        const both = place(`train_${name}`) >= 0 && place(`val_${name}`) >= 0;
        const found = [];
        // What has no validation is drawn whatever is chosen.
        if (place(`val_${name}`) >= 0 && options.splits.val) found.push(one(`val_${name}`, "validation", false));
        if (place(`train_${name}`) >= 0 && (options.splits.train || !both)) found.push(one(`train_${name}`, "training", both));
        if (place(name) >= 0) found.push(one(name, "each epoch", false));
        return found;
    }

    drawTables() {
        const runs = this.chosen.map(([run]) => run);
        const state = JSON.stringify(this.chosen.map(([run, slot]) => [run, slot]));
        if (state === this.tables) return;
        this.tables = state;
        if (runs.length === 0) return;
        const heads = this.chosen.map(([run, slot]) => element("th", { scope: "col", className: "number" }, swatch(slot), " ", run.name));
        const section = (title, rows) => element("tbody", {}, element("tr", {}, element("th", { scope: "rowgroup", colSpan: runs.length + 1, className: "group" }, title)), ...rows);
        const table = element("table", {}, element("caption", { className: "unseen" }, "Results and settings of the chosen runs"),
            element("thead", {}, element("tr", {}, element("td"), ...heads)),
            section("Results", this.results(runs)), section(...this.settings(runs)));
        byId("tables").replaceChildren(element("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "Results and settings" }, table));
    }

    // A row a number; the best of a row is marked.
    results(runs) {
        const rows = [];
        const row = (name, value, show = number, less = null) => {
            const values = runs.map(value);
            const there = values.filter((it) => it !== null && it !== undefined);
            if (there.length === 0) return;
            const differ = less !== null && new Set(there).size > 1;
            const best = !differ ? null : less ? Math.min(...there) : Math.max(...there);
            rows.push(element("tr", {}, element("th", { scope: "row" }, name), ...values.map((it) => {
                const mark = best !== null && it === best;
                return element("td", { className: mark ? "number best" : "number" }, show(it), mark ? element("span", { className: "unseen" }, " (best)") : null);
            })));
        };
        const status = (run) => run.status;
        row("status", status, (it) => it);
        row("epochs", (run) => run.epoch);
        row("training loss, last", (run) => run.train_loss, number, true);
        row("validation loss, last", (run) => run.val_loss, number, true);
        const less = (name) => name === "loss" || runs.some((run) => (run.minimized ?? []).includes(name));
        const metrics = [...new Set(runs.map((run) => run.best?.metric).filter(Boolean))];
        for (const name of metrics) {
            const split = runs.find((run) => run.best?.metric === name).best.split;
            row(`${split} ${name}, best`, (run) => (run.best?.metric === name && run.best.split === split ? run.best.value : null), number, less(name));
        }
        const tested = runs.flatMap((run) => (run.test ? ["loss", ...run.test.metrics.map(([name]) => name)] : []));
        const score = (run, name) => (name === "loss" ? run.test?.loss : run.test?.metrics.find(([known]) => known === name)?.[1]);
        for (const name of new Set(tested)) row(`test ${name}`, (run) => score(run, name), number, less(name));
        row("time", (run) => run.seconds, duration);
        row("parameters", (run) => run.parameters, count);
        return rows;
    }

    // The settings that are not the same in all runs.
    settings(runs) {
        const maps = runs.map((run) => new Map(run.settings ?? []));
        const names = [...new Set(maps.flatMap((map) => [...map.keys()]))];
        const differs = (name) => new Set(maps.map((map) => map.get(name))).size > 1;
        const different = runs.length > 1 ? names.filter(differs) : names;
        const title = runs.length === 1 ? "Settings" : different.length > 0 ? "Settings that differ" : "All settings are the same";
        const cell = (value) => element("td", { className: "number" }, value === undefined ? element("span", { className: "none" }, "not set") : element("code", {}, value));
        return [title, different.map((name) => element("tr", {}, element("th", { scope: "row" }, name), ...maps.map((map) => cell(map.get(name)))))];
    }

    // Where the programs of two runs differ.
    async drawPrograms() {
        const state = this.chosen.length === 2 ? this.chosen.map(([run]) => run.id).join(",") : "";
        if (state === this.programs) return;
        this.programs = state;
        byId("programs").replaceChildren();
        if (!state) return;
        const { files = [], cut } = await this.difference(state);
        // Others may have been chosen meanwhile.
        if (state !== this.programs || files.length === 0) return;
        const [[before], [after]] = this.chosen;
        const line = ([sign, text]) => {
            const words = { "-": element("del", {}, `- ${text}`), "+": element("ins", {}, `+ ${text}`) };
            return [words[sign] ?? `  ${text}`, "\n"];
        };
        const shown = files.map(({ file, groups }) => {
            const lines = groups.flatMap((group, index) => [...(index > 0 ? ["⋮\n"] : []), ...group.flatMap(line)]);
            return element("figure", {}, element("figcaption", {}, file), element("pre", { tabIndex: 0 }, element("code", {}, ...lines)));
        });
        byId("programs").replaceChildren(element("h3", {}, `Program: from ${before.name} to ${after.name}`), ...shown, cut ? element("p", { className: "hint" }, "The rest is left out.") : "");
    }
}
