(() => {
'use strict';
const SVG = 'http://www.w3.org/2000/svg';
const byId = (id) => document.getElementById(id);
const make = (name, text, className) => {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
};
const shape = (name, attributes, text) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
};

// Light and dark.
const scheme = byId('scheme');
const prefers = matchMedia('(prefers-color-scheme: dark)');
const isDark = () => (document.documentElement.dataset.scheme || (prefers.matches ? 'dark' : 'light')) === 'dark';
const nameScheme = () => {
  scheme.textContent = isDark() ? '☀ Light' : '☾ Dark';
  scheme.setAttribute('aria-label', isDark() ? 'Show in light colors' : 'Show in dark colors');
};
scheme.addEventListener('click', () => {
  document.documentElement.dataset.scheme = isDark() ? 'light' : 'dark';
  nameScheme();
});
prefers.addEventListener('change', nameScheme);
scheme.hidden = false;
nameScheme();

// The record: series come as differences.
const unpack = async () => {
  const bytes = Uint8Array.from(atob(byId('data').textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return JSON.parse(await new Response(stream).text());
};
const summed = (differences) => {
  const out = new Float64Array(differences.length);
  let value = 0;
  for (let i = 0; i < out.length; i++) out[i] = value += differences[i];
  return out;
};

const begin = (data) => {
const COUNT = data.series[0][1].length;
const all = {};
for (const [name, differences] of data.series) all[name] = summed(differences);
const NAMES = ['load', 'needed', 'ready', 'pending', 'live', 'desired', 'optimum', 'used', 'missing'];
if (data.has_queue) NAMES.push('backlog');
const changeAt = summed(data.changes.at);
const changes = Array.from(changeAt, (at, i) => ({
  at, from: data.changes.from[i], to: data.changes.to[i], why: data.changes.why[i],
}));
const view = { from: 0, to: data.length };
let cursor = null;
const LEAST = Math.min(data.length, Math.max(data.column * 4, 1000));

// The least and the most of each series, in `places` places side by side of a time.
const reduce = (from, to, places) => {
  const out = { places, shortOf: new Float64Array(places) };
  for (const name of NAMES) {
    out[name] = { least: new Float64Array(places), most: new Float64Array(places) };
  }
  for (let place = 0; place < places; place++) {
    // Where one place ends the next one begins: each column is in one, and in no other.
    const a = Math.min(COUNT - 1, Math.floor((from + (to - from) * place / places) / data.column));
    const next = (from + (to - from) * (place + 1) / places) / data.column;
    const b = Math.min(COUNT, Math.max(a + 1, place + 1 === places ? Math.ceil(next - 1e-9) : Math.floor(next)));
    for (const name of NAMES) {
      const most = all[name], least = all[name + '_least'] || most;
      let low = least[a], high = most[a];
      for (let i = a + 1; i < b; i++) {
        if (least[i] < low) low = least[i];
        if (most[i] > high) high = most[i];
      }
      out[name].least[place] = low;
      out[name].most[place] = high;
    }
    // What was in service when most was missing.
    let worst = a;
    for (let i = a + 1; i < b; i++) if (all.missing[i] > all.missing[worst]) worst = i;
    out.shortOf[place] = all.short_of[worst];
  }
  return out;
};

// Numbers.
const group = (text) => text.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
const say = (value, digits = 0) => {
  const [whole, rest] = value.toFixed(digits).split('.');
  return rest ? `${group(whole)}.${rest}` : group(whole);
};
const brief = (value) => {
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return say(value, Math.min(6, digits)).replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '');
};
const short = (value) => {
  const [v, suffix] = value >= 1e9 ? [value / 1e9, 'G'] : value >= 1e6 ? [value / 1e6, 'M'] : value >= 1e4 ? [value / 1e3, 'k'] : [value, ''];
  return `${Math.round(v * 1e6) / 1e6}${suffix}`;
};
const two = (n) => String(n).padStart(2, '0');
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const when = (ms) => {
  const t = new Date(data.start + ms);
  const seconds = t.getUTCSeconds() ? `:${two(t.getUTCSeconds())}` : '';
  return `${t.getUTCFullYear()}-${two(t.getUTCMonth() + 1)}-${two(t.getUTCDate())} ${two(t.getUTCHours())}:${two(t.getUTCMinutes())}${seconds}`;
};
const lasting = (ms) => {
  let rest = Math.round(ms / 1000);
  const parts = [];
  for (const [length, unit] of [[86400, 'd'], [3600, 'h'], [60, 'm'], [1, 's']]) {
    const n = Math.floor(rest / length);
    rest %= length;
    if (n > 0 && parts.length < 2) parts.push(`${n}${unit}`); else if (parts.length) break;
  }
  return parts.join(' ') || '0s';
};

// Round numbers upward, round times along: as in the charts that were drawn before.
const scaleTo = (most, whole, lines) => {
  most = most > 0 ? most : 1;
  const rough = most / lines, power = 10 ** Math.floor(Math.log10(rough));
  let step = [1, 2, 5, 10].map((n) => n * power).find((s) => s >= rough * 0.999999) || power * 10;
  if (whole) step = Math.max(1, step);
  return { step, top: step * Math.max(1, Math.ceil(most / step - 1e-9)) };
};
const DAY = 86400;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, DAY, 2 * DAY, 7 * DAY];
const ticksOf = (from, to, most) => {
  const length = (to - from) / 1000, first = data.start + from, last = data.start + to;
  const step = STEPS.find((s) => length / s <= most);
  const out = [];
  if (step) {
    const offset = step === 7 * DAY ? 4 * DAY * 1000 : 0;
    for (let t = Math.ceil((first - offset) / step / 1000) * step * 1000 + offset; t <= last; t += step * 1000) {
      const d = new Date(t);
      const midnight = t % (DAY * 1000) === 0;
      out.push([t - data.start, midnight ? `${MONTHS[d.getUTCMonth()]} ${d.getUTCDate()}`
        : `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}${step < 60 ? `:${two(d.getUTCSeconds())}` : ''}`]);
    }
    return out;
  }
  const months = [1, 2, 3, 6, 12, 24, 60, 120, 1200].find((m) => length / (m * 30 * DAY) <= most) || 1200;
  const year = new Date(first).getUTCFullYear();
  for (let m = 0; ; m += months) {
    const t = Date.UTC(year, m, 1), d = new Date(t);
    if (t > last) return out;
    if (t >= first) out.push([t - data.start, d.getUTCMonth() === 0 ? String(d.getUTCFullYear()) : MONTHS[d.getUTCMonth()]]);
  }
};

// Shapes.
const HEADROOM = 16;
const heightOf = (pixels, scale) => (value) =>
  Math.round((pixels - Math.min(1.05, Math.max(0, value / scale.top)) * (pixels - HEADROOM)) * 10) / 10;
const band = (places, low, high, y, has) => {
  let path = '';
  for (let from = 0; from < places;) {
    if (has && !has(from)) { from++; continue; }
    let to = from + 1;
    while (to < places && (!has || has(to))) to++;
    let at = y(high(from));
    path += `M${from} ${at}`;
    for (let i = from + 1; i < to; i++) { const next = y(high(i)); if (next !== at) path += `H${i}V${at = next}`; }
    at = y(low(to - 1));
    path += `H${to}V${at}`;
    for (let i = to - 1; i >= from; i--) { const next = y(low(i)); if (next !== at) path += `H${i + 1}V${at = next}`; }
    path += `H${from}Z`;
    from = to;
  }
  return path;
};
const edge = (places, value, y) => {
  let at = y(value(0)), path = `M0 ${at}`;
  for (let i = 1; i < places; i++) { const next = y(value(i)); if (next !== at) path += `H${i}V${at = next}`; }
  return `${path}H${places}`;
};
const biggest = (list) => { let most = 0; for (const v of list) if (v > most && v < Infinity) most = v; return most; };

const plots = {};
for (const name of ['capacity', 'changes', 'lanes', 'used', 'load', 'backlog']) {
  const element = byId(`plot-${name}`);
  if (element) plots[name] = element;
}
const MAIN = plots.capacity;
const share = (ms) => (ms - view.from) / (view.to - view.from);
const percent = (of) => `${Math.round(of * 1e5) / 1e3}%`;

const grid = (element, pixels, scale, unit, ticks) => {
  // Lines lie under the ink, labels over it.
  const lines = element.querySelector('.grid'), labels = element.querySelector('.labels');
  lines.replaceChildren();
  labels.replaceChildren();
  for (const [ms, label] of ticks) {
    const of = share(ms), x = percent(of);
    lines.append(shape('line', { x1: x, x2: x, y1: 0, y2: pixels }));
    if (element !== plots.changes && of >= .04 && of <= .96) {
      labels.append(shape('text', { x, y: pixels + 15, 'text-anchor': 'middle' }, label));
    }
  }
  if (!scale) return;
  const y = heightOf(pixels, scale), n = Math.round(scale.top / scale.step);
  for (let i = 1; i <= n; i++) {
    const at = y(i * scale.step);
    lines.append(shape('line', { x1: 0, x2: '100%', y1: at, y2: at }));
    labels.append(shape('text', { x: 2, y: at - 4 }, short(i * scale.step) + (i === n && unit ? ` ${unit}` : '')));
  }
};
// A band between the least and the most: its ground, and its edges.
const rangeOf = (name, places, of, y) => {
  let edges = edge(places, (i) => of.most[i], y), ground = '';
  if (!of.least.every((v, i) => v === of.most[i])) {
    edges += edge(places, (i) => of.least[i], y);
    ground = band(places, (i) => of.least[i], (i) => of.most[i], y);
  }
  // Where it goes up and down everywhere its lines would be all that is seen.
  const isDense = edges.split('V').length - 1 > places / 2;
  return [[`${name}-band`, ground], [isDense ? `${name} is-dense` : name, edges]];
};
const inkOf = (element, places, paths) => {
  const ink = element.querySelector('.ink');
  const height = ink.getAttribute('height');
  ink.setAttribute('viewBox', `0 0 ${places} ${height}`);
  ink.replaceChildren(...paths.map(([name, d]) => shape('path', d ? { class: name, d } : { class: name })));
};
const pixelsOf = (element) => Number(element.querySelector('.ink').getAttribute('height'));

const draw = () => {
  const width = Math.max(120, Math.round(MAIN.getBoundingClientRect().width) || 960);
  const within = Math.max(1, Math.ceil((view.to - view.from) / data.column));
  // Where there are fewer columns than pixels each pixel belongs to one: edges stay sharp.
  const places = Math.min(width * 2, Math.max(width, within));
  const c = reduce(view.from, view.to, places);
  const ticks = ticksOf(view.from, view.to, width < 800 ? 7 : 8);
  const { needed, ready, live, desired, optimum, used, load, missing } = c;

  let pixels = pixelsOf(MAIN);
  let top = 0;
  for (let i = 0; i < places; i++) {
    top = Math.max(top, live.most[i], needed.most[i], desired.most[i], optimum.most[i]);
  }
  let scale = scaleTo(top, true, 5), y = heightOf(pixels, scale);
  grid(MAIN, pixels, scale, 'units', ticks);
  const [readyBand, readyLine] = rangeOf('ready', places, ready, y);
  const [optimumBand, optimumLine] = rangeOf('optimum', places, optimum, y);
  inkOf(MAIN, places, [
    ['needed', band(places, () => 0, (i) => needed.most[i], y)],
    readyBand,
    ['pending', band(places, (i) => ready.most[i], (i) => live.most[i], y, (i) => live.most[i] > ready.most[i])],
    optimumBand,
    ['desired', edge(places, (i) => desired.most[i], y)],
    optimumLine,
    readyLine,
    ['short', band(places, (i) => c.shortOf[i], (i) => c.shortOf[i] + missing.most[i], y, (i) => missing.most[i] > 0)],
  ]);

  pixels = pixelsOf(plots.used);
  const slo = data.slo / data.used_unit;
  let most = 0;
  for (let i = 0; i < places; i++) if (used.most[i] < data.endless) most = Math.max(most, used.most[i]);
  scale = scaleTo(Math.max(100, data.slo, Math.min(200, most * data.used_unit)), true, 3);
  y = heightOf(pixels, { top: scale.top / data.used_unit });
  grid(plots.used, pixels, scale, '%', ticks);
  inkOf(plots.used, places, [
    ...rangeOf('used', places, used, y),
    ['short', band(places, () => slo, (i) => used.most[i], y, (i) => used.most[i] > slo)],
    ['limit', edge(places, () => slo, y)],
  ]);

  pixels = pixelsOf(plots.load);
  scale = scaleTo(biggest(load.most) * data.load_unit, false, 3);
  y = heightOf(pixels, { top: scale.top / data.load_unit });
  grid(plots.load, pixels, scale, 'per s', ticks);
  inkOf(plots.load, places, [
    ['load', band(places, () => 0, (i) => load.most[i], y)],
    ['load-range', band(places, (i) => load.least[i], (i) => load.most[i], y)],
  ]);

  if (plots.backlog && c.backlog) {
    pixels = pixelsOf(plots.backlog);
    scale = scaleTo(biggest(c.backlog.most), false, 3);
    y = heightOf(pixels, scale);
    grid(plots.backlog, pixels, scale, 'jobs', ticks);
    inkOf(plots.backlog, places, [['backlog', band(places, () => 0, (i) => c.backlog.most[i], y)]]);
  }

  drawChanges(width, ticks);
  drawLanes(ticks);
  byId('shown').textContent = `${when(view.from)} to ${when(view.to)} UTC` +
    (view.to - view.from < data.length ? `, ${lasting(view.to - view.from)} of ${lasting(data.length)}` : '');
  for (const button of byId('zooms').children) {
    button.setAttribute('aria-pressed', String(Math.abs(Number(button.value) - (view.to - view.from)) < 1));
  }
  byId('earlier').disabled = view.from <= 0;
  byId('later').disabled = view.to >= data.length;
  const slider = byId('moment');
  slider.min = view.from;
  slider.max = Math.max(view.from, view.to - data.column);
  slider.step = cell();
  mark();
};

// A pixel's time, in whole columns.
const cell = () => {
  const width = MAIN.getBoundingClientRect().width || 960;
  return data.column * Math.max(1, Math.ceil((view.to - view.from) / width / data.column));
};
const firstAt = (from) => {
  let low = 0, high = changes.length;
  while (low < high) { const mid = (low + high) >> 1; if (changeAt[mid] < from) low = mid + 1; else high = mid; }
  return low;
};

const drawChanges = (width, ticks) => {
  const element = plots.changes, pixels = pixelsOf(element), mid = pixels / 2;
  grid(element, pixels, null, '', ticks);
  // The largest of each direction in a pixel.
  const bars = [new Map(), new Map()];
  let largest = 0;
  for (let i = firstAt(view.from); i < changes.length && changes[i].at < view.to; i++) {
    const { at, from, to } = changes[i];
    const x = Math.floor(share(at) * width), size = Math.abs(to - from), of = bars[to > from ? 0 : 1];
    of.set(x, Math.max(of.get(x) || 0, size));
    largest = Math.max(largest, size);
  }
  const path = (of, sign) => Array.from(of, ([x, size]) =>
    `M${x + .5} ${mid}V${(mid + sign * (4 + size / Math.max(1, largest) * (mid - 20))).toFixed(1)}`).join('');
  inkOf(element, width, [['out', path(bars[0], -1)], ['in', path(bars[1], 1)]]);
  element.querySelector('.side').textContent = largest ? `out, ${say(largest)} at most` : 'out';
};

const drawLanes = (ticks) => {
  const element = plots.lanes;
  const height = Number(element.getAttribute('height')) - 20;
  grid(element, height, null, '', ticks);
  const near = (view.to - view.from) / 1000;
  element.querySelectorAll('.lane').forEach((lane, row) => {
    lane.querySelectorAll('rect').forEach((rect) => rect.remove());
    const { label, windows } = data.lanes[row];
    let open = null;
    const put = () => {
      if (!open) return;
      const from = Math.max(0, share(open[0])), to = Math.min(1, share(open[1]));
      const rect = shape('rect', { x: percent(from), width: percent(Math.max(0, to - from)), y: row * 30 + 17, height: 10 });
      rect.append(shape('title', {}, `${label}: ${when(open[0])} to ${when(open[1])}, ${lasting(open[1] - open[0])}`));
      lane.append(rect);
    };
    for (const [from, to] of windows) {
      if (to <= view.from || from >= view.to) continue;
      if (open && from - open[1] < near) { open[1] = Math.max(open[1], to); continue; }
      put();
      open = [from, to];
    }
    put();
  });
};

// A moment: a line through all charts, and what was then.
const mark = () => {
  for (const element of Object.values(plots)) {
    element.querySelectorAll('.cursor').forEach((line) => line.remove());
    if (cursor === null || cursor < view.from || cursor > view.to) continue;
    const x = percent(share(cursor));
    const height = Number(element.getAttribute('height')) - (element === plots.changes ? 0 : 20);
    element.append(shape('line', { class: 'cursor', x1: x, x2: x, y1: 0, y2: height }));
  }
};
const range = (low, high, digits) => {
  const [a, b] = [low, high].map((v) => digits === null ? brief(v) : say(v, digits));
  return a === b ? a : `${a} to ${b}`;
};
const reasons = (why) => {
  const list = make('dl', undefined, 'why');
  for (const [subject, text] of why) {
    const row = make('div');
    row.append(make('dt', subject), make('dd', text));
    list.append(row);
  }
  return list;
};
const decision = (title, of) => {
  const parts = [make('h5', title)];
  const size = Math.abs(of.to - of.from);
  const move = size === 0 ? `${of.from}: hold` : `${of.from} → ${of.to}: scale ${of.to > of.from ? 'out' : 'in'} by ${size}`;
  parts.push(make('p', move), make('p', `decided at ${when(of.at)}`, 'sub'));
  if (of.why && of.why.length) parts.push(reasons(of.why));
  else parts.push(make('p', of.why ? 'It gives no reasons.' : 'Its reasons are left out, to keep this page small.', 'sub'));
  return parts;
};

const tell = (ms, isChosen) => {
  cursor = Math.min(data.length - 1, Math.max(0, ms));
  mark();
  const each = cell();
  const from = Math.floor(cursor / each) * each, to = Math.min(data.length, from + each);
  const c = reduce(from, to, 1);
  const of = (name, digits, unit = 1) => range(c[name].least[0] * unit, c[name].most[0] * unit, digits);
  const said = byId('said');
  const parts = [make('h4', each > data.column ? `${when(from)} to ${when(to).slice(11)}` : when(from))];
  if (c.missing.most[0] > 0) parts.push(make('p', `⚠ Short: up to ${say(c.missing.most[0])} units missing`, 'flag'));
  const values = make('dl', undefined, 'values');
  const row = (name, value) => values.append(make('dt', name), make('dd', value));
  row('Needed', of('needed', 0));
  row('Ready', of('ready', 0));
  if (c.pending.most[0] > 0) row('Pending', of('pending', 0));
  row('Desired', of('desired', 0));
  row('Optimum', of('optimum', 0));
  row('Utilization', c.used.most[0] >= data.endless ? 'nothing in service' : `${of('used', data.used_unit < .5 ? 1 : 0, data.used_unit)} %`);
  row('Load', `${of('load', null, data.load_unit)} per s`);
  if (c.backlog) row('Backlog', of('backlog', 0));
  parts.push(values);
  const open = data.lanes.filter((lane) => lane.class !== 'is-short' && lane.windows.some(([a, b]) => a < to && b > from));
  if (open.length) parts.push(make('p', `Open: ${open.map((lane) => lane.label).join('; ')}`, 'sub'));
  const inShort = data.shorts.find((s) => s.from < to && s.to > from);
  const first = firstAt(from), after = firstAt(to);
  if (after - first > 1) {
    let largest = changes[first];
    for (let i = first; i < after; i++) {
      if (Math.abs(changes[i].to - changes[i].from) > Math.abs(largest.to - largest.from)) largest = changes[i];
    }
    parts.push(...decision(`The largest of ${after - first} changes here`, largest));
  } else if (after - first === 1) {
    parts.push(...decision('Changed here', changes[first]));
  } else if (inShort && c.missing.most[0] > 0) {
    parts.push(...decision('The first decision while it was short', { at: inShort.at, from: inShort.before, to: inShort.after, why: inShort.why }));
  } else if (first > 0) {
    parts.push(...decision('Last change before', changes[first - 1]));
  } else {
    parts.push(make('p', 'No change so far.', 'sub'));
  }
  said.replaceChildren(...parts);
  const slider = byId('moment');
  slider.value = cursor;
  slider.setAttribute('aria-valuetext', `${when(from)}, needed ${of('needed', 0)}, ready ${of('ready', 0)}`);
  if (isChosen) byId('readout').classList.add('is-open');
};

// What is shown.
const show = (from, to) => {
  const length = Math.min(data.length, Math.max(LEAST, to - from));
  view.from = Math.min(Math.max(0, from), data.length - length);
  view.to = view.from + length;
  draw();
  if (cursor !== null && (cursor < view.from || cursor >= view.to)) tell((view.from + view.to) / 2, false);
};
const around = (ms, length) => show(ms - length / 2, ms + length / 2);
const middle = () => cursor !== null && cursor >= view.from && cursor <= view.to ? cursor : (view.from + view.to) / 2;
const zooms = [['1 h', 3600], ['6 h', 6 * 3600], ['Day', DAY], ['Week', 7 * DAY], ['30 days', 30 * DAY]]
  .map(([name, s]) => [name, s * 1000]).filter(([, ms]) => ms < data.length && ms >= LEAST).slice(-4);
zooms.push(['All', data.length]);
for (const [name, ms] of zooms) {
  const button = make('button', name);
  button.type = 'button';
  button.value = ms;
  button.addEventListener('click', () => around(middle(), ms));
  byId('zooms').append(button);
}
const shift = (by) => { const length = view.to - view.from; show(view.from + by * length, view.to + by * length); };
byId('earlier').addEventListener('click', () => shift(-.5));
byId('later').addEventListener('click', () => shift(.5));

const goTo = (ms) => {
  if (ms < view.from || ms >= view.to) around(ms, view.to - view.from);
  tell(ms, true);
};
byId('moment').addEventListener('input', (event) => tell(Number(event.target.value), true));
byId('change-before').addEventListener('click', () => { const i = firstAt(cursor ?? 0) - 1; if (i >= 0) goTo(changes[i].at); });
byId('change-after').addEventListener('click', () => {
  const i = firstAt(cursor === null ? 0 : cursor + 1);
  if (i < changes.length) goTo(changes[i].at);
});
const shorts = data.lanes[0].windows;
byId('short-before').addEventListener('click', () => {
  const found = shorts.filter(([from]) => from < (cursor ?? 0)).pop();
  if (found) goTo(found[0]);
});
byId('short-after').addEventListener('click', () => {
  const found = shorts.find(([from]) => from > (cursor ?? -1));
  if (found) goTo(found[0]);
});
byId('close').addEventListener('click', () => {
  byId('readout').classList.remove('is-open');
  cursor = null;
  mark();
});

// Pointing, tapping, dragging.
let drag = null;
const msAt = (event) => {
  const box = MAIN.getBoundingClientRect();
  const of = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  return view.from + of * (view.to - view.from);
};
const brush = (a, b) => {
  for (const element of Object.values(plots)) {
    element.querySelectorAll('.brush').forEach((rect) => rect.remove());
    if (a === undefined) continue;
    const [from, to] = [Math.min(a, b), Math.max(a, b)].map(share);
    const height = Number(element.getAttribute('height')) - (element === plots.changes ? 0 : 20);
    element.append(shape('rect', { class: 'brush', x: percent(from), width: percent(to - from), y: 0, height }));
  }
};
const charts = byId('charts');
charts.classList.add('is-live');
charts.addEventListener('pointerdown', (event) => {
  if (event.button !== 0 || !event.target.closest('.plot')) return;
  drag = { x: event.clientX, ms: msAt(event) };
});
charts.addEventListener('pointermove', (event) => {
  if (drag && Math.abs(event.clientX - drag.x) > 8) {
    if (!drag.isLong) charts.setPointerCapture(event.pointerId);
    drag.isLong = true;
    brush(drag.ms, msAt(event));
    event.preventDefault();
  } else if (!drag && event.pointerType !== 'touch' && event.target.closest('.plot')) {
    tell(msAt(event), true);
  }
});
const release = (event) => {
  if (!drag) return;
  const { ms, isLong } = drag;
  drag = null;
  brush();
  if (event.type === 'pointercancel') return;
  const end = msAt(event);
  if (isLong) show(Math.min(ms, end), Math.max(ms, end)); else tell(end, true);
};
addEventListener('pointerup', release);
addEventListener('pointercancel', release);
charts.addEventListener('dblclick', () => show(0, data.length));
byId('moment').addEventListener('keydown', (event) => {
  if (event.key === '+' || event.key === '=') around(middle(), (view.to - view.from) / 2);
  else if (event.key === '-') around(middle(), (view.to - view.from) * 2);
  else if (event.key === 'Escape') show(0, data.length);
  else return;
  event.preventDefault();
});

byId('tools').hidden = false;
byId('readout').hidden = false;
byId('hint').hidden = false;
document.querySelector('.stage').classList.add('has-readout');
draw();
// The moment at which most was missing, else the largest change.
let worst = 0;
for (let i = 1; i < COUNT; i++) if (all.missing[i] > all.missing[worst]) worst = i;
let start = worst * data.column;
if (!all.missing[worst] && changes.length) {
  start = changes.reduce((a, b) => Math.abs(b.to - b.from) > Math.abs(a.to - a.from) ? b : a).at;
}
tell(start, false);
let width = MAIN.getBoundingClientRect().width;
new ResizeObserver(() => {
  const now = MAIN.getBoundingClientRect().width;
  if (Math.abs(now - width) < 1) return;
  width = now;
  draw();
}).observe(charts);
document.documentElement.dataset.ready = 'yes';
};

// Where the browser cannot unpack it, the charts stay as they were drawn.
unpack().then(begin, () => { byId('shown').textContent += '. This browser is too old to look closer.'; });
})();
