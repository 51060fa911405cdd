// Figures over time: what the server has kept, and each snapshot that came since.

const KINDS = {
  services: {
    items: (snapshot) => snapshot.services,
    name: 'name',
    figures: ['rate', 'errors', 'p50', 'p99', 'memory'],
  },
  queues: { items: (snapshot) => snapshot.queues, name: 'queue', figures: ['waiting', 'dead'] },
};

const SAME = 0.1; // seconds to which kept times are rounded

export class History {
  /** `span` is how many seconds are kept. */
  constructor(span) {
    this.span = span;
    this.start({ times: [] });
  }

  /** Take what the server has kept. */
  start(kept) {
    this.times = [...kept.times];
    this.series = new Map();
    for (const kind of Object.keys(KINDS))
      for (const [name, figures] of Object.entries(kept[kind] ?? {}))
        for (const [figure, values] of Object.entries(figures))
          this.series.set(`${kind} ${figure} ${name}`, [...values]);
  }

  add(snapshot) {
    if (snapshot.at < this.times.at(-1) + SAME) return; // it is the last one of what was kept
    const before = this.times.length;
    this.times.push(snapshot.at);
    for (const [kind, { items, name, figures }] of Object.entries(KINDS))
      for (const item of items(snapshot))
        for (const figure of figures) this.push(`${kind} ${figure} ${item[name]}`, item[figure], before);
    for (const values of this.series.values()) if (values.length === before) values.push(null);
    this.forget(snapshot.at - this.span);
  }

  push(key, value, before) {
    if (!this.series.has(key)) this.series.set(key, Array(before).fill(null));
    this.series.get(key).push(value ?? null);
  }

  forget(before) {
    let count = 0;
    while (this.times[count] < before) count += 1;
    if (count === 0) return;
    this.times.splice(0, count);
    for (const [key, values] of this.series) {
      values.splice(0, count);
      if (values.every((each) => each === null)) this.series.delete(key);
    }
  }

  /** Return the values of a figure, one for each of `times`. */
  of(kind, name, figure) {
    return this.series.get(`${kind} ${figure} ${name}`) ?? [];
  }
}
