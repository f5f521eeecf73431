import type { Secrets } from '../secrets.ts';
import { after, type Clock } from '../time.ts';

/**
 * A person who has entered the code of a device and is now asked about it. Travels with the browser, encrypted and bound
 * to that person: nobody can be sent straight to the question, and what is answered is what was found by the code.
 */
export type DeviceVisits = {
  /** `shown` is what identified the client (`identityName`) in the question it travels with. */
  seal(deviceId: string, userId: string, shown?: string): Promise<string>;
  /** The id of the device's request. `undefined` when it was not sealed for this person, or has expired. */
  open(sealed: string, userId: string): Promise<{ deviceId: string; shown: string | undefined } | undefined>;
};

export const createDeviceVisits = (secrets: Secrets, clock: Clock, lifetimeSeconds: number): DeviceVisits => ({
  seal: (deviceId, userId, shown) =>
    secrets.seal('device', { deviceId, userId, shown }, after(clock.now(), lifetimeSeconds)),
  async open(sealed, userId) {
    const opened = await secrets.unseal('device', sealed, clock.now());
    return opened?.userId === userId ? (opened as { deviceId: string; shown: string | undefined }) : undefined;
  },
});
