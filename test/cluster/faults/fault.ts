import type { Random } from '../random.ts';
import type { World } from '../world.ts';

/** Something that goes wrong for a while and is made good again before it returns. */
export type Fault = {
  name: string;
  /** Whether it makes sense in this cluster. */
  possible?: (world: World) => boolean;
  /** Nothing else may be wrong meanwhile: what it shows is that nobody notices. */
  alone?: boolean;
  /** Not together with another one of the same kind: two that stop one engine would both start it. */
  only?: string;
  /** `hold` waits as long as it is to last. */
  run: (world: World, random: Random, hold: () => Promise<void>) => Promise<void>;
};

/** From the end of a fault to the moment at which all must be well: five seconds are promised, the rest is the probe's. */
export const RECOVERY_MS = 6_500;
