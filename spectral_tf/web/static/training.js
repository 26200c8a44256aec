// Drag through a training: learned function, spectrum and the row of the heat map move together.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("training-data").textContent);
  const element = (id) => document.getElementById(id);

  // 16-bit numbers between two ends; the highest is none. See `packed` in training.py.
  const unpacked = (field) => {
    if (!field) return null;
    const bytes = Uint8Array.from(atob(field.data), (letter) => letter.charCodeAt(0));
    const numbers = new DataView(bytes.buffer);
    const values = new Array(bytes.length / 2);
    for (let i = 0; i < values.length; i += 1) {
      const number = numbers.getUint16(2 * i, true);
      values[i] = number === 65535 ? null : field.low + field.step * number;
    }
    return { values, shape: field.shape };
  };
  const magnitudes = unpacked(data.magnitudes);
  const low = unpacked(data.low);
  const high = unpacked(data.high);
  const functions = data.functions && {
    steps: data.functions.steps,
    positions: unpacked(data.functions.positions).values,
    target: unpacked(data.functions.target),
    values: unpacked(data.functions.values),
  };
  const [groups, stops, count] = magnitudes.shape;
  const indices = data.frequencies.map((_, i) => i);
  const slider = element("step");
  let group = 0;
  let at = stops - 1;
  let plots = {};

  const row = (of, step) => {
    const start = (group * stops + step) * count;
    return of.values.slice(start, start + count);
  };
  const told = (step) => Number(step).toLocaleString("en");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const extent = (values) => {
    let [least, most] = [Infinity, -Infinity];
    for (const value of values) {
      if (value !== null && value < least) least = value;
      if (value !== null && value > most) most = value;
    }
    return least <= most ? [least, most] : [0, 1];
  };

  // The last step at which the function was kept.
  const kept = () => {
    let last = 0;
    functions.steps.forEach((step, i) => { if (step <= data.steps[at]) last = i; });
    return last;
  };

  // Viridis, in 16 steps; less than 0 and more than 1 are as these.
  const VIRIDIS = ["440154", "481a6c", "472f7d", "414487", "39568c", "31688e", "2a788e", "23888e",
    "1f988b", "22a884", "35b779", "54c568", "7ad151", "a5db36", "d2e21b", "fde725"]
    .map((code) => [0, 2, 4].map((i) => parseInt(code.slice(i, i + 2), 16)));
  const shade = (share) => {
    const place = Math.min(1, Math.max(0, share)) * (VIRIDIS.length - 1);
    const first = Math.min(VIRIDIS.length - 2, Math.floor(place));
    return [0, 1, 2].map((i) =>
      Math.round(VIRIDIS[first][i] + (place - first) * (VIRIDIS[first + 1][i] - VIRIDIS[first][i])));
  };
  const mapPicture = () => {
    const picture = document.createElement("canvas");
    [picture.width, picture.height] = [count, stops];
    const context = picture.getContext("2d");
    const pixels = context.createImageData(count, stops);
    for (let step = 0; step < stops; step += 1) {
      row(magnitudes, step).forEach((value, k) => {
        const rgb = value === null ? [221, 221, 221] : shade(value);
        pixels.data.set([...rgb, 255], 4 * ((stops - 1 - step) * count + k));
      });
    }
    context.putImageData(pixels, 0, 0);
    return picture;
  };

  const axis = (label, more) => ({
    label, stroke: colour("--text"), grid: { stroke: colour("--line"), width: 1 },
    ticks: { stroke: colour("--line"), width: 1 }, labelSize: 22, font: "12px system-ui",
    labelFont: "12px system-ui", ...more,
  });
  const unit = data.unit ? ` [${data.unit}]` : "";
  const frequencyAxis = () => axis(`frequency${unit}`, {
    splits: (plot) => {
      const room = Math.max(2, Math.floor(plot.bbox.width / devicePixelRatio / 34));
      const every = Math.max(1, Math.ceil(count / room));
      return indices.filter((i) => i % every === 0);
    },
    values: (_, splits) => splits.map((i) => data.frequencies[i] ?? ""),
    grid: { show: false },
  });
  const options = (view, more) => ({
    width: view.clientWidth, height: view.classList.contains("tall") ? 340 : 280,
    legend: { show: false }, cursor: { show: false }, padding: [10, 14, 0, 0], ...more,
  });

  const functionPlot = (view) => {
    const [least, most] = extent(functions.target.values);
    const margin = 0.25 * (most - least || 1);
    return new uPlot(options(view, {
      scales: { x: { time: false }, y: { range: [least - margin, most + margin] } },
      axes: [axis("position"), axis("value", { size: 56 })],
      series: [{}, { label: "target", stroke: colour("--target"), width: 1.2,
        points: { show: false } },
        { label: "network", stroke: colour("--network"), width: 2.2,
        points: { show: false } }],
    }), functionData(), view);
  };
  const functionData = () => {
    const size = functions.positions.length;
    const known = functions.values.shape[1];
    const own = (of, first) => of.values.slice(first * size, (first + 1) * size);
    return [functions.positions, own(functions.target, group),
      own(functions.values, kept() * known + group)];
  };

  const spectrumPlot = (view) => {
    const most = Math.min(2, Math.max(1.1, extent((high || magnitudes).values)[1]));
    const lines = (plot) => {
      const { ctx } = plot;
      const y = (value) => plot.valToPos(Math.min(value, most), "y", true);
      ctx.save();
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash([6, 4]);
      ctx.strokeStyle = colour("--target");
      ctx.beginPath();
      ctx.moveTo(plot.bbox.left, y(1));
      ctx.lineTo(plot.bbox.left + plot.bbox.width, y(1));
      ctx.stroke();
      if (low && high) {
        const [bottom, top] = [row(low, at), row(high, at)];
        ctx.setLineDash([]);
        ctx.strokeStyle = colour("--text");
        ctx.beginPath();
        indices.forEach((i) => {
          if (bottom[i] === null || top[i] === null) return;
          const x = plot.valToPos(i, "x", true);
          ctx.moveTo(x, y(bottom[i]));
          ctx.lineTo(x, y(top[i]));
        });
        ctx.stroke();
      }
      ctx.restore();
    };
    return new uPlot(options(view, {
      scales: { x: { time: false, range: [-0.6, count - 0.4] }, y: { range: [0, most] } },
      axes: [frequencyAxis(), axis("share learned (1: all)", { size: 56 })],
      series: [{}, { stroke: colour("--network"), fill: colour("--network"), width: 0,
        paths: uPlot.paths.bars({ size: [0.7, 60] }), points: { show: false } }],
      hooks: { draw: [lines] },
    }), [indices, row(magnitudes, at)], view);
  };

  const mapPlot = (view) => {
    const picture = mapPicture();
    const draw = (plot) => {
      const { ctx, bbox } = plot;
      const edge = (i) => plot.valToPos(i - 0.5, "y", true);
      ctx.save();
      ctx.imageSmoothingEnabled = false;
      const left = plot.valToPos(-0.5, "x", true);
      const right = plot.valToPos(count - 0.5, "x", true);
      ctx.drawImage(picture, left, edge(stops), right - left, edge(0) - edge(stops));
      const [top, bottom] = [edge(at + 1), edge(at)];
      const middle = (top + bottom) / 2;
      const half = Math.max((bottom - top) / 2, 2.5 * devicePixelRatio);
      ctx.lineWidth = 2 * devicePixelRatio;
      ctx.strokeStyle = "#ffffff";
      ctx.strokeRect(bbox.left, middle - half - ctx.lineWidth, bbox.width, 2 * (half + ctx.lineWidth));
      ctx.strokeStyle = colour("--mark");
      ctx.strokeRect(bbox.left, middle - half, bbox.width, 2 * half);
      ctx.restore();
    };
    const plot = new uPlot(options(view, {
      scales: { x: { time: false, range: [-0.5, count - 0.5] }, y: { range: [-0.5, stops - 0.5] } },
      axes: [frequencyAxis(), axis("training step", {
        size: 70,
        splits: () => [...Array(6).keys()].map((i) => Math.round((i * (stops - 1)) / 5)),
        values: (_, splits) => splits.map((i) => told(data.steps[i])),
        grid: { show: false },
      })],
      series: [{}, { show: false }],
      hooks: { draw: [draw] },
    }), [indices, indices.map(() => 0)], view);
    const chosen = (event) => {
      const place = plot.over.getBoundingClientRect();
      show(Math.round(plot.posToVal(event.clientY - place.top, "y")));
    };
    plot.over.style.cursor = "ns-resize";
    // A finger that moves scrolls the page; a tap chooses, as the mouse does by dragging, too.
    plot.over.addEventListener("click", chosen);
    plot.over.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "touch") plot.over.setPointerCapture(event.pointerId);
    });
    plot.over.addEventListener("pointermove", (event) => {
      if (event.buttons && event.pointerType !== "touch") chosen(event);
    });
    return plot;
  };

  const build = () => {
    for (const plot of Object.values(plots)) plot.destroy();
    plots = {};
    if (functions) plots.function = functionPlot(element("function"));
    plots.spectrum = spectrumPlot(element("spectrum"));
    plots.map = mapPlot(element("map"));
    show(at);
  };

  const sentence = () => {
    const now = row(magnitudes, at);
    const half = data.frequencies.filter((_, i) => now[i] !== null && now[i] >= 0.5);
    const listed = half.length > 12 ? `${half.slice(0, 12).join(", ")}, …` : half.join(", ");
    const learned = half.length ? `half or more of ${half.length} of ${count} frequencies: ${listed}`
      : "half of no frequency yet";
    return `Step ${told(data.steps[at])}: ${learned}.`;
  };

  const show = (stop) => {
    at = Math.min(stops - 1, Math.max(0, stop));
    slider.value = at;
    slider.setAttribute("aria-valuetext", `step ${told(data.steps[at])}`);
    element("at").textContent = sentence();
    if (functions) {
      const step = functions.steps[kept()];
      const early = step < data.steps[at] ? ", the last one kept until then" : "";
      const which = step > data.steps[at] ? ", the first one kept" : early;
      element("function-title").textContent =
        `Function of the first network after step ${told(step)}${which}; target in blue`;
      plots.function.setData(functionData(), true);
      element("function").dataset.step = step;
    }
    element("spectrum-title").textContent = `Spectrum at step ${told(data.steps[at])}`
      + (low ? ", with intervals of 95 %" : "");
    plots.spectrum.setData([indices, row(magnitudes, at)], true);
    plots.map.redraw(false);
    element("spectrum").dataset.step = data.steps[at];
    element("map").dataset.step = data.steps[at];
  };

  let playing = 0;
  const play = (on) => {
    clearInterval(playing);
    playing = 0;
    if (on) {
      if (at === stops - 1) show(0);
      playing = setInterval(() => { if (at === stops - 1) play(false); else show(at + 1); }, 90);
    }
    element("play").textContent = on ? "Pause" : "Play";
    element("play").setAttribute("aria-pressed", String(Boolean(on)));
    element("at").setAttribute("aria-live", on ? "off" : "polite");
  };

  const colours = VIRIDIS.map((rgb) => `rgb(${rgb.join(" ")})`).join(", ");
  element("colours").style.background = `linear-gradient(to right, ${colours})`;
  element("training").hidden = false;
  element("to-training").hidden = false;
  build();
  slider.addEventListener("input", () => { play(false); show(Number(slider.value)); });
  element("play").addEventListener("click", () => play(!playing));
  element("group")?.addEventListener("change", (event) => {
    group = Number(event.target.value);
    build();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", build);
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; build(); } });
})();
