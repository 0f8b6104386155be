import { h } from '../dom';

const language = document.documentElement.lang;
const exact = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' });
const relative = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

/** The date and the time. */
export function exactTimeElement(time: string): HTMLElement {
  return timeElement(time, exact.format);
}

/** A time as “5 minutes ago”, or after a week as date and time, which is also its tooltip. */
export function timeElement(time: string, write: (date: Date) => string = text): HTMLElement {
  const date = new Date(time);
  return h('time', { datetime: time, title: exact.format(date) }, write(date));
}

function text(date: Date): string {
  const seconds = (Date.now() - date.getTime()) / 1000;
  if (seconds > 7 * 86_400) return exact.format(date);
  const [unit, length] = UNITS.find(([, size]) => seconds >= size) ?? [];
  return unit && length ? relative.format(-Math.trunc(seconds / length), unit) : 'just now';
}
