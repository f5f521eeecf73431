/** One value of the text that `/metrics` answers (Prometheus text format 0.0.4). */
export type Sample = { name: string; labels: Readonly<Record<string, string>>; value: number };

/** Values by their series, which is the metric with its labels as they were written. */
export type Reading = ReadonlyMap<string, Sample>;

const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: -?\d+)?$/;
const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** Reads the metrics whose names are `wanted`. A line that is none is passed over: the rest may be right. */
export const readExposition = (text: string, wanted: ReadonlySet<string>): Reading => {
  const reading = new Map<string, Sample>();
  for (const each of text.split('\n')) {
    if (each.startsWith('#')) continue;
    const [, name = '', labels = '', value = ''] = line.exec(each) ?? [];
    if (!wanted.has(name)) continue;
    const read = {
      name,
      labels: readLabels(labels),
      value: value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value),
    };
    if (!Number.isNaN(read.value)) reading.set(each.slice(0, each.lastIndexOf(value) - 1), read);
  }
  return reading;
};

const readLabels = (text: string): Record<string, string> =>
  Object.fromEntries(
    [...text.matchAll(label)].map(([, name = '', value = '']) => [
      name,
      value.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character)),
    ]),
  );
