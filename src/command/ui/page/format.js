// Numbers, times and elements. Texts become text nodes, never markup.

export function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (name in made) made[name] = value;
        else made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
}

export function svg(tag, attributes = {}, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
}

// Four digits: 0.1235, 12.35, 1.2e-4. None is a dash.
export function number(value) {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2).replace("e+", "e");
    if (Number.isInteger(value)) return value.toLocaleString("en");
    return size < 1 ? value.toPrecision(4) : value.toFixed(size < 100 ? 3 : 1);
}

// 123,456 or 12.3 M.
export function count(value) {
    if (value === null || value === undefined) return "–";
    if (value < 1e6) return value.toLocaleString("en");
    const [unit, name] = value < 1e9 ? [1e6, "M"] : [1e9, "G"];
    return `${(value / unit).toPrecision(3)} ${name}`;
}

export function duration(seconds) {
    if (seconds === null || seconds === undefined) return "–";
    if (seconds < 10) return `${seconds.toFixed(1)} s`;
    if (seconds < 60) return `${seconds.toFixed(0)} s`;
    const minutes = Math.round(seconds / 60);
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
    return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

// The local time, with the day where that is not today.
export function time(seconds) {
    if (!seconds) return "–";
    const date = new Date(1000 * seconds);
    const pad = (part) => String(part).padStart(2, "0");
    const clock = `${pad(date.getHours())}:${pad(date.getMinutes())}`;
    if (date.toDateString() === new Date().toDateString()) return clock;
    return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${clock}`;
}

// The classes of a curve by the place of its run: six colours, then the same with dots. Those of training
// are dashed.
export function curveClass(slot, dashed) {
    const again = Math.floor(slot / 6) % 2 === 1;
    const dashes = dashed ? (again ? " dashdot" : " dash") : again ? " dot" : "";
    return `curve c${slot % 6}${dashes}`;
}

// A short line in the colour of a run.
export function swatch(slot, dashed = false) {
    const line = svg("path", { class: curveClass(slot, dashed), d: "M1 6h22" });
    return svg("svg", { class: "nnc-chart swatch", viewBox: "0 0 24 12", "aria-hidden": "true" }, line);
}
