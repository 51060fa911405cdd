// Figures as short texts. What is not known is a dash.

export const UNKNOWN = '–';

/** Return a number with as many digits as help: 0.04, 3.2, 150, 12 k. */
export function number(value) {
  if (value === null || value === undefined) return UNKNOWN;
  const size = Math.abs(value);
  if (size >= 1e9) return `${digits(value / 1e9)} G`;
  if (size >= 1e6) return `${digits(value / 1e6)} M`;
  if (size >= 1e4) return `${digits(value / 1e3)} k`;
  return digits(value);
}

function digits(value) {
  const size = Math.abs(value);
  if (size === 0 || size >= 100) return String(Math.round(value));
  if (size < 0.01) return value < 0 ? '0' : '<0.01';
  return String(Number(value.toFixed(size < 1 ? 2 : 1)));
}

export const count = (value) =>
  value === null || value === undefined ? UNKNOWN : value.toLocaleString('en');

export const rate = (value) => withUnit(value, '/s');

export const percent = (share) =>
  share === null || share === undefined ? UNKNOWN : `${digits(share * 100)} %`;

function withUnit(value, unit) {
  const text = number(value);
  return text === UNKNOWN ? text : `${text}${unit}`;
}

/** Return a duration that was measured: 250 µs, 12 ms, 1.2 s. */
export function seconds(value) {
  if (value === null || value === undefined) return UNKNOWN;
  if (value < 0.001) return `${Math.round(value * 1e6)} µs`;
  if (value < 1) return `${digits(value * 1000)} ms`;
  return value < 100 ? `${digits(value)} s` : age(value);
}

/** Return how long something is ago, or takes: 12 s, 5 min, 3 h, 2 d. */
export function age(value) {
  if (value === null || value === undefined) return UNKNOWN;
  const steps = [
    [86400 * 2, 86400, 'd'],
    [3600 * 2, 3600, 'h'],
    [60 * 2, 60, 'min'],
  ];
  for (const [from, unit, name] of steps) if (value >= from) return `${Math.floor(value / unit)} ${name}`;
  return `${Math.max(0, Math.floor(value))} s`;
}

export function bytes(value) {
  if (value === null || value === undefined) return UNKNOWN;
  const steps = [
    [2 ** 30, 'GiB'],
    [2 ** 20, 'MiB'],
    [2 ** 10, 'KiB'],
  ];
  for (const [unit, name] of steps) if (value >= unit) return `${digits(value / unit)} ${name}`;
  return `${value} B`;
}

/** Return a Unix time as the time of day, with the day if it is another one. */
export function moment(unix, now = new Date()) {
  if (unix === null || unix === undefined) return UNKNOWN;
  const date = new Date(unix * 1000);
  const time = date.toLocaleTimeString('en-GB');
  return date.toDateString() === now.toDateString() ? time : `${date.toLocaleDateString('en-CA')} ${time}`;
}

export function plural(count, word, several = `${word}s`) {
  return `${count.toLocaleString('en')} ${count === 1 ? word : several}`;
}
