// A chart of several runs: curves, axes, a cursor that reads values, and the same numbers as a table.
//
// A series is { slot, name, split, points: [[x, y], …] }; points that are null are gaps.

import { curveClass, duration, element, number, svg, swatch } from "./format.js";

const WIDTH = 480, HEIGHT = 264;
const LEFT = 50, RIGHT = 12, TOP = 12, BOTTOM = 40;
const MOST_POINTS = 1500; // of a curve; more are drawn as the least and largest of some
const MOST_ROWS = 500; // of the table
const MOST_READ = 14; // values beside the cursor

// Steps of 1, 2 or 5 times a power of ten.
function ticks(low, high, about) {
    const rough = (high - low) / about;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
    const found = [];
    for (let at = Math.ceil(low / step); at * step <= high * (1 + 1e-9); at++) found.push(at * step);
    return found;
}

function logTicks(low, high) {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++) {
        for (const digit of high / low > 1e3 ? [1] : [1, 2, 5]) {
            const value = digit * 10 ** power;
            if (value >= low && value <= high) found.push(value);
        }
    }
    return found;
}

function tickText(value) {
    if (value === 0) return "0";
    const size = Math.abs(value);
    return size < 1e-3 || size >= 1e5 ? value.toExponential().replace("e+", "e") : String(+value.toPrecision(6));
}

// The least and the largest of each part of a curve that has too many points.
function thinned(points) {
    if (points.length <= MOST_POINTS) return points;
    const part = Math.ceil((2 * points.length) / MOST_POINTS);
    const kept = [];
    for (let from = 0; from < points.length; from += part) {
        const some = points.slice(from, from + part).filter((it) => it[1] !== null);
        if (some.length === 0) continue;
        const low = some.reduce((a, b) => (b[1] < a[1] ? b : a));
        const high = some.reduce((a, b) => (b[1] > a[1] ? b : a));
        kept.push(...(low[0] <= high[0] ? [low, high] : [high, low]));
    }
    return kept;
}

// The place of the last point that is not behind x.
function before(points, x) {
    let low = 0, high = points.length;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (points[middle][0] <= x) low = middle + 1;
        else high = middle;
    }
    return low - 1;
}

export class Chart {
    constructor(title) {
        this.title = title;
        this.series = [];
        this.options = {};
        this.cursor = null;
        this.svg = svg("svg", {
            class: "nnc-chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", tabindex: "0",
        });
        this.read = element("div", { className: "read", hidden: true, ariaHidden: "true" });
        this.told = element("p", { className: "unseen", role: "status" });
        this.table = element("table");
        this.numbers = element("details", {}, element("summary", {}, "Numbers"),
            element("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: `Numbers of ${title}` }, this.table));
        const plot = element("div", { className: "plot" }, this.svg, this.read);
        this.figure = element("figure", {}, element("figcaption", {}, title), plot, this.told, this.numbers);
        this.numbers.addEventListener("toggle", () => this.fillTable());
        this.svg.addEventListener("pointermove", (event) => this.point(event));
        this.svg.addEventListener("pointerleave", () => this.move(null));
        this.svg.addEventListener("blur", () => this.move(null));
        this.svg.addEventListener("keydown", (event) => this.key(event));
    }

    // Draws series; `options` has the name of x, whether y is logarithmic.
    draw(series, options) {
        this.options = options;
        const shown = (value) => value !== null && (!options.log || value > 0);
        this.series = series.map((one) => ({
            ...one, points: one.points.map(([x, y]) => [x, shown(y) ? y : null]),
        }));
        const all = this.series.flatMap((one) => one.points.filter((it) => it[1] !== null));
        this.svg.setAttribute("aria-label", this.description());
        this.svg.replaceChildren();
        this.xs = [...new Set(all.map((it) => it[0]))].sort((a, b) => a - b);
        if (all.length === 0) {
            const text = options.log ? "nothing above 0" : "no epoch yet";
            this.svg.append(svg("text", { class: "empty mid", x: WIDTH / 2, y: HEIGHT / 2 }));
            this.svg.lastChild.textContent = text;
            this.move(null);
            return;
        }
        this.scales(all);
        this.axes();
        for (const one of this.series) this.curve(one);
        this.line = svg("path", { class: "mark" });
        this.dots = svg("g");
        this.svg.append(this.line, this.dots);
        this.move(this.cursor);
        if (this.numbers.open) this.fillTable();
    }

    scales(all) {
        const bounds = (values) => values.reduce(([low, high], it) => [Math.min(low, it), Math.max(high, it)], [Infinity, -Infinity]);
        let [left, right] = bounds(all.map((it) => it[0]));
        if (left === right) [left, right] = [left - 0.5, right + 0.5];
        const way = this.options.log ? Math.log10 : (value) => value;
        let [low, high] = bounds(all.map((it) => it[1]));
        [this.low, this.high] = [low, high];
        [low, high] = [way(low), way(high)];
        const room = (high - low) * 0.05 || Math.abs(high) * 0.1 || 0.5;
        [low, high] = [low - room, high + room];
        this.range = { left, right, low: this.options.log ? 10 ** low : low, high: this.options.log ? 10 ** high : high };
        this.x = (value) => LEFT + ((value - left) / (right - left)) * (WIDTH - LEFT - RIGHT);
        this.y = (value) => HEIGHT - BOTTOM - ((way(value) - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
    }

    axes() {
        const text = (words, attributes) => {
            const made = svg("text", attributes);
            made.textContent = words;
            return made;
        };
        const { left, right, low, high } = this.range;
        let across = this.options.log ? logTicks(low, high) : ticks(low, high, 6);
        if (across.length < 2) across = ticks(low, high, 4);
        for (const value of across) {
            const y = this.y(value).toFixed(1);
            this.svg.append(svg("path", { class: "grid", d: `M${LEFT} ${y}H${WIDTH - RIGHT}` }),
                text(tickText(value), { class: "end", x: LEFT - 6, y: +y + 4 }));
        }
        const down = ticks(left, right, 8).filter((it) => this.options.x === "time" || Number.isInteger(it));
        for (const value of down) {
            const x = this.x(value).toFixed(1);
            this.svg.append(svg("path", { class: "axis", d: `M${x} ${HEIGHT - BOTTOM}v4` }),
                text(tickText(value), { class: "mid", x, y: HEIGHT - BOTTOM + 16 }));
        }
        const name = this.options.x === "time" ? "seconds of training" : "epoch";
        this.svg.append(svg("path", { class: "axis", d: `M${LEFT} ${HEIGHT - BOTTOM}H${WIDTH - RIGHT}` }),
            text(name, { class: "mid", x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 6 }));
    }

    curve({ id, slot, dashed, points }) {
        let path = "", pen = false;
        const kept = thinned(points);
        for (const [x, y] of kept) {
            if (y !== null) path += `${pen ? "L" : "M"}${this.x(x).toFixed(1)} ${this.y(y).toFixed(1)}`;
            pen = y !== null;
        }
        const there = kept.filter((it) => it[1] !== null);
        // A point alone has no line.
        if (there.length === 1) path += "h0.01";
        this.svg.append(svg("path", { class: curveClass(slot, dashed) + (there.length === 1 ? " single" : ""), d: path, "data-run": id }));
    }

    // What is seen, in words.
    description() {
        const told = this.series.map(({ name, split, points }) => {
            const there = points.filter((it) => it[1] !== null);
            if (there.length === 0) return `${name}, ${split}: none yet`;
            const [first, last] = [there[0], there[there.length - 1]];
            return `${name}, ${split}: from ${number(first[1])} to ${number(last[1])} in ${there.length} epochs`;
        });
        return `${this.title}. ${told.join("; ")}. Arrow keys read values.`;
    }

    point(event) {
        if (!this.x || this.xs.length === 0) return;
        const box = this.svg.getBoundingClientRect();
        const { left, right } = this.range;
        const at = ((event.clientX - box.left) / box.width) * WIDTH;
        const x = left + ((at - LEFT) / (WIDTH - LEFT - RIGHT)) * (right - left);
        const near = this.xs.reduce((a, b) => (Math.abs(b - x) < Math.abs(a - x) ? b : a));
        this.move(near);
    }

    key(event) {
        const last = this.xs.length - 1;
        const at = this.cursor === null ? -1 : this.xs.indexOf(this.cursor);
        const to = { ArrowRight: Math.min(at + 1, last), ArrowLeft: at < 0 ? last : Math.max(at - 1, 0), Home: 0, End: last }[event.key];
        if (event.key === "Escape") this.move(null);
        if (to === undefined || last < 0) return;
        event.preventDefault();
        this.move(this.xs[to]);
        const read = this.values(this.cursor).map(({ name, split, value }) => `${name}, ${split}: ${number(value)}`);
        this.told.textContent = `${this.place(this.cursor)}. ${read.join("; ")}`;
    }

    place(x) {
        return this.options.x === "time" ? `after ${duration(x)}` : `epoch ${x}`;
    }

    // The values at an x, or of time, the last ones until then.
    values(x) {
        return this.series.flatMap((one) => {
            const at = before(one.points, x);
            const there = at >= 0 && (this.options.x === "time" || one.points[at][0] === x);
            const value = there ? one.points[at][1] : null;
            return value === null ? [] : [{ ...one, at: one.points[at][0], value }];
        });
    }

    move(x) {
        const known = x !== null && this.xs.length > 0 && this.x;
        this.cursor = known ? (this.xs.includes(x) ? x : this.xs[this.xs.length - 1]) : null;
        this.read.hidden = !known;
        if (!known) {
            this.line?.removeAttribute("d");
            this.dots?.replaceChildren();
            return;
        }
        const place = this.x(this.cursor);
        this.line.setAttribute("d", `M${place.toFixed(1)} ${TOP}V${HEIGHT - BOTTOM}`);
        const values = this.values(this.cursor).sort((a, b) => b.value - a.value);
        this.dots.replaceChildren(...values.map((it) =>
            svg("circle", { class: `point c${it.slot % 6}`, r: 3, cx: this.x(it.at), cy: this.y(it.value) })));
        const rows = values.slice(0, MOST_READ).map((it) => element("div", {}, swatch(it.slot, it.dashed),
            element("span", {}, it.name), element("b", {}, number(it.value))));
        const more = values.length - rows.length;
        this.read.replaceChildren(element("div", { className: "place" }, this.place(this.cursor)), ...rows,
            more > 0 ? element("div", {}, `and ${more} more`) : "");
        // To the right of the cursor where there is room.
        const box = this.svg.getBoundingClientRect();
        const at = (place / WIDTH) * box.width;
        const width = this.read.offsetWidth;
        const left = at + 12 + width <= box.width ? at + 12 : at - 12 - width;
        this.read.style.left = `${Math.max(0, Math.min(left, box.width - width))}px`;
    }

    fillTable() {
        if (!this.numbers.open) return;
        const names = this.series.map((one) => element("th", { scope: "col", className: "number" }, `${one.name}, ${one.split}`));
        const first = this.options.x === "time" ? "seconds" : "epoch";
        const xs = this.xs.slice(-MOST_ROWS);
        const rows = xs.map((x) => {
            const cells = this.series.map((one) => {
                const at = before(one.points, x);
                return element("td", { className: "number" }, number(at >= 0 && one.points[at][0] === x ? one.points[at][1] : null));
            });
            return element("tr", {}, element("th", { scope: "row", className: "number" }, tickText(x)), ...cells);
        });
        const caption = this.xs.length > xs.length ? element("caption", {}, `the last ${xs.length} of ${this.xs.length}`) : "";
        this.table.replaceChildren(caption, element("thead", {}, element("tr", {}, element("th", { scope: "col", className: "number" }, first), ...names)),
            element("tbody", {}, ...rows));
    }
}
