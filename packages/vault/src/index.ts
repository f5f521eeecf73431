export * from './client.ts';
export * from './errors.ts';
export type { VaultLogin } from './session.ts';
