import { duration, optionalDuration, section } from '../leaf.ts';

/** How long rows are kept that are over, or evidence. What only waits is deleted when its time is up. */
export const retention = section({
  issuances: duration('400d').describe(
    'How long the rows of issued tokens are kept, at least: they go by whole months, and with `purge` only. One whose token is alive, or that a live token descends from, stays. 0 is for ever.',
  ),
  audit_events: duration('0').describe(
    'How long audit events are kept, at least: they go by whole months, each with its part of the hash chain, and with `purge` only. 0 is for ever.',
  ),
  families: duration('30d').describe(
    'How long a refresh token family is kept after it expired or was revoked. It goes with `purge` only. 0 is for ever.',
  ),
});

export const purge = section({
  interval: optionalDuration().describe(
    'Time between purges of expired rows by the admin role of `serve`, one process at a time; 0 leaves it to `authserver purge`. Not set: 1h on a localhost issuer, 0 elsewhere.',
  ),
});
