// Small charts of one figure over time, which move to the left as time goes on.

const SPACE = 'http://www.w3.org/2000/svg';
const STILL = window.matchMedia('(prefers-reduced-motion: reduce)');
const GAP = 3; // intervals without a sample that are shown as a gap

/** Return a new element of SVG. */
export function svg(name, properties = {}, ...children) {
  const element = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(properties)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

export class Chart {
  /**
   * `label` names the figure, `text(value)` says a value; `span` is how many seconds are shown, `interval`
   * how many are between two samples.
   */
  constructor({ label, text, span = 120, interval = 2, width = 120, height = 28, kind = 'usual' }) {
    Object.assign(this, { label, text, span, interval, width, height });
    this.area = svg('path', { class: 'area' });
    this.line = svg('path', { class: 'line' });
    this.moving = svg('g', {}, this.area, this.line);
    this.element = svg(
      'svg',
      {
        class: `chart ${kind}`,
        viewBox: `0 0 ${width} ${height}`,
        preserveAspectRatio: 'none',
        role: 'img',
        'aria-label': `${label}: nothing is known yet`,
      },
      this.moving,
    );
    this.shown = null; // the time of the last sample
  }

  /** Show `values` at `times`, which are in order. */
  update(times, values) {
    const now = times.at(-1);
    if (now === undefined || now === this.shown) return;
    const points = this.points(times, values, now);
    const top = Math.max(...points.flat().map((each) => each.value), 0);
    this.element.classList.toggle('flat', top === 0);
    this.draw(points, now, top);
    this.describe(points, top);
    this.move(now);
    this.shown = now;
  }

  /** Return runs of points without a gap between them. */
  points(times, values, now) {
    const runs = [];
    let last = null;
    const patience = Math.max(this.interval * GAP, (this.span / this.width) * GAP);
    for (let n = times.length - 1; n >= 0 && times[n] >= now - this.span - patience; n -= 1) {
      const value = values[n];
      if (value === null || value === undefined) continue;
      if (last === null || last - times[n] > patience) runs.unshift([]);
      runs[0].unshift({ time: times[n], value });
      last = times[n];
    }
    return runs;
  }

  draw(runs, now, top) {
    const scale = top > 0 ? (this.height - 3) / top : 0;
    const at = ({ time, value }) => [
      (this.width * (1 - (now - time) / this.span)).toFixed(1),
      (this.height - 1.5 - value * scale).toFixed(1),
    ];
    const lines = runs.map((run) => run.map((each) => at(each)));
    this.line.setAttribute('d', lines.map(path).join(' '));
    const bottom = this.height;
    const areas = lines.map((run) => `${path(run)} L${run.at(-1)[0]} ${bottom} L${run[0][0]} ${bottom} Z`);
    this.area.setAttribute('d', areas.join(' '));
  }

  describe(runs, top) {
    const all = runs.flat();
    if (all.length === 0) return;
    const minutes = Math.round(this.span / 60);
    const now = this.text(all.at(-1).value);
    const least = this.text(Math.min(...all.map((each) => each.value)));
    this.element.setAttribute(
      'aria-label',
      `${this.label} in the last ${minutes} minutes: ${now} now, from ${least} to ${this.text(top)}`,
    );
  }

  /** Let the chart slide to where it is now. */
  move(now) {
    const width = this.shown === null ? 0 : (this.width * (now - this.shown)) / this.span;
    if (STILL.matches || width <= 0 || width > this.width / 10 || document.hidden) return;
    this.moving.animate([{ transform: `translateX(${width}px)` }, { transform: 'none' }], {
      duration: Math.min(now - this.shown, 5) * 1000,
      easing: 'linear',
    });
  }
}

// a single sample is a dot
function path(run) {
  const [first, ...others] = run.map(([x, y]) => `${x} ${y}`);
  return `M${first} ${others.length === 0 ? `L${first}` : others.map((each) => `L${each}`).join(' ')}`;
}
