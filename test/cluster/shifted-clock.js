/**
 * Preloaded into a pod under test, to step its wall clock without root and without a library of the platform: `Date` is
 * moved by the milliseconds in the file that CLUSTER_CLOCK_FILE names. Timers keep their pace, as they do when the clock
 * of a machine is set.
 */
import { readFileSync } from 'node:fs';

const file = process.env.CLUSTER_CLOCK_FILE;
const RealDate = Date;
let offset = 0;

const read = () => {
  try {
    offset = Number(readFileSync(file, 'utf8')) || 0;
  } catch {
    // Not written yet.
  }
};

if (file) {
  read();
  setInterval(read, 100).unref();
  globalThis.Date = class extends RealDate {
    constructor(...args) {
      if (args.length === 0) super(RealDate.now() + offset);
      else super(...args);
    }
    static now() {
      return RealDate.now() + offset;
    }
  };
}
