import type { OnProgress } from '@authserver/admin-api';
import type { Surroundings } from './admin-command.ts';
import type { Progress } from './progress.ts';

/** A bar that begins when the server says how much there is. */
export const follow = (label: string, progress: Surroundings['progress']): { onProgress: OnProgress; done(): void } => {
  let bar: Progress | undefined;
  return {
    onProgress({ done, total }) {
      bar ??= progress({ label, total });
      bar.set(done);
    },
    done: () => bar?.done(),
  };
};
